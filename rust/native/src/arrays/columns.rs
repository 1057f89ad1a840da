//! The operands of a loop of numpy's: memory of a type, with a step.

use std::ops::Range;
use std::slice;

/// One operand along one dimension. numpy has aligned it, and keeps it until the loop has returned.
#[derive(Clone, Copy)]
pub struct Column {
    start: *mut u8,
    step: isize,
    length: usize,
    single: bool,
}

// SAFETY: a pointer and numbers; who reads or writes through it says why that is sound.
unsafe impl Send for Column {}
// SAFETY: the same.
unsafe impl Sync for Column {}

impl Column {
    /// # Safety
    /// `start` points to `length` aligned numbers of the type, `step` bytes apart, that stay there
    /// while there are copies of this; those of an output are nobody else's.
    pub unsafe fn new(start: *mut u8, step: isize, length: usize, single: bool) -> Self {
        Self { start, step, length, single }
    }

    /// How many numbers there are.
    pub fn length(&self) -> usize {
        self.length
    }

    /// One number for all.
    pub fn constant(&self) -> Option<f64> {
        let mut constant = [0.0];
        (self.step == 0 && self.length > 0).then(|| {
            self.read(0..1, &mut constant);
            constant[0]
        })
    }

    /// Whether it is a slice of `f64`.
    pub fn contiguous(&self) -> bool {
        !self.single && self.step == size_of::<f64>() as isize
    }

    /// Whether the two share memory, or might.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.bytes(), other.bytes());
        mine.start < theirs.end && theirs.start < mine.end
    }

    fn bytes(&self) -> Range<isize> {
        let start = self.start as isize;
        let last = start + self.step * (self.length as isize - 1).max(0);
        start.min(last)..start.max(last) + size_of::<f64>() as isize
    }

    fn at(&self, place: usize) -> *mut u8 {
        debug_assert!(place < self.length);
        self.start.wrapping_offset(self.step * place as isize)
    }

    /// Its numbers, copied.
    pub fn read(&self, here: Range<usize>, to: &mut [f64]) {
        if self.single {
            for (to, place) in to.iter_mut().zip(here) {
                // SAFETY: within the operand, by `new`.
                *to = f64::from(unsafe { *self.at(place).cast::<f32>() });
            }
        } else {
            for (to, place) in to.iter_mut().zip(here) {
                // SAFETY: the same.
                *to = unsafe { *self.at(place).cast::<f64>() };
            }
        }
    }

    /// Takes the numbers.
    pub fn write(&self, here: Range<usize>, from: &[f64]) {
        assert!(here.end <= self.length);
        for (&number, place) in from.iter().zip(here) {
            // SAFETY: within the operand, which is nobody else's, by `new`.
            unsafe {
                let to = self.at(place);
                if self.single {
                    *to.cast::<f32>() = number as f32;
                } else {
                    *to.cast::<f64>() = number;
                }
            }
        }
    }

    /// # Safety
    /// It is [`contiguous`](Self::contiguous), and nobody writes to it while the slice is there.
    pub unsafe fn slice<'a>(&self, here: Range<usize>) -> &'a [f64] {
        debug_assert!(self.contiguous() && here.end <= self.length);
        // SAFETY: within the operand, by `new`; the rest is the caller's.
        unsafe { slice::from_raw_parts(self.start.cast::<f64>().add(here.start), here.len()) }
    }

    /// # Safety
    /// It is [`contiguous`](Self::contiguous), and nobody else reads or writes what is in `here`
    /// while the slice is there.
    pub unsafe fn slice_mut<'a>(&self, here: Range<usize>) -> &'a mut [f64] {
        debug_assert!(self.contiguous() && here.end <= self.length);
        // SAFETY: within the operand, by `new`; the rest is the caller's.
        unsafe { slice::from_raw_parts_mut(self.start.cast::<f64>().add(here.start), here.len()) }
    }
}

/// An input of 64-bit integers.
pub struct Integers {
    start: *const u8,
    step: isize,
    length: usize,
}

impl Integers {
    /// # Safety
    /// As for [`Column::new`], of `i64`, and nobody writes to them while this is there.
    pub unsafe fn new(start: *const u8, step: isize, length: usize) -> Self {
        Self { start, step, length }
    }

    /// The numbers, where they lie if they are a slice.
    pub fn slice<'a>(&'a self, copy: &'a mut Vec<i64>) -> &'a [i64] {
        if self.step == size_of::<i64>() as isize {
            // SAFETY: by `new`.
            return unsafe { slice::from_raw_parts(self.start.cast(), self.length) };
        }
        copy.extend((0..self.length as isize).map(|place| {
            // SAFETY: within the operand, by `new`.
            unsafe { *self.start.offset(self.step * place).cast::<i64>() }
        }));
        copy
    }
}
