//! An allocator that counts for each thread what it asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// What was asked for less what was given back. It wraps: memory may be given back by a thread that has
    /// not asked for it.
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

pub struct Counting;

fn asked(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    BYTES.set(BYTES.get().wrapping_add(bytes));
}

fn given_back(bytes: usize) {
    BYTES.set(BYTES.get().wrapping_sub(bytes));
}

// SAFETY: everything is handed to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        asked(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        asked(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        asked(size);
        given_back(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.dealloc(at, layout) }
    }
}

/// How often this thread has asked for memory within `work`.
pub fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// The bytes that this thread holds now and did not hold before `work`, with what that returns.
pub fn held<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = BYTES.get();
    let made = work();
    (BYTES.get().wrapping_sub(before), made)
}
