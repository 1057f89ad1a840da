//! The last arrivals of a series: when, and which wave.

/// How many are remembered.
const SIZE: usize = 12;

/// The last arrivals, newest first.
pub(super) struct Ring<W> {
    times: [f64; SIZE],
    waves: [Option<W>; SIZE],
    newest: usize,
    count: usize,
}

impl<W> Default for Ring<W> {
    fn default() -> Self {
        Self { times: [0.0; SIZE], waves: [const { None }; SIZE], newest: 0, count: 0 }
    }
}

impl<W: Clone> Ring<W> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, time: f64, wave: W) {
        self.newest = (self.newest + 1) % SIZE;
        self.times[self.newest] = time;
        self.waves[self.newest] = Some(wave);
        self.count = (self.count + 1).min(SIZE);
    }

    /// When the arrival came that is so many before the newest.
    #[inline]
    pub(super) fn time(&self, back: usize) -> f64 {
        self.times[(self.newest + SIZE - back) % SIZE]
    }

    /// The waves of the last arrivals but the newest, newest first.
    pub(super) fn partners(&self) -> impl Iterator<Item = W> {
        let backs = 1..self.count;
        backs.filter_map(|back| self.waves[(self.newest + SIZE - back) % SIZE].clone())
    }
}
