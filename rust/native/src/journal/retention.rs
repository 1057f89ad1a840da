//! The retention of a journal that is open: a thread that applies its rules again and again.
//!
//! Contract:
//! - It looks when it begins, after each interval, and when a segment became complete; but after a look it rests for
//!   ten times as long as that took, or a second, or the interval if that is less.
//! - What fails harms nobody: it is logged once an episode, told by [`Pruning::trouble`], and tried again.
//! - So does what panics: that is logged, it stays the trouble until a look has gone well, and the thread begins anew
//!   with a pause of a second, then two, up to a minute.
//! - It ends with the journal: [`Pruning::end`] has it stop at the next block, and [`Pruning::until_free`] waits for
//!   that. So a journal that is closed has nobody left who changes its files. In the child of a fork there is none.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::thread::Builder;
use std::time::{Duration, Instant};

use aether_journal::keeping::Failure;
use aether_journal::keeping::retain::{Holdings, Rule};
use parking_lot::Mutex;
use pyo3::prelude::*;

use super::prune::Way;
use super::turn::{Denied, Owner, Turns};
use super::writer::Writer;
use crate::fork::{self, Inside};
use crate::log;
use crate::panics;
use crate::waker::{Gate, thread_ident};

/// The least rest after a look.
const REST: Duration = Duration::from_secs(1);

/// How many times as long as a look takes it rests after it.
const SHARE: u32 = 10;

/// A segment is written anew when at least this part of it would go, so that each byte is written a few times at
/// most.
const LEAST_GAIN: f64 = 0.25;

/// What a journal does by the way to be smaller.
#[derive(Default)]
pub struct Pruning {
    turns: Turns,
    /// Where the thread waits.
    gate: Arc<Gate>,
    /// Why the last look has failed.
    trouble: Mutex<Option<String>>,
}

impl Pruning {
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Why the retention does not do what it is to, if so.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// Nobody prunes any more. False: who asks does just now, below this call.
    pub fn end(&self) -> bool {
        let ends = self.turns.end(Owner::Call(thread_ident()));
        self.gate.open();
        ends
    }

    /// Waits, unattached, until nobody does.
    pub fn until_free(&self) {
        self.turns.until_free();
    }

    /// The journal is gone: the thread looks for it.
    pub fn call(&self) {
        self.gate.open();
    }
}

/// The rules of a journal, and how often they are applied.
pub struct Retention {
    pub rules: Vec<Rule>,
    pub past_cursors: bool,
    pub interval: Duration,
}

impl Retention {
    /// Begins the thread.
    pub fn begin(self, writer: &Arc<Writer>) -> PyResult<()> {
        let gate = Arc::clone(&writer.pruning.gate);
        writer.journal.on_complete(move || gate.open());
        let (pruning, writer) = (Arc::clone(&writer.pruning), Arc::downgrade(writer));
        let keeping = Keeping { retention: self, pruning, writer, holdings: Holdings::new() };
        Builder::new().name("aether-retention".to_owned()).spawn(move || keeping.run_on())?;
        Ok(())
    }
}

/// What the thread holds.
struct Keeping {
    retention: Retention,
    pruning: Arc<Pruning>,
    writer: Weak<Writer>,
    holdings: Holdings,
}

impl Keeping {
    fn run_on(self) {
        let keeping = RefCell::new(self);
        let rest = |why: &str, pause| keeping.borrow_mut().rest(why, pause);
        panics::begin_anew(|| keeping.borrow_mut().run(), rest);
    }

    /// Clears up after a panic, and waits so long. False: it ends meanwhile.
    fn rest(&mut self, why: &str, pause: Duration) -> bool {
        *self.pruning.trouble.lock() = Some(format!("it has panicked, and is tried again: {why}"));
        // What was known of the files may be half of it.
        self.holdings = Holdings::new();
        let begun = Instant::now();
        while !self.has_ended() {
            let Some(left) = pause.checked_sub(begun.elapsed()) else { return true };
            self.pruning.gate.wait_for(left);
        }
        false
    }

    fn has_ended(&self) -> bool {
        self.pruning.turns.has_ended() || self.writer.strong_count() == 0
    }

    fn run(&mut self) {
        loop {
            let begun = Instant::now();
            if !self.look() {
                return;
            }
            let rest = (begun.elapsed() * SHARE).max(REST).min(self.retention.interval);
            if !self.wait(rest) {
                return;
            }
        }
    }

    /// Applies the rules once. False: it ends.
    fn look(&mut self) -> bool {
        let Some(writer) = self.writer.upgrade() else { return false };
        let pruning = Arc::clone(&self.pruning);
        let turns = &pruning.turns;
        let turn = loop {
            match turns.take(Owner::Retention) {
                Ok(turn) => break turn,
                Err(Denied::Taken(_)) => turns.wait_for(REST),
                Err(Denied::Ended) => return false,
            }
        };
        let Retention { rules, past_cursors, .. } = &self.retention;
        let (past_cursors, least_gain) = (*past_cursors, LEAST_GAIN);
        let way = Way { rules, past_cursors, least_gain, dry_run: false };
        let done = writer.prune(&way, &mut self.holdings, &mut |_| {
            if turns.has_ended() {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        });
        drop(turn);
        match done {
            Ok(_) => *pruning.trouble.lock() = None,
            Err(Failure::Stopped) => return false,
            Err(failure) => return self.tell(&writer, &failure),
        }
        true
    }

    /// It has failed. False: the interpreter ends.
    fn tell(&self, writer: &Writer, failure: &Failure) -> bool {
        let why = failure.to_string();
        let known = self.pruning.trouble.lock().replace(why.clone()).is_some();
        let told = Python::try_attach(|py| {
            fork::goes_on().is_ok_and(|()| {
                // A program that ends waits for it.
                let _inside = Inside::enter(py);
                if !known {
                    log::retention_failed(py, &writer.path().to_string_lossy(), &why);
                }
                true
            })
        });
        told.unwrap_or(false)
    }

    /// Waits for the next look, which comes after the rest at the earliest. False: it ends.
    fn wait(&self, rest: Duration) -> bool {
        let (begun, mut called) = (Instant::now(), false);
        loop {
            if self.has_ended() {
                return false;
            }
            let until = if called { rest } else { self.retention.interval };
            let Some(left) = until.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
            else {
                return true;
            };
            called |= self.pruning.gate.wait_for(left);
        }
    }
}
