//! What is measured of a journal, where that is asked for.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use aether_core::histogram::{Histogram, Reading};

/// What is measured of commits.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    seconds: Histogram,
    failures: AtomicU64,
}

/// What a journal has counted and measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The sequence that was given last.
    pub last: u64,
    /// All waves up to this one are in the files, as durable as asked, but for those that were refused.
    pub safe: u64,
    /// Waves that were lost after they had counted as committed.
    pub lost: u64,
    /// Bytes that are not in the files yet.
    pub pending_bytes: usize,
    /// Segments.
    pub segments: usize,
    /// What is in them, in bytes.
    pub bytes: u64,
    /// Waves in them.
    pub waves: u64,
    /// Whether nothing is written any more.
    pub has_failed: bool,
    /// How long commits have taken, and how many have failed, if that is measured.
    pub commits: Option<(Reading, u64)>,
}

impl Measured {
    /// A commit is over.
    pub(crate) fn committed(&self, took: Duration, done: bool) {
        self.seconds.add(took.as_secs_f64());
        self.failures.fetch_add(u64::from(!done), Relaxed);
    }

    pub(crate) fn read(&self) -> (Reading, u64) {
        (self.seconds.read(), self.failures.load(Relaxed))
    }
}
