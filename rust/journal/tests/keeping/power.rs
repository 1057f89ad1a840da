//! The power goes, or the process is killed, at each deed of a retention: each wave that is to stay is there,
//! once, and the next retention goes on.

use aether_journal::disk::simulated::{Deed, Dice, Fault, SimulatedDisk};
use aether_journal::keeping::retain::{Rule, apply};
use aether_journal::keeping::unwatched;
use proptest::prelude::*;

use crate::retention::{any_rules, any_steps, applied, kept, planned};
use crate::{Plain, Told, check_known, read, read_after, said, verified, write};

const EIO: i32 = 5;

/// A disk on which a retention was begun.
struct Begun<'a> {
    all: &'a [Plain],
    kept: &'a [Plain],
    rules: &'a [Rule],
    keep_after: Option<u64>,
}

impl Begun<'_> {
    /// As it is found, and after it was gone on with.
    fn check(&self, disk: &SimulatedDisk, told: &str) {
        let found = read(disk.clone());
        let sequences: Vec<u64> = found.waves.iter().map(|wave| wave.sequence).collect();
        assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{told}: {sequences:?}");
        assert!(found.waves.iter().all(|wave| self.all.contains(wave)), "{told}");
        assert!(self.kept.iter().all(|wave| found.waves.contains(wave)), "{told}");
        assert_eq!((found.gaps, found.damage, found.unreadable), (vec![], 0, 0), "{told}");
        let middle = self.all[self.all.len() / 2].sequence;
        let behind = read_after(disk.clone(), middle);
        let later = self.kept.iter().filter(|wave| wave.sequence > middle);
        assert!(later.clone().all(|wave| behind.waves.contains(wave)), "{told}");
        assert_eq!(behind.gaps, [], "{told}");
        check_known(disk, told);
        let report = verified(disk);
        assert!(report.is_sound(), "{told}: {report:?}");
        applied(disk, self.rules, self.keep_after);
        assert!(verified(disk).left_over.is_empty(), "{told}");
    }
}

/// `AETHER_TORTURE` asks for fifty times as many.
fn cases(usual: u32) -> u32 {
    if std::env::var_os("AETHER_TORTURE").is_some() { 50 * usual } else { usual }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(60), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_to_stay_is_there_at_each_moment(
        steps in any_steps(),
        rules in any_rules(),
        keep_after in prop::option::weighted(0.3, 0..60_u64),
        segment_bytes in 300..1_000_u64,
        seed in any::<u64>(),
    ) {
        let whole = SimulatedDisk::new(1);
        let (all, cursors) = write(&whole, segment_bytes, &steps);
        prop_assume!(!all.is_empty());
        let left = kept(&whole, &all, &rules, keep_after);
        let begun = Begun { all: &all, kept: &left, rules: &rules, keep_after };
        let plan = planned(&whole, &rules, keep_after);
        let done = whole.after_kill();
        apply(&done, &plan, &mut unwatched).expect("a disk without faults");
        let deeds = done.deeds();
        for (at, deed) in deeds.iter().enumerate() {
            for (number, short) in [false, true].into_iter().enumerate() {
                let disk = whole.after_kill();
                disk.fail(Some(Fault { at, lasting: true, errno: EIO, short }));
                let failed = apply(&disk, &plan, &mut unwatched);
                // What was begun in vain is removed as far as that can be.
                prop_assert!(failed.is_err() || *deed == Deed::Remove, "deed {at} of {deeds:?}");
                disk.fail(None);
                let mut dice = Dice::new(seed ^ (2 * at + number) as u64);
                for left in [disk.after_kill(), disk.after_power_loss(&mut dice)] {
                    let told = format!("gone at deed {at}, short {short}");
                    begun.check(&left, &told);
                    prop_assert_eq!(&said(&left), &cursors, "{}", &told);
                    let last = read(left.clone());
                    prop_assert_eq!(&last.gaps, &vec![]);
                    // Twice the power goes.
                    let again = left.after_power_loss(&mut dice);
                    prop_assert_eq!(read(again), Told { waves: last.waves, ..Told::default() });
                }
            }
        }
    }
}
