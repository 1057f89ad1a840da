//! Where the running code is: in which event loop, in which task, in which handler.
//!
//! Nothing here imports `asyncio` or `trio`: a library that the program has not imported cannot be running.

use std::cell::{Cell, RefCell};
use std::ptr;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi::PyObject;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyWeakrefReference};

/// The event loop of the running code.
pub enum Here<'py> {
    /// This asyncio (or uvloop) loop.
    Asyncio(Bound<'py, PyAny>),
    /// trio.
    Trio,
    /// No loop runs in this thread.
    Nowhere,
}

impl<'py> Here<'py> {
    /// Asks the libraries that are imported.
    pub fn find(py: Python<'py>) -> PyResult<Self> {
        // Where a task of asyncio runs, nobody has to be asked.
        if let Some(running) = Thread::with(|thread| thread.running_loop(py)) {
            return Ok(Self::Asyncio(running));
        }
        // trio first: it knows exactly, also as a guest of asyncio's loop.
        if trio_task(py)?.is_some() {
            return Ok(Self::Trio);
        }
        if let Some(running) = asyncio(py, &RUNNING_LOOP, "_get_running_loop")? {
            let running = running.call0()?;
            if !running.is_none() {
                return Ok(Self::Asyncio(running));
            }
        }
        Ok(Self::Nowhere)
    }

    /// Whether this asyncio loop runs in this thread, and a task in it.
    pub fn runs(home: &Bound<'py, PyAny>) -> PyResult<bool> {
        let py = home.py();
        if Thread::with(|thread| thread.running_loop(py)).is_some_and(|running| running.is(home)) {
            return Ok(true);
        }
        if current_task(py)?.is_none() {
            return Ok(false);
        }
        match asyncio(home.py(), &RUNNING_LOOP, "_get_running_loop")? {
            Some(running) => Ok(running.call0()?.is(home)),
            None => Ok(false),
        }
    }

    /// What to say to code that waits where no loop runs.
    pub fn nowhere() -> PyErr {
        PyRuntimeError::new_err(
            "no event loop of asyncio or trio runs in this thread; without one, use receive_sync and emit_sync",
        )
    }
}

static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static CURRENT_TASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

thread_local! {
    static THREAD: Thread = const { Thread::new() };
}

/// A loop, and asyncio's table of running tasks.
type Known = (Py<PyWeakrefReference>, Py<PyDict>);

/// What is remembered of a thread. One look-up gives all, as each costs.
pub struct Thread {
    /// How many awaits in a row have ended in place.
    pub in_place: Cell<u32>,
    /// The asyncio loop that ran last in this thread, weakly, with asyncio's own table of running tasks,
    /// where it has one: a look-up in it is all that a task costs then.
    last_loop: RefCell<Option<Known>>,
    /// That table again, or null.
    tasks: Cell<*mut PyObject>,
    /// The version of that table, and the address of the running task that was found in it.
    seen: Cell<(u64, usize)>,
}

impl Thread {
    /// Gives the running thread; at its very end, a new one.
    #[inline]
    pub fn with<R>(act: impl FnOnce(&Self) -> R) -> R {
        let mut act = Some(act);
        let done = THREAD.try_with(|thread| act.take().map(|act| act(thread)));
        match (done, act) {
            (Ok(Some(done)), _) => done,
            (_, Some(act)) => act(&Self::new()),
            (_, None) => unreachable!("whoever did not run is still there"),
        }
    }

    const fn new() -> Self {
        Self {
            in_place: Cell::new(0),
            last_loop: RefCell::new(None),
            tasks: Cell::new(ptr::null_mut()),
            seen: Cell::new((0, 0)),
        }
    }

    /// The address of the running task, if next to nothing tells it.
    #[inline]
    pub fn running_task(&self, py: Python<'_>) -> Option<usize> {
        let (seen, task) = self.seen.get();
        if seen != 0 && seen == self.version() { Some(task) } else { self.look_for_task(py) }
    }

    #[inline(never)]
    fn look_for_task(&self, py: Python<'_>) -> Option<usize> {
        let version = self.version();
        let task = self.find_task(py)?.as_ptr() as usize;
        // Should the table change in between, what was seen is of no version that comes again.
        self.seen.set((version, task));
        Some(task)
    }

    /// The version of asyncio's table of running tasks, which is another after each switch of tasks; 0 where
    /// it is not known.
    #[inline]
    #[cfg(all(not(Py_3_13), not(Py_GIL_DISABLED)))]
    #[allow(
        unsafe_code,
        deprecated,
        reason = "CPython 3.11 and 3.12 keep it; nobody else gives it out"
    )]
    fn version(&self) -> u64 {
        let tasks = self.tasks.get().cast::<pyo3::ffi::PyDictObject>();
        // SAFETY: null, or the `dict` that `last_loop` holds.
        unsafe { tasks.as_ref() }.map_or(0, |tasks| tasks.ma_version_tag)
    }

    #[inline]
    #[cfg(any(Py_3_13, Py_GIL_DISABLED))]
    #[expect(clippy::unused_self, reason = "as for other versions of Python")]
    fn version(&self) -> u64 {
        0
    }

    /// Remembers the loop that runs, and asyncio's table of tasks.
    fn learn(&self, running: Py<PyWeakrefReference>, tasks: Py<PyDict>) -> Option<Known> {
        self.seen.set((0, 0));
        self.tasks.set(tasks.as_ptr());
        self.last_loop.replace(Some((running, tasks)))
    }

    /// The loop of the running task, if next to nothing tells it.
    fn running_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.running_task(py)?;
        let last = self.last_loop.try_borrow().ok()?;
        last.as_ref().and_then(|(running, _)| running.bind(py).upgrade())
    }

    /// The running task, if a single look-up tells; nobody is asked otherwise.
    fn find_task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        // Out of the cell first: a loop may compare itself by code that comes back here.
        let (running, tasks) = {
            let last = self.last_loop.try_borrow().ok()?;
            let (running, tasks) = last.as_ref()?;
            (running.bind(py).upgrade()?, tasks.bind(py).clone())
        };
        tasks.get_item(running).ok().flatten().filter(|task| !task.is_none())
    }
}

/// The task that runs in this thread, of asyncio or trio.
#[inline]
pub fn current_task(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    match Thread::with(|thread| thread.find_task(py)) {
        None => find_task(py),
        known => Ok(known),
    }
}

#[cold]
fn find_task(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Here::Asyncio(running) = Here::find(py)? else { return trio_task(py) };
    let Some(current) = asyncio(py, &CURRENT_TASK, "current_task")? else { return Ok(None) };
    let task = current.call1((&running,))?;
    let tasks = py.import("asyncio.tasks")?.getattr_opt(intern!(py, "_current_tasks"))?;
    if let Some(Ok(tasks)) = tasks.map(Bound::cast_into::<PyDict>) {
        // Only a table that is really in use.
        if tasks.get_item(&running)?.is_some_and(|listed| listed.is(&task)) {
            if let Ok(running) = PyWeakrefReference::new(&running) {
                let last = Thread::with(|thread| thread.learn(running.unbind(), tasks.unbind()));
                drop(last);
            }
        }
    }
    Ok((!task.is_none()).then_some(task))
}

/// A function of `asyncio`, if that is imported.
fn asyncio<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<Option<&'py Bound<'py, PyAny>>> {
    if cell.get(py).is_none() {
        let Some(module) = imported(intern!(py, "asyncio"))? else { return Ok(None) };
        // A module that is half imported has no such name yet.
        let Some(function) = module.getattr_opt(name)? else { return Ok(None) };
        cell.get_or_init(py, || function.unbind());
    }
    Ok(cell.get(py).map(|function| function.bind(py)))
}

fn trio_task(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    static IN_TRIO: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    if IN_TRIO.get(py).is_none() {
        let Some(trio) = imported(intern!(py, "trio"))? else { return Ok(None) };
        let Some(lowlevel) = trio.getattr_opt("lowlevel")? else { return Ok(None) };
        let inside = lowlevel.getattr("in_trio_task")?.unbind();
        let current = lowlevel.getattr("current_task")?.unbind();
        IN_TRIO.get_or_init(py, || (inside, current));
    }
    let Some((inside, current)) = IN_TRIO.get(py) else { return Ok(None) };
    if !inside.bind(py).call0()?.is_truthy()? {
        return Ok(None);
    }
    current.bind(py).call0().map(Some)
}

/// A module that somebody has imported.
pub fn imported<'py>(name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let py = name.py();
    let modules = MODULES.get_or_try_init(py, || {
        let modules = py.import("sys")?.getattr("modules")?;
        PyResult::Ok(modules.cast_into::<PyDict>()?.unbind())
    })?;
    modules.bind(py).get_item(name)
}
