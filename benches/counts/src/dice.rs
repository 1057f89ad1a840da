//! Numbers that look random and are the same in each run.

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 11
    }

    /// Between 0 and 1, nearly never the same twice.
    pub fn amplitude(&mut self) -> f64 {
        self.roll() as f64 / (1_u64 << 53) as f64
    }

    /// Less than this.
    pub fn below(&mut self, most: usize) -> usize {
        ((u128::from(self.roll()) * most as u128) >> 53) as usize
    }
}
