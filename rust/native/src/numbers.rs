//! The numbers of a wave or a clock as arguments, so that a `TypeError` says which one is none.

use pyo3::prelude::*;

use crate::errors::number;

macro_rules! numbers {
    ($($name:ident)*) => {$(
        pub fn $name(given: &Bound<'_, PyAny>) -> PyResult<f64> {
            Ok(number(stringify!($name), Some(given))?.unwrap_or_default())
        }
    )*};
}

macro_rules! optional_numbers {
    ($($name:ident)*) => {$(
        pub fn $name(given: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
            number(stringify!($name), (!given.is_none()).then_some(given))
        }
    )*};
}

numbers! { amplitude attenuation_factor decay_interval min_amplitude seconds stall_warning start }
optional_numbers! { phase frequency timestamp ttl now }
