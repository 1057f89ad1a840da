//! Models of every interleaving of a few threads on one medium:
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test -p aether-core --lib --release`.
//!
//! Items are loom's `Arc`, which finds leaks; a lost wake-up is a deadlock, which loom reports.

mod loom_close;
mod loom_deferred;
mod loom_last;
mod loom_refill;
mod loom_room;
mod loom_routes;
mod loom_times;
mod loom_wakes;

use loom::sync::{Arc, Condvar, Mutex};

use crate::clock::{Clock, ManualClock};
use crate::decay::Fading;
use crate::mailbox::{Order, Overflow, Role, Spec, WaiterId};
use crate::medium::{
    Aftermath, Carry, Emission, Enlisted, Key, Medium, Patience, Refusal, Reserved, Sent, Take,
    Ticket, Unlisted,
};
use crate::router::Hint;

type Item = Arc<u64>;
type Shared = Arc<Medium<Item, Arc<Bell>>>;
type After = Aftermath<Item, Arc<Bell>>;

/// A waker that never rings by itself (loom's `Notify` does).
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn new() -> Self {
        Self { rung: Mutex::new(false), changed: Condvar::new() }
    }

    fn notify(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
    }
}

struct Carrier;

impl Carry<Item> for Carrier {
    fn share(&self, item: &Item) -> Item {
        Arc::clone(item)
    }

    fn number(&self, _: &Item, _: u64) {}
}

/// Wakes and drops, once the lock is gone.
fn settle(after: After) {
    after.wakes.into_iter().for_each(|bell| bell.notify());
}

fn medium() -> Shared {
    Arc::new(Medium::new(Clock::Manual(std::sync::Arc::new(ManualClock::new(0.0)))))
}

fn open(medium: &Shared, capacity: usize) -> Key {
    open_as(medium, capacity, Overflow::Block)
}

fn open_as(medium: &Shared, capacity: usize, overflow: Overflow) -> Key {
    let key = sleeping_as(medium, capacity, overflow);
    let pattern = crate::channel::Pattern::parse("a", crate::channel::Limits::DEFAULT);
    medium.resonate(key, pattern.expect("well written")).expect("open");
    key
}

/// A mailbox that resonates on nothing yet.
fn sleeping(medium: &Shared, capacity: usize) -> Key {
    sleeping_as(medium, capacity, Overflow::Block)
}

fn sleeping_as(medium: &Shared, capacity: usize, overflow: Overflow) -> Key {
    let spec = Spec {
        name: "box".into(),
        order: Order::Fifo,
        overflow,
        capacity,
        noise_floor: 0.0,
        ignored: 0,
        role: Role::Reader,
        readers: 0,
    };
    medium.open(spec, Fading::new(1.0, 1.0)).expect("open")
}

fn emission() -> Emission<'static> {
    Emission {
        channel: "a",
        amplitude: 1.0,
        priority: 1.0,
        lifetime: f64::INFINITY,
        emitter: 0,
        inside: false,
        require: 0,
        weight: 0,
    }
}

fn emit_once(medium: &Shared, ticket: Option<Ticket>, number: u64) -> Result<Sent, Refusal> {
    let mut after = After::default();
    let (item, mut hint) = (Arc::new(number), Hint::default());
    let sent = medium.emit(&emission(), &mut hint, ticket, &item, &Carrier, &mut after);
    settle(after);
    sent
}

fn enlist_sender(medium: &Shared, ticket: Ticket) -> Option<Arc<Bell>> {
    let bell = Arc::new(Bell::new());
    let who = (0, Patience::Endless);
    match medium.enlist_sender(&emission(), ticket, who, Arc::clone(&bell)) {
        Enlisted::Waiting(_) => Some(bell),
        Enlisted::Retry(_) => None,
    }
}

/// Emits, and waits for room as often as it takes.
fn emit(medium: &Shared, number: u64) -> Result<Sent, Refusal> {
    let mut ticket = None;
    loop {
        match emit_once(medium, ticket, number) {
            Err(Refusal::Full(_)) => {}
            done => return done,
        }
        let own = *ticket.get_or_insert_with(|| medium.new_ticket());
        if let Some(bell) = enlist_sender(medium, own) {
            bell.wait();
        }
    }
}

/// Admits what is delivered later, and waits for room as often as it takes.
fn reserve(medium: &Shared) -> Result<Reserved, Refusal> {
    let mut ticket = None;
    loop {
        let mut after = After::default();
        let done = medium.reserve(&emission(), &mut Hint::default(), ticket, &mut after);
        settle(after);
        match done {
            Err(Refusal::Full(_)) => {}
            done => return done,
        }
        let own = *ticket.get_or_insert_with(|| medium.new_ticket());
        if let Some(bell) = enlist_sender(medium, own) {
            bell.wait();
        }
    }
}

fn unreserve(medium: &Shared, reserved: Reserved) {
    let mut after = After::default();
    medium.unreserve(reserved, &mut after);
    settle(after);
}

fn deliver(medium: &Shared, reserved: Reserved, number: u64) -> Sent {
    let mut after = After::default();
    let item = Arc::new(number);
    let sent = medium.deliver(reserved, &emission(), number, &item, &Carrier, &mut after);
    settle(after);
    sent
}

/// Emits, and gives up as soon as it waits.
fn emit_or_leave(medium: &Shared, number: u64) -> bool {
    if emit_once(medium, None, number).is_ok() {
        return true;
    }
    let ticket = medium.new_ticket();
    if enlist_sender(medium, ticket).is_some() {
        let mut after = After::default();
        medium.abandon_sender(ticket, &mut after);
        settle(after);
    }
    false
}

fn take(medium: &Shared, key: Key, waiter: Option<WaiterId>) -> Take<Item> {
    let mut after = After::default();
    let taken = medium.take(key, waiter, &mut after);
    settle(after);
    taken
}

fn enlist(medium: &Shared, key: Key, want: usize) -> Option<(WaiterId, Arc<Bell>)> {
    let bell = Arc::new(Bell::new());
    match medium.enlist_receiver(key, Arc::clone(&bell), want, |_, _| true) {
        Ok(waiter) => Some((waiter, bell)),
        Err(Unlisted::Retry(_)) => None,
        Err(Unlisted::Apart(_)) => unreachable!("all may wait together"),
    }
}

/// Receives, and waits as often as it takes; `None` at the end.
fn receive(medium: &Shared, key: Key) -> Option<u64> {
    let mut waiter = None;
    loop {
        match take(medium, key, waiter.take()) {
            Take::Wave(taken) => return Some(*taken.item),
            Take::Ended => return None,
            Take::Empty => {}
        }
        if let Some((id, bell)) = enlist(medium, key, 1) {
            bell.wait();
            waiter = Some(id);
        }
    }
}

/// Waits for so many, and gives up at once.
fn wait_and_leave(medium: &Shared, key: Key, want: usize) {
    if let Some((waiter, _)) = enlist(medium, key, want) {
        let mut after = After::default();
        medium.abandon_receiver(key, waiter, &mut after);
        settle(after);
    }
}
