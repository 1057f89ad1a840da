//! `Receipt`: what an emission did.

use aether_core::medium::Sent;
use aether_core::reason::Tally;
use aether_core::wave::Spent;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What an emission did.
#[pyclass(frozen, freelist = 256, name = "Receipt", module = "aether")]
pub struct PyReceipt {
    /// 0 for a wave that was not admitted.
    sequence: u64,
    matched: u32,
    dropped: u32,
    why: Why,
}

/// Why not everybody got the wave.
enum Why {
    Nothing,
    Dropped(Box<Tally>),
    Spent(Spent),
}

impl PyReceipt {
    /// Of an emission that was admitted.
    #[inline]
    pub fn sent(sent: &Sent) -> Self {
        let why = match sent.reasons {
            None => Why::Nothing,
            Some(tally) => Why::Dropped(Box::new(tally)),
        };
        let (matched, dropped) = (sent.matched as u32, sent.dropped as u32);
        Self { sequence: sent.sequence, matched, dropped, why }
    }

    /// Of a wave that went nowhere by the rules of a hop.
    pub fn spent(spent: Spent) -> Self {
        Self { sequence: 0, matched: 0, dropped: 0, why: Why::Spent(spent) }
    }
}

#[pymethods]
impl PyReceipt {
    #[getter]
    fn sequence(&self) -> Option<u64> {
        (self.sequence != 0).then_some(self.sequence)
    }

    #[getter]
    fn matched(&self) -> u32 {
        self.matched
    }

    #[getter]
    fn delivered(&self) -> u32 {
        self.matched - self.dropped
    }

    #[getter]
    fn dropped(&self) -> u32 {
        self.dropped
    }

    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let reasons = PyDict::new(py);
        match &self.why {
            Why::Nothing => {}
            Why::Spent(spent) => reasons.set_item(spent.name(), 1)?,
            Why::Dropped(tally) => {
                for (reason, count) in tally.iter() {
                    reasons.set_item(reason.name(), count)?;
                }
            }
        }
        Ok(reasons)
    }

    #[getter]
    fn reason(&self) -> Option<&'static str> {
        match &self.why {
            Why::Nothing => None,
            Why::Spent(spent) => Some(spent.name()),
            Why::Dropped(tally) => tally.iter().next().map(|(reason, _)| reason.name()),
        }
    }

    #[getter]
    #[expect(clippy::unused_self, reason = "a property of receipts, true only with a journal")]
    fn pending(&self) -> bool {
        false
    }

    fn __bool__(&self) -> bool {
        self.matched > self.dropped
    }

    fn __eq__(&self, other: &Self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.sequence == other.sequence
            && self.matched == other.matched
            && self.dropped == other.dropped
            && self.reasons(py)?.eq(other.reasons(py)?)?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let sequence = self.sequence().map_or("None".to_owned(), |sequence| sequence.to_string());
        Ok(format!(
            "Receipt(sequence={sequence}, matched={}, delivered={}, dropped={}, reasons={}, pending=False)",
            self.matched,
            self.delivered(),
            self.dropped,
            self.reasons(py)?.repr()?
        ))
    }
}
