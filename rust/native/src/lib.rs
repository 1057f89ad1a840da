//! The Python binding of Aether: conversions, waiting and waking, and what the garbage collector needs.
//!
//! The core knows nothing of Python; Python waits and composes. In between, each file binds one thing:
//! values ([`wave`], [`receipt`], [`channel`], [`window`]), handles ([`emitter`], [`vibrator`], [`mailbox`],
//! [`medium`], [`field`], [`tap`]), operations ([`draft`], [`emission`], [`receive`], [`quiet`]) and the two ways
//! to wait for one ([`machine`] in an [`awaitable`], [`blocking`]).
#![deny(unsafe_code)]
#![allow(clippy::doc_markdown)] // docstrings are read by Python people, who do not mark arguments

mod actors;
#[allow(unsafe_code)] // loops of numpy's, over its memory
mod arrays;
#[allow(unsafe_code)] // one type made by hand, see its header
mod awaitable;
mod blocking;
mod causes;
mod channel;
mod clock;
#[allow(unsafe_code)] // `PyContextVar_Get`
mod context;
mod derived;
mod detect;
mod digest;
mod draft;
mod emission;
mod emitter;
#[allow(unsafe_code)] // methods entered by C's calling conventions, see its header
mod entries;
mod errors;
mod explain;
mod field;
mod figures;
mod following;
#[allow(unsafe_code)] // `pthread_atfork`
mod fork;
#[allow(unsafe_code)] // a lock that is the interpreter's
mod guarded;
mod headers;
mod here;
mod holding;
mod ids;
mod journal;
mod last;
mod limits;
mod log;
mod machine;
mod mailbox;
mod medium;
mod names;
mod numbers;
mod origin;
mod panics;
mod physics;
mod pickled;
mod quiet;
mod rare;
#[allow(unsafe_code)] // `Py_REFCNT`
mod receipt;
mod receive;
mod refusals;
mod ring;
mod shared;
mod sizes;
#[allow(unsafe_code)] // objects in the raw
mod spares;
mod stalls;
mod survey;
mod tap;
mod taps;
mod timing;
mod tracing;
mod tuning;
mod vibrator;
#[allow(unsafe_code)] // `PyThread_get_thread_ident`, `PyErr_SetInterrupt`
mod waker;
mod watch;
mod wave;
#[allow(unsafe_code)] // objects made and ended by hand, see its header
mod wave_object;
#[allow(unsafe_code)] // the buffer protocol
mod window;
mod words;

use pyo3::prelude::*;

/// The native half of Aether.
#[pymodule(gil_used = false)]
mod _native {
    use std::sync::atomic::{AtomicBool, Ordering};

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::arrays::array_functions;
    #[pymodule_export]
    use crate::blocking::PyWaiting;
    #[pymodule_export]
    use crate::channel::{
        check_pattern, covers, literal_token, overlaps, parse_pattern, restore_channel,
    };
    #[pymodule_export]
    use crate::clock::PyManualClock;
    #[pymodule_export]
    use crate::context::PyHandling;
    #[pymodule_export]
    use crate::derived::{emit_derived, py_is_derived};
    #[pymodule_export]
    use crate::detect::PyEngine;
    #[pymodule_export]
    use crate::emitter::PyEmitter;
    #[pymodule_export]
    use crate::errors::import_ahead;
    #[pymodule_export]
    use crate::field::PyField;
    #[pymodule_export]
    use crate::figures::histogram_bounds;
    #[pymodule_export]
    use crate::following::PyFollowing;
    #[pymodule_export]
    use crate::fork::{end_threads, threads_inside};
    #[pymodule_export]
    use crate::headers::{reply_address, with_header};
    #[pymodule_export]
    use crate::journal::{
        PyJournalImport, PyJournalReader, PyJournalWriter, backup_journal, prune_journal,
        repair_journal, verify_journal,
    };
    #[pymodule_export]
    use crate::limits::{PyBucket, PyBudget, PyCircuit, PyPermit};
    #[pymodule_export]
    use crate::log::{count_event, counted_events};
    #[pymodule_export]
    use crate::mailbox::PyMailbox;
    #[pymodule_export]
    use crate::medium::{PyMedium, new_identity};
    #[pymodule_export]
    use crate::panics::panics;
    #[pymodule_export]
    use crate::physics::interfere;
    #[pymodule_export]
    use crate::pickled::{restore_wave, undone_by};
    #[pymodule_export]
    use crate::receipt::{PyFate, PyReceipt};
    #[pymodule_export]
    use crate::ring::PyRing;
    #[pymodule_export]
    use crate::sizes::payload_size;
    #[pymodule_export]
    use crate::tap::PyTap;
    #[pymodule_export]
    use crate::tracing::{PySpan, PyTracer};
    #[pymodule_export]
    use crate::vibrator::PyVibrator;
    #[pymodule_export]
    use crate::watch::PyWatcher;
    #[pymodule_export]
    use crate::wave::PyWave;
    #[pymodule_export]
    use crate::window::PyWindow;

    /// A program may import the module again: the classes stay those that were made first.
    static PREPARED: AtomicBool = AtomicBool::new(false);

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        if !PREPARED.swap(true, Ordering::AcqRel) {
            crate::panics::install(py)?;
            crate::fork::count_forks();
            crate::wave_object::install(py)?;
            crate::entries::install(py)?;
        }
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("DEBUG_BUILD", cfg!(debug_assertions))?;
        module.add("REPLY_HEADER", crate::headers::REPLY_HEADER)?;
        module.add("handling", crate::context::variable(py)?)?;
        Ok(())
    }
}
