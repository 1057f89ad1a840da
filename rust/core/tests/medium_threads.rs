//! Real threads on one medium: emitters that wait for room, readers that wait for waves, and others that open,
//! resonate, detune, clear and close beside them all the while. Made for the sanitizers (`make sanitize`), which
//! watch every access; what it asserts holds in any interleaving.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};

use aether_core::clock::Clock;
use aether_core::decay::Fading;
use aether_core::mailbox::{Order, Overflow, Spec, WaiterId};
use aether_core::medium::{
    Aftermath, Emission, Enlisted, Key, Medium, Patience, Phase, Refusal, Take, Unlisted,
};
use aether_core::router::Hint;

use support::{Carrier, Item, blocking, faint, pattern, spec, wave};

/// A thread that waits, and whether it was woken: it may be unparked for other reasons too.
struct Bell {
    rung: AtomicBool,
    thread: Thread,
}

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self { rung: AtomicBool::new(false), thread: thread::current() })
    }

    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }

    fn wait(&self) {
        while !self.rung.load(Ordering::Acquire) {
            thread::park();
        }
    }
}

type Shared = Medium<Arc<Item>, Arc<Bell>>;
type After = Aftermath<Arc<Item>, Arc<Bell>>;

/// So many waves from each emitter.
const WAVES: u64 = if cfg!(debug_assertions) { 400 } else { 2_000 };

fn settle(after: After) {
    after.wakes.iter().for_each(|bell| bell.ring());
}

fn open(medium: &Shared, spec: Spec, patterns: &[&str]) -> Key {
    let key = medium.open(spec, Fading::new(0.95, 1.0)).expect("the medium is open");
    for text in patterns {
        assert_eq!(medium.resonate(key, pattern(text)), Some(true));
    }
    key
}

/// Emits, and waits for room as often as it takes.
fn emit(medium: &Shared, emission: &Emission<'_>, hint: &mut Hint, id: u64) -> Result<(), Refusal> {
    let item = Arc::new(Item { id, sequence: AtomicU64::new(0) });
    let mut ticket = None;
    loop {
        let mut after = After::default();
        let sent = medium.emit(emission, hint, ticket, &item, &Carrier, &mut after);
        settle(after);
        match sent {
            Ok(_) => return Ok(()),
            Err(Refusal::Full(_)) => {}
            Err(refusal) => return Err(refusal),
        }
        let own = *ticket.get_or_insert_with(|| medium.new_ticket());
        let bell = Bell::new();
        let who = (0, Patience::Endless);
        if let Enlisted::Waiting(_) = medium.enlist_sender(emission, own, who, Arc::clone(&bell)) {
            bell.wait();
        }
    }
}

fn take(medium: &Shared, key: Key, waiter: Option<WaiterId>) -> Take<Arc<Item>> {
    let mut after = After::default();
    let taken = medium.take(key, waiter, &mut after);
    settle(after);
    taken
}

/// Everything that a reader gets until the end.
fn read(medium: &Shared, key: Key) -> Vec<u64> {
    let (mut got, mut waiter) = (Vec::new(), None);
    loop {
        match take(medium, key, waiter.take()) {
            Take::Wave(taken) => {
                assert!(taken.item.sequence.load(Ordering::Relaxed) > 0);
                got.push(taken.item.id);
                continue;
            }
            Take::Ended => return got,
            Take::Empty => {}
        }
        let bell = Bell::new();
        match medium.enlist_receiver(key, Arc::clone(&bell), 1, |_, _| true) {
            Ok(id) => {
                bell.wait();
                waiter = Some(id);
            }
            Err(Unlisted::Retry(_)) => {}
            Err(Unlisted::Apart(_)) => unreachable!("all may wait together"),
        }
    }
}

/// Opens mailboxes of every policy and ends them again, until it is told to stop.
fn churn(medium: &Shared, stop: &AtomicBool) {
    let policies = [Overflow::DropOldest, Overflow::DropFaintest, Overflow::Conflate];
    let orders = [Order::Amplitude, Order::Fifo, Order::Fresh];
    for round in 0.. {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let how = spec("passer-by", orders[round % 3], policies[round / 3 % 3], 3);
        let key = open(medium, how, &["*", "a.+"]);
        let mut after = After::default();
        medium.detune(key, &pattern("*"), &mut after);
        take(medium, key, None);
        medium.resonate(key, pattern("a.>"));
        assert!(medium.statistics().mailboxes >= 1);
        medium.explain("a.x", 1.0, 0);
        match round % 3 {
            0 => medium.discard(key, &mut after),
            1 => {
                medium.close(key, &mut after);
                medium.discard(key, &mut after);
            }
            _ => {
                medium.finish(key, &mut after);
                assert!(matches!(take(medium, key, None), Take::Wave(_) | Take::Ended));
                medium.discard(key, &mut after);
            }
        }
        settle(after);
    }
}

/// Two readers of one mailbox of two places, three emitters, two that come and go.
#[test]
fn every_wave_is_read_once_and_in_order_beside_all_that_happens() {
    let medium = Shared::new(Clock::default());
    let key = open(&medium, blocking("readers", 2), &["a.*"]);
    let alone = open(&medium, blocking("alone", 1), &["a.x"]);
    let stop = AtomicBool::new(false);
    let (shared, single) = thread::scope(|scope| {
        let readers = [(); 2].map(|()| scope.spawn(|| read(&medium, key)));
        let reader = scope.spawn(|| read(&medium, alone));
        let passers = [(); 2].map(|()| scope.spawn(|| churn(&medium, &stop)));
        let emitters = [0, 1, 2].map(|emitter| {
            let medium = &medium;
            scope.spawn(move || {
                let mut hint = Hint::default();
                for number in 0..WAVES {
                    emit(medium, &wave("a.x"), &mut hint, emitter * WAVES + number).expect("open");
                }
            })
        });
        for emitter in emitters {
            emitter.join().unwrap();
        }
        stop.store(true, Ordering::Release);
        for passer in passers {
            passer.join().unwrap();
        }
        let mut after = After::default();
        medium.shut(Phase::Closed, false, &mut after);
        settle(after);
        (readers.map(|reader| reader.join().unwrap()), reader.join().unwrap())
    });
    // Waves of one emitter arrive in its order, at each reader.
    for got in [&shared[0], &shared[1], &single] {
        let mut last = BTreeMap::new();
        for id in got {
            assert!(last.insert(id / WAVES, *id).is_none_or(|before| before < *id));
        }
    }
    let mut all = shared.concat();
    all.sort_unstable();
    assert_eq!(all, (0..3 * WAVES).collect::<Vec<_>>());
    assert_eq!(single.len() as u64, 3 * WAVES);
    let said = medium.statistics();
    assert_eq!((said.emitted, said.waiting, said.waiting_send), (3 * WAVES, 0, 0));
    assert!(said.received + said.dropped.total() >= said.delivered);
}

/// The medium is cleared and closed in the midst of it: everybody comes to the end, and the sums are right.
#[test]
fn an_end_in_the_midst_reaches_everybody() {
    for round in 0..20 {
        let medium = Shared::new(Clock::default());
        let key = open(&medium, blocking("readers", 3), &["a"]);
        let (emitted, got) = thread::scope(|scope| {
            let readers = [(); 2].map(|()| scope.spawn(|| read(&medium, key)));
            let emitters = [0, 1].map(|emitter| {
                let medium = &medium;
                scope.spawn(move || {
                    let (mut hint, mut emitted) = (Hint::default(), 0);
                    let loud = if emitter == 0 { faint("a", 0.5) } else { wave("a") };
                    while emit(medium, &loud, &mut hint, 1).is_ok() {
                        emitted += 1;
                    }
                    emitted
                })
            });
            while medium.statistics().received < 20 {
                thread::yield_now();
            }
            let mut after = After::default();
            medium.clear(&mut after);
            medium.shut(Phase::Closed, round % 2 == 0, &mut after);
            settle(after);
            let emitted: u64 = emitters.into_iter().map(|emitter| emitter.join().unwrap()).sum();
            let got = readers.map(|reader| reader.join().unwrap().len() as u64);
            (emitted, got.iter().sum::<u64>())
        });
        let said = medium.statistics();
        assert_eq!((said.emitted, said.delivered, said.received), (emitted, emitted, got));
        assert_eq!((got + said.dropped.total(), said.waiting), (emitted, 0));
        assert_eq!(said.waiting_send, 0);
    }
}
