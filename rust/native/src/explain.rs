//! Why a wave would reach a mailbox, or not: what `explain` shows, and errors that nobody was reached.

use aether_core::channel::Pattern;
use aether_core::medium::Verdict;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::shared::Shared;

/// (vibrator, patterns, reached, reason or None, lane) of every mailbox.
pub fn explain_rows<'py>(
    py: Python<'py>,
    shared: &Shared,
    channel: &str,
    amplitude: f64,
    emitter: u64,
) -> PyResult<Bound<'py, PyList>> {
    let rows = PyList::empty(py);
    let least = shared.tuning.rules(py).min_amplitude;
    let floor = shared.medium.pressure().floor;
    for row in shared.medium.explain(channel, amplitude, emitter) {
        let faint = amplitude < least;
        let (reached, reason) = match row.verdict {
            Verdict::Reached
            | Verdict::Overflows(_)
            | Verdict::Drops(_)
            | Verdict::Full
            | Verdict::Refused
                if faint =>
            {
                (false, Some(format!("min_amplitude: {amplitude} is fainter than {least}")))
            }
            Verdict::Reached
            | Verdict::Overflows(_)
            | Verdict::Drops(_)
            | Verdict::Full
            | Verdict::Refused
                if amplitude < floor =>
            {
                (false, Some(format!("limits.soft: {amplitude} is fainter than {floor:.2}: shed")))
            }
            Verdict::Reached => (true, None),
            Verdict::Overflows(_) => (true, Some("full: another wave would be dropped".to_owned())),
            Verdict::Drops(reason) => {
                (false, Some(format!("full: this wave would be dropped ({})", reason.name())))
            }
            Verdict::Pattern => (false, Some("pattern".to_owned())),
            Verdict::NoiseFloor(floor) => {
                (false, Some(format!("noise floor: {amplitude} is fainter than {floor}")))
            }
            Verdict::Own => (false, Some("own".to_owned())),
            Verdict::Full => (false, Some("full: emitting waits".to_owned())),
            Verdict::Refused => (false, Some("full: emitting raises WouldBlock".to_owned())),
            Verdict::Closed => (false, Some("closed".to_owned())),
        };
        let patterns: Vec<&str> = row.patterns.iter().map(Pattern::as_str).collect();
        rows.append((&*row.name, patterns, reached, reason, row.lane))?;
    }
    Ok(rows)
}
