//! What a medium's mailboxes hold, for whoever watches over a program; see `aether_core::medium::survey`.

use pyo3::prelude::*;

use crate::shared::Shared;
use crate::wave::PyWave;

/// A mailbox: its number, vibrator, whether it is a handler's; waves that wait, may wait, were taken, were let go; who
/// waits for one; and some of the payloads in it.
pub type Row = (u64, String, bool, usize, usize, u64, u64, usize, Vec<Py<PyAny>>);

/// Every mailbox with the payloads of `each` waves at most, and `most` in all; and the bytes that the routes take.
pub fn rows(py: Python<'_>, shared: &Shared, each: usize, most: usize) -> (Vec<Row>, usize) {
    let mut shown: Vec<(usize, Py<PyWave>)> = Vec::new();
    let (used, routes) = shared
        .medium
        .survey(each, most, &mut |place, held| shown.push((place, held.0.clone_ref(py))));
    let mut shown = shown.into_iter().peekable();
    let rows = used.into_iter().enumerate().map(|(place, one)| {
        let mut payloads = Vec::new();
        while let Some((_, wave)) = shown.next_if(|(its, _)| *its == place) {
            payloads.push(wave.get().payload.clone_ref(py));
            drop(wave.into_bound(py));
        }
        let name = one.name.to_string();
        let (waiting, capacity) = (one.waiting, one.capacity);
        (
            one.key.number(),
            name,
            one.lane,
            waiting,
            capacity,
            one.received,
            one.lost,
            one.readers,
            payloads,
        )
    });
    (rows.collect(), routes)
}
