//! Names that are checked and patterns that are read.

use std::hint::black_box;

use aether_core::channel::{Limits, Pattern, check_channel};

use crate::job::{counted, job};

const ROUNDS: usize = 1_000;

pub fn jobs() {
    check("3_tokens", "orders.payment.completed");
    check("3_tokens_beyond_ascii", "bestellung.größe.geändert");
    check("32_tokens_of_31_bytes", &vec!["a".repeat(31); 32].join("."));
    parse("channel", "orders.payment.completed");
    parse("pattern", "orders.*.completed.*");
}

fn check(what: &str, name: &str) {
    counted(|| {
        for _ in 0..ROUNDS {
            assert!(check_channel(black_box(name), Limits::DEFAULT).is_ok());
        }
    });
    job(&format!("names/check_{what}"), ROUNDS);
}

fn parse(what: &str, name: &str) {
    counted(|| {
        for _ in 0..ROUNDS {
            black_box(Pattern::parse(black_box(name), Limits::DEFAULT)).expect("a sound name");
        }
    });
    job(&format!("names/parse_{what}"), ROUNDS);
}
