//! Names for the tasks and threads that read and emit, so that the core can prove a deadlock.
//!
//! A task gets a number when it first reads or waits, and keeps it for its life. Numbers are never used
//! again, so a dead task is never taken for a new one at the same address.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use aether_core::medium::Actor;
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyWeakrefReference};

use crate::here::{Thread, current_task};

/// Grows when a named task dies: whoever remembers an address must ask again.
static DEATHS: AtomicU64 = AtomicU64::new(1);

static NAMED: Mutex<Option<Registry>> = Mutex::new(None);

#[derive(Default)]
struct Registry {
    by_address: HashMap<usize, Actor>,
    by_actor: HashMap<Actor, Py<PyWeakrefReference>>,
    /// The address of a weak reference -> the actor, and its address.
    by_reference: HashMap<usize, (Actor, usize)>,
    last: Actor,
}

/// Remembers who read a mailbox last, so that the same reader costs two comparisons.
#[derive(Default)]
pub struct LastReader {
    address: AtomicU64,
    deaths: AtomicU64,
}

impl LastReader {
    /// Whether the running task is the one that read last.
    #[inline]
    pub fn is_current(&self, py: Python<'_>, thread: &Thread) -> bool {
        thread.running_task(py).is_some_and(|task| self.is(task))
    }

    #[inline]
    fn is(&self, task: usize) -> bool {
        self.address.load(Ordering::Relaxed) == task as u64
            && self.deaths.load(Ordering::Relaxed) == DEATHS.load(Ordering::Acquire)
    }

    /// Remembers whom another remembers.
    pub fn copy(&self, other: &Self) {
        // A death in between makes this look older than it is, which costs a look-up.
        let deaths = other.deaths.load(Ordering::Relaxed);
        self.address.store(other.address.load(Ordering::Relaxed), Ordering::Relaxed);
        self.deaths.store(deaths, Ordering::Relaxed);
    }

    /// The actor of the running task, if it is another than last time; 0 where no task runs.
    #[inline]
    pub fn changed(&self, py: Python<'_>) -> PyResult<Option<Actor>> {
        if Thread::with(|thread| self.is_current(py, thread)) {
            return Ok(None);
        }
        let Some(task) = current_task(py)? else { return Ok(Some(0)) };
        if self.is(task.as_ptr() as usize) {
            return Ok(None);
        }
        let address = task.as_ptr() as u64;
        let deaths = DEATHS.load(Ordering::Acquire);
        let actor = actor(&task)?;
        self.address.store(address, Ordering::Relaxed);
        self.deaths.store(deaths, Ordering::Relaxed);
        Ok(Some(actor))
    }
}

/// The running task, or 0 if there is none.
pub fn current_actor(py: Python<'_>) -> PyResult<Actor> {
    current_task(py)?.map_or(Ok(0), |task| actor(&task))
}

/// The number of a task or thread.
#[cold]
pub fn actor(who: &Bound<'_, PyAny>) -> PyResult<Actor> {
    static BURY: PyOnceLock<Py<PyCFunction>> = PyOnceLock::new();
    let py = who.py();
    let address = who.as_ptr() as usize;
    if let Some(known) = NAMED.lock().get_or_insert_default().by_address.get(&address) {
        return Ok(*known);
    }
    let bury = BURY.get_or_try_init(py, || {
        let bury = PyCFunction::new_closure(py, None, None, |args, _| {
            let reference = args.get_item(0)?;
            bury(&reference);
            PyResult::Ok(())
        })?;
        PyResult::Ok(bury.unbind())
    })?;
    let reference = PyWeakrefReference::new_with(who, bury.bind(py))?.unbind();
    let mut named = NAMED.lock();
    let named = named.get_or_insert_default();
    // To make a weak reference can start a collection, and that anything.
    if let Some(known) = named.by_address.get(&address) {
        return Ok(*known);
    }
    named.last += 1;
    let actor = named.last;
    named.by_address.insert(address, actor);
    named.by_reference.insert(reference.as_ptr() as usize, (actor, address));
    named.by_actor.insert(actor, reference);
    Ok(actor)
}

/// Forgets a dead task, whose weak reference this is.
fn bury(reference: &Bound<'_, PyAny>) {
    let forget = |named: &mut Registry| {
        let (actor, address) = named.by_reference.remove(&(reference.as_ptr() as usize))?;
        named.by_address.remove(&address);
        named.by_actor.remove(&actor)
    };
    let buried = NAMED.lock().as_mut().and_then(forget);
    DEATHS.fetch_add(1, Ordering::AcqRel);
    drop(buried);
}

/// The task or thread of a number, while it lives.
fn find(py: Python<'_>, actor: Actor) -> Option<Bound<'_, PyAny>> {
    let reference = {
        let named = NAMED.lock();
        named.as_ref()?.by_actor.get(&actor)?.clone_ref(py)
    };
    reference.bind(py).upgrade()
}

/// Whether it has ended, as far as anybody can tell.
pub fn is_gone(py: Python<'_>, actor: Actor) -> PyResult<bool> {
    let Some(who) = find(py, actor) else { return Ok(true) };
    if let Some(done) = who.getattr_opt(intern!(py, "done"))? {
        return done.call0()?.is_truthy();
    }
    if let Some(alive) = who.getattr_opt(intern!(py, "is_alive"))? {
        return Ok(!alive.call0()?.is_truthy()?);
    }
    // A task of trio: its coroutine has no frame once it has ended.
    let coroutine = who.getattr(intern!(py, "coro"))?;
    Ok(coroutine.getattr_opt(intern!(py, "cr_frame"))?.is_some_and(|frame| frame.is_none()))
}

/// How people call it.
pub fn name(py: Python<'_>, actor: Actor) -> String {
    let named = |who: Bound<'_, PyAny>| {
        let name = match who.getattr_opt(intern!(py, "get_name"))? {
            Some(get) => get.call0()?,
            None => who.getattr(intern!(py, "name"))?,
        };
        name.extract::<String>()
    };
    find(py, actor)
        .map_or_else(|| "a task that has ended".to_owned(), |who| named(who).unwrap_or_default())
}
