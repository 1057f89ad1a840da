//! covers, overlaps and matches against the plain meaning of patterns: all of them over a
//! small alphabet, and laws for deeper ones.

use aether_core::channel::{Limits, Pattern, covers, matches, overlaps};
use proptest::prelude::*;

fn pattern(name: &str) -> Pattern {
    Pattern::parse(name, Limits::DEFAULT).expect(name)
}

/// Whether the spelled tokens of a pattern take those of a channel, by the letter of the
/// rules.
fn takes(pattern: &[&str], channel: &[&str]) -> bool {
    match (pattern, channel) {
        ([], []) | (["*" | ">"], [_, ..]) => true,
        (["+" | "*", pattern @ ..], [_, channel @ ..]) => takes(pattern, channel),
        ([one, pattern @ ..], [other, channel @ ..]) => one == other && takes(pattern, channel),
        _ => false,
    }
}

/// All names of at most `depth` tokens; the last token may also be one of `last`.
fn names(depth: usize, tokens: &[&str], last: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut starts = vec![String::new()];
    for _ in 0..depth {
        let longer = |ends: &[&str]| -> Vec<String> {
            let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
            starts
                .iter()
                .flat_map(|start| ends.iter().map(move |end| format!("{start}{end}")))
                .collect()
        };
        all.extend(longer(last));
        let next = longer(tokens);
        all.extend(next.iter().cloned());
        starts = next.iter().map(|name| format!("{name}.")).collect();
    }
    all
}

/// Patterns have at most 4 tokens from a, b and wildcards. Where two of them differ, they
/// do so on a channel of at most 5 tokens (one more than a tail needs) from a, b and one
/// letter that neither names: these channels stand for all.
#[test]
fn all_pairs_over_a_small_alphabet() {
    let channels = names(5, &["a", "b", "z"], &[]);
    let patterns = names(4, &["a", "b", "+", "*"], &[">"]);
    assert_eq!((channels.len(), patterns.len()), (363, 425));
    let patterns: Vec<(Pattern, Vec<bool>)> = patterns
        .iter()
        .map(|name| {
            let tokens: Vec<&str> = name.split('.').collect();
            let taken = channels
                .iter()
                .map(|channel| takes(&tokens, &channel.split('.').collect::<Vec<_>>()));
            (pattern(name), taken.collect())
        })
        .collect();
    for (first, in_first) in &patterns {
        for (channel, &taken) in channels.iter().zip(in_first) {
            assert_eq!(matches(first, channel), taken, "{first} matches {channel}");
        }
        for (second, in_second) in &patterns {
            let mut both = in_first.iter().zip(in_second);
            let inclusion = both.clone().all(|(&first, &second)| first || !second);
            assert_eq!(covers(first, second), inclusion, "{first} covers {second}");
            let common = both.any(|(&first, &second)| first && second);
            assert_eq!(overlaps(first, second), common, "{first} overlaps {second}");
            let same = in_first == in_second;
            assert_eq!(first.canonical() == second.canonical(), same, "{first} is {second}");
        }
    }
}

#[test]
fn the_examples_of_the_contract() {
    assert!(matches(&pattern("orders.*"), "orders.created"));
    assert!(covers(&pattern("orders.*"), &pattern("orders.+.done")));
    assert!(overlaps(&pattern("orders.+"), &pattern("*.created")));
    assert!(covers(&pattern("a.b"), &pattern("a.b")));
    assert!(!covers(&pattern("a.b"), &pattern("a.+")));
}

#[test]
fn a_tail_that_the_limit_of_tokens_leaves_no_room_for_is_still_longer() {
    let full = |last: &str| pattern(&format!("{}{last}", "a.".repeat(31)));
    assert!(!covers(&full("+"), &full("*")));
    assert!(covers(&full("*"), &full("+")));
}

fn names_of(
    tokens: &'static [&'static str],
    last: &'static [&'static str],
) -> impl Strategy<Value = String> {
    (
        proptest::collection::vec(proptest::sample::select(tokens), 0..8),
        proptest::sample::select(last),
    )
        .prop_map(|(mut tokens, last)| {
            tokens.push(last);
            tokens.join(".")
        })
}

proptest! {
    #[test]
    fn laws(
        first in names_of(&["a", "b", "+", "*"], &["a", "b", "+", "*", ">"]),
        second in names_of(&["a", "b", "+", "*"], &["a", "b", "+", "*", ">"]),
        channel in names_of(&["a", "b"], &["a", "b"]),
    ) {
        let (first, second) = (pattern(&first), pattern(&second));
        prop_assert!(covers(&first, &first) && overlaps(&first, &first));
        prop_assert_eq!(overlaps(&first, &second), overlaps(&second, &first));
        prop_assert_eq!(
            covers(&first, &second) && covers(&second, &first),
            first.canonical() == second.canonical()
        );
        if covers(&first, &second) {
            prop_assert!(overlaps(&first, &second));
            prop_assert!(!matches(&second, &channel) || matches(&first, &channel));
        }
        if matches(&first, &channel) && matches(&second, &channel) {
            prop_assert!(overlaps(&first, &second));
        }
        prop_assert_eq!(matches(&first, &channel), covers(&first, &pattern(&channel)));
    }
}
