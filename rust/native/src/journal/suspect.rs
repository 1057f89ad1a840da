//! Which wave a thread makes just now, so that one whose making panics each time does not keep the others from theirs.
//!
//! Contract:
//! - After the first panic the wave is tried again, as that may have been for want of memory. After a second one in a
//!   row it is passed over, and whoever makes it logs that.

/// The wave that is being made, and one that has panicked.
#[derive(Default)]
pub struct Suspect {
    /// Its sequence; 0: none is being made.
    making: u64,
    /// The one whose making has panicked last.
    fallen: u64,
    /// It has twice.
    twice: bool,
}

impl Suspect {
    /// A wave is to be made now; false: it is to be passed over.
    pub fn may_make(&mut self, sequence: u64) -> bool {
        self.making = sequence;
        !(self.twice && self.fallen == sequence)
    }

    /// It was made, or passed over.
    pub fn is_made(&mut self) {
        self.making = 0;
    }

    /// Something has panicked.
    pub fn has_panicked(&mut self) {
        self.twice = self.making != 0 && self.making == self.fallen;
        self.fallen = std::mem::take(&mut self.making);
    }
}

/// Why a wave is passed over.
pub fn passed_over(sequence: u64) -> String {
    format!(
        "wave {sequence} is passed over, as what makes it has panicked twice; native.panicked says where"
    )
}
