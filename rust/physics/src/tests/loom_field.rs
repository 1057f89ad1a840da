//! A writer records under a lock, and moves on; a reader takes a window under it, and reads without.

use std::sync::atomic::Ordering::Relaxed;

use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::field::{Cells, Column, Field, Reading, Window};

/// A row whose columns belong together.
fn reading(sequence: u64) -> Reading {
    let number = sequence as f64;
    Reading { timestamp: number, amplitude: number, phase: number, frequency: number, sequence }
}

/// The sequences of a window, each beside its own timestamp.
fn read(window: &Window) -> Vec<u64> {
    let (Cells::Wide(sequences), Cells::Wide(timestamps)) =
        (window.cells(Column::Sequence), window.cells(Column::Timestamp))
    else {
        unreachable!("both are of 64 bits");
    };
    let rows = sequences.iter().zip(timestamps);
    let read = |(sequence, timestamp): (
        &loom::sync::atomic::AtomicU64,
        &loom::sync::atomic::AtomicU64,
    )| {
        let sequence = sequence.load(Relaxed);
        assert_eq!(f64::from_bits(timestamp.load(Relaxed)), sequence as f64, "a torn row");
        sequence
    };
    rows.map(read).collect()
}

/// Two waves are recorded, of which the second moves on, while a window is taken, read twice and dropped.
#[test]
fn loom_a_window_never_changes_while_the_field_moves_on() {
    loom::model(|| {
        let field = Arc::new(Mutex::new(Field::new(1)));
        field.lock().unwrap().record("a", &reading(1));
        let writer = {
            let field = Arc::clone(&field);
            thread::spawn(move || {
                for sequence in 2..=4 {
                    field.lock().unwrap().record("a", &reading(sequence));
                }
            })
        };
        let window = field.lock().unwrap().window();
        let first = read(&window);
        assert_eq!(first.len(), 1);
        assert_eq!(read(&window), first);
        writer.join().unwrap();
        assert_eq!(read(&window), first);
        drop(window);
        assert_eq!(read(&field.lock().unwrap().window()), [4]);
    });
}

/// The window is dropped in another thread than the one that moves the rows on in the same buffer.
#[test]
fn loom_a_buffer_is_used_again_only_when_nobody_reads_it() {
    loom::model(|| {
        let mut field = Field::new(1);
        field.record("a", &reading(1));
        let window = field.window();
        let reader = thread::spawn(move || assert_eq!(read(&window), [1]));
        for sequence in 2..=4 {
            field.record("a", &reading(sequence));
        }
        reader.join().unwrap();
        assert_eq!(read(&field.window()), [4]);
    });
}
