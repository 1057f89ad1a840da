//! The numbers of many waves as arrays of numpy: read from the disk into them, no wave is made.

use std::collections::HashMap;

use aether_journal::record::Wave;
use foldhash::fast::RandomState;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::window::channel_of;

/// Columns that grow, wave by wave.
#[derive(Default)]
pub struct Columns {
    timestamp: Vec<f64>,
    amplitude: Vec<f64>,
    priority: Vec<f64>,
    phase: Vec<f64>,
    frequency: Vec<f64>,
    channel: Vec<u32>,
    sequence: Vec<u64>,
    names: Names,
}

/// `timestamp`, `amplitude`, `priority`, `phase`, `frequency`, `channel`, `sequence`, and the channels by number.
pub type Arrays<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u64>>,
    Bound<'py, PyTuple>,
);

impl Columns {
    #[inline]
    pub fn push(&mut self, wave: &Wave<'_>) {
        self.timestamp.push(wave.time);
        self.amplitude.push(wave.amplitude);
        self.priority.push(wave.priority);
        self.phase.push(wave.phase);
        self.frequency.push(wave.frequency);
        self.channel.push(self.names.number(wave.channel));
        self.sequence.push(wave.sequence);
    }

    /// Hands the memory over to numpy: nothing is copied.
    pub fn into_arrays(self, py: Python<'_>) -> PyResult<Arrays<'_>> {
        let channels = self.names.list.iter().map(|name| channel_of(py, name));
        let channels = PyTuple::new(py, channels.collect::<PyResult<Vec<_>>>()?)?;
        Ok((
            self.timestamp.into_pyarray(py),
            self.amplitude.into_pyarray(py),
            self.priority.into_pyarray(py),
            self.phase.into_pyarray(py),
            self.frequency.into_pyarray(py),
            self.channel.into_pyarray(py),
            self.sequence.into_pyarray(py),
            channels,
        ))
    }
}

/// Channels by number, in the order in which they came first.
#[derive(Default)]
struct Names {
    numbers: HashMap<Box<str>, u32, RandomState>,
    list: Vec<Box<str>>,
    /// The number of the last one: many waves in a row are often of one channel.
    last: u32,
}

impl Names {
    #[inline]
    fn number(&mut self, name: &str) -> u32 {
        if self.list.get(self.last as usize).is_none_or(|last| **last != *name) {
            self.last = match self.numbers.get(name) {
                Some(&number) => number,
                None => self.learn(name),
            };
        }
        self.last
    }

    fn learn(&mut self, name: &str) -> u32 {
        let number =
            u32::try_from(self.list.len()).expect("fewer channels than that fit in memory");
        self.list.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }
}
