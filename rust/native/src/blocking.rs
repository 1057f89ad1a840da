//! Waiting in a thread without a loop: the same operations, driven by a lock of Python, whose `acquire` is
//! open to signals.

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::here::Here;
use crate::machine::Operation;
use crate::waker::{Sleeper, thread_ident};

/// The threads that wait here with no end in sight.
static WAITING: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// The threads that wait for a wave or for room, and will not give up by themselves.
#[pyfunction]
pub fn threads_waiting() -> Vec<u64> {
    WAITING.lock().clone()
}

/// On the list of waiting threads for as long as it lives.
struct Listed(u64);

impl Listed {
    fn new() -> Self {
        let thread = thread_ident();
        WAITING.lock().push(thread);
        Self(thread)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut waiting = WAITING.lock();
        if let Some(place) = waiting.iter().position(|&thread| thread == self.0) {
            waiting.swap_remove(place);
        }
    }
}

/// Does an operation, waiting as long as it is ready to. `look` is called every `interval` seconds
/// meanwhile.
pub fn wait_for<O: Operation>(
    py: Python<'_>,
    mut op: O,
    (method, instead): (&str, &str),
    interval: f64,
    look: impl Fn() -> PyResult<()>,
) -> PyResult<Py<PyAny>> {
    if !matches!(Here::find(py)?, Here::Nowhere) {
        return Err(PyRuntimeError::new_err(format!(
            "{method} would stop the event loop that runs in this thread; use {instead}"
        )));
    }
    let outcome = drive(py, &mut op, interval, look);
    if outcome.is_err() {
        op.abandon(py);
    }
    outcome
}

fn drive<O: Operation>(
    py: Python<'_>,
    op: &mut O,
    interval: f64,
    look: impl Fn() -> PyResult<()>,
) -> PyResult<Py<PyAny>> {
    static LOCK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static TIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Some(value) = op.attempt(py)? {
        return Ok(value);
    }
    let new_lock = LOCK.import(py, "_thread", "allocate_lock")?;
    let time = TIME.import(py, "time", "monotonic")?;
    let now = || -> PyResult<f64> { time.call0()?.extract() };
    let mut deadline = None;
    loop {
        if deadline.is_none() {
            deadline = op.patience().map(|patience| now().map(|now| now + patience)).transpose()?;
        }
        let left = |deadline: Option<f64>| match deadline {
            None => PyResult::Ok(f64::INFINITY),
            Some(deadline) => Ok(deadline - now()?),
        };
        if left(deadline)? <= 0.0 {
            return op.run_out(py);
        }
        let gate = new_lock.call0()?;
        gate.call_method0(intern!(py, "acquire"))?;
        if op.enlist(py, Sleeper::Thread(gate.clone().unbind()))? {
            let _listed = deadline.is_none().then(Listed::new);
            loop {
                let slice = left(deadline)?.clamp(0.0, interval);
                let woken =
                    gate.call_method1(intern!(py, "acquire"), (true, slice))?.is_truthy()?;
                if woken || left(deadline)? <= 0.0 {
                    break;
                }
                look()?;
            }
        }
        if let Some(value) = op.attempt(py)? {
            return Ok(value);
        }
    }
}
