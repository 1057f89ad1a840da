//! What a wave gets from the one that has caused it: strength, headers, trail.

use aether_core::wave::{Rules, Spent, Strength};
use pyo3::prelude::*;

use crate::context::handled;
use crate::rare::Rare;
use crate::shared::Shared;
use crate::wave::PyWave;

/// Whether a wave of which nothing is said gets headers all the same, from the one that is handled.
#[inline]
pub fn inherits(py: Python<'_>, shared: &Shared) -> bool {
    handled(py, shared).is_some_and(|handled| {
        let handled = handled.into_bound(py);
        handled.get().rare.as_ref().is_some_and(|rare| !rare.headers.is_empty())
    })
}

/// The strength of a wave that another causes: an amplitude that is given stands as it is.
pub fn caused(before: Strength, amplitude: Option<f64>, rules: &Rules) -> Result<Strength, Spent> {
    let Some(amplitude) = amplitude else { return before.hop(rules) };
    // As for a first emission, which keeps its amplitude; then the hops of the cause.
    let hopped = Strength { amplitude, priority: before.priority, hops: 0 }.hop(rules)?;
    if before.hops >= rules.max_propagation {
        return Err(Spent::Propagation);
    }
    Ok(Strength { hops: before.hops + 1, ..hopped })
}

/// Hands headers on from a cause to what it causes, under those that were given; and the trail, for a
/// chain.
pub fn hand_on(
    py: Python<'_>,
    rare: &mut Option<Box<Rare>>,
    cause: &PyWave,
    chain: bool,
) -> PyResult<()> {
    let inherited = cause.rare.as_ref().map(|rare| &rare.headers);
    let inherited = inherited.filter(|headers| !headers.is_empty());
    if inherited.is_none() && !chain {
        return Ok(());
    }
    let rare = rare.get_or_insert_default();
    if chain {
        rare.trail = Some(cause.trail(py)?);
    }
    inherited.map_or(Ok(()), |inherited| rare.headers.inherit(py, inherited))
}
