//! Waiting in a thread without a loop: the same operations, tried and enlisted step by step.
//!
//! The waiting itself is Python's (`aether._wait.block`): a thread of a program that ends may be stopped
//! where it waits, and no native frame must lie below that.

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::emission::EmitOp;
use crate::errors::quietly;
use crate::machine::Operation;
use crate::receive::ReceiveOp;
use crate::shared::Shared;
use crate::stalls;
use crate::waker::Sleeper;

/// An operation that a thread waits for.
pub enum Blocking {
    Emit(EmitOp),
    Receive(ReceiveOp),
}

impl Blocking {
    fn operation(&mut self) -> &mut dyn Steps {
        match self {
            Self::Emit(op) => op,
            Self::Receive(op) => op,
        }
    }

    fn shared(&self) -> &Shared {
        match self {
            Self::Emit(op) => op.shared(),
            Self::Receive(op) => &op.mailbox().shared,
        }
    }
}

/// The steps of an [`Operation`], for both kinds alike.
trait Steps {
    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;
    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool>;
    fn abandon(&mut self, py: Python<'_>);
    fn patience(&mut self, py: Python<'_>) -> Option<f64>;
    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;
}

impl<O: Operation> Steps for O {
    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Operation::attempt(self, py)
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        Operation::enlist(self, py, sleeper)
    }

    fn abandon(&mut self, py: Python<'_>) {
        Operation::abandon(self, py);
    }

    fn patience(&mut self, py: Python<'_>) -> Option<f64> {
        Operation::patience(self, py)
    }

    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Operation::run_out(self, py)
    }
}

/// An operation that a thread drives: one thread, one step at a time.
#[pyclass(frozen, name = "Waiting", module = "aether._native")]
pub struct PyWaiting(Mutex<Option<Blocking>>);

impl PyWaiting {
    pub fn new(op: Blocking) -> Self {
        Self(Mutex::new(Some(op)))
    }

    /// Takes the operation out for a step, so that no lock is held while Python code may run.
    fn step<R>(&self, act: impl FnOnce(&mut Blocking) -> PyResult<R>) -> PyResult<R> {
        let taken = self.0.lock().take();
        let Some(mut op) = taken else {
            return Err(crate::machine::awaited_already());
        };
        let done = act(&mut op);
        *self.0.lock() = Some(op);
        done
    }
}

#[pymethods]
impl PyWaiting {
    /// Tries in this thread: a tuple of the value, or `None` if it has to wait.
    fn attempt(&self, py: Python<'_>, thread: &Bound<'_, PyAny>) -> PyResult<Option<(Py<PyAny>,)>> {
        self.step(|op| {
            if let Blocking::Receive(op) = op {
                op.read_by(thread)?;
            }
            Ok(op.operation().attempt(py)?.map(|value| (value,)))
        })
    }

    /// Has a held lock released when it is worth another attempt; false: it is so already.
    fn enlist(&self, py: Python<'_>, lock: Py<PyAny>, thread: Py<PyAny>) -> PyResult<bool> {
        self.step(|op| op.operation().enlist(py, Sleeper::Thread { lock, thread }))
    }

    /// It was interrupted and will not be tried again; what was received and has not been returned goes back.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        self.step(|op| {
            op.operation().abandon(py);
            match op {
                Blocking::Receive(op) => op.give_back(py),
                Blocking::Emit(_) => Ok(()),
            }
        })
    }

    /// Seconds that it is ready to wait.
    #[getter]
    fn patience(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.step(|op| Ok(op.operation().patience(py)))
    }

    /// What it comes to when that is over, as a tuple; `None` if it waits on, with new patience.
    fn run_out(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>,)>> {
        self.step(|op| Ok(op.operation().run_out(py)?.map(|value| (value,))))
    }

    /// Looks after emissions that have waited too long; returns in how many seconds to look again.
    fn look(&self, py: Python<'_>) -> PyResult<f64> {
        self.step(|op| {
            stalls::look(py, op.shared())?;
            Ok(op.shared().tuning.stall_warning())
        })
    }
}

impl Drop for PyWaiting {
    /// A thread that was interrupted may not have said that it goes.
    fn drop(&mut self) {
        if let Some(mut op) = self.0.lock().take() {
            Python::attach(|py| quietly(py, || op.operation().abandon(py)));
        }
    }
}
