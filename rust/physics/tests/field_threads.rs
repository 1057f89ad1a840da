//! Threads that record while others read, with plain reads as numpy's: `make sanitize KIND=thread` watches them.
#![allow(clippy::float_cmp)] // the numbers are exact

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use aether_physics::field::{Cells, Column, Field, Reading, Window};
use parking_lot::Mutex;

const WRITERS: u64 = 4;
const WAVES: u64 = 20_000;

fn reading(sequence: u64) -> Reading {
    let number = sequence as f64;
    Reading {
        timestamp: number,
        amplitude: number * 2.0,
        phase: number * 3.0,
        frequency: number * 4.0,
        sequence,
    }
}

/// The rows of a column of 64 bits, read as C would.
fn plain<T: Copy>(window: &Window, column: Column) -> &[T] {
    let Cells::Wide(cells) = window.cells(column) else { unreachable!("of 64 bits") };
    assert_eq!(size_of::<T>(), 8);
    // SAFETY: nobody writes into the rows of a window while it is there, which is what this test is about.
    unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
}

/// Every row belongs together; the sum of all sequences.
fn check(window: &Window) -> u64 {
    let sequences: &[u64] = plain(window, Column::Sequence);
    let columns: [&[f64]; 4] =
        [Column::Timestamp, Column::Amplitude, Column::Phase, Column::Frequency]
            .map(|column| plain(window, column));
    for (at, &sequence) in sequences.iter().enumerate() {
        for (column, factor) in columns.iter().zip([1.0, 2.0, 3.0, 4.0]) {
            assert_eq!(column[at], sequence as f64 * factor);
        }
    }
    sequences.iter().sum()
}

#[test]
fn windows_stay_as_they_are_while_four_threads_record() {
    let (field, done) = (Arc::new(Mutex::new(Field::new(300))), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let field = Arc::clone(&field);
            thread::spawn(move || {
                for number in 0..WAVES {
                    let name = format!("channel.{}", number % 3_000);
                    field.lock().record(&name, &reading(1 + number * WRITERS + writer));
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (field, done) = (Arc::clone(&field), Arc::clone(&done));
            thread::spawn(move || read_until(&field, &done))
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    let field = field.lock();
    assert_eq!((field.len(), field.recorded()), (300, WRITERS * WAVES));
}

/// Takes windows, and checks each again later; now and then all are let go.
fn read_until(field: &Mutex<Field>, done: &AtomicBool) {
    let mut held: Vec<(Window, u64)> = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let window = field.lock().window();
        let sum = check(&window);
        held.push((window, sum));
        if held.len() > 8 {
            let (window, sum) = held.remove(0);
            assert_eq!(check(&window), sum);
            if sum % 2 == 0 {
                held.clear();
            }
        }
    }
}
