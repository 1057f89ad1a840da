//! Whoever looks for the note of a wave while the next one takes its place finds both moments of that wave, or none.

use loom::sync::Arc;
use loom::thread;

use crate::times::{Times, is_timed};

#[test]
fn a_note_is_read_whole_or_not_at_all() {
    loom::model(|| {
        let mut timed = (1..).filter(|&sequence| is_timed(sequence));
        let (first, second) = (timed.next().unwrap(), timed.next().unwrap());
        let times = Arc::new(Times::new(0));
        times.admitted(first, 1.0, 2.0);
        let writer = thread::spawn({
            let times = Arc::clone(&times);
            move || times.admitted(second, 3.0, 4.0)
        });
        for (sequence, moments) in [(first, (1.0, 2.0)), (second, (3.0, 4.0))] {
            let found = times.moments(sequence);
            assert!(found.is_none() || found == Some(moments), "{found:?}");
        }
        writer.join().unwrap();
        assert_eq!(times.moments(second), Some((3.0, 4.0)));
    });
}
