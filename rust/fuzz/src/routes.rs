//! Patterns over a small alphabet: how they relate, and what the router answers from its cache, from the trie and
//! after churn.

use aether_core::channel::{Pattern, covers, matches, overlaps};
use aether_core::router::{CACHE_CAPACITY, Member, Router};
use arbitrary::{Result, Unstructured};

use self::plain_routes::{Pair, assert_pruned, pattern};

#[path = "../../core/tests/plain_routes/mod.rs"]
mod plain_routes;

const NAMES: [&str; 4] = ["a", "b", "c", "\u{e9}"];
const WILD: [&str; 2] = ["+", "*"];
/// No name has more; most have a few.
const DEPTHS: [usize; 8] = [1, 1, 2, 2, 3, 4, 6, 34];
const MEMBERS: Member = 6;
/// Steps of one program.
const STEPS: usize = 120;

/// Runs a program of insertions, removals and questions.
pub fn run(data: &[u8]) {
    // A program that ends in the midst of a step ends before it.
    let _ = program(&mut Unstructured::new(data));
}

fn program(bytes: &mut Unstructured<'_>) -> Result<()> {
    let capacity = *bytes.choose(&[0, 1, 4, CACHE_CAPACITY])?;
    let tombstones = *bytes.choose(&[0, 3, 1024])?;
    let mut pair = Pair::new(Router::with_tombstones(capacity, tombstones));
    for _ in 0..STEPS {
        if bytes.is_empty() {
            break;
        }
        match bytes.int_in_range(0..=7)? {
            0..=2 => {
                let new = pattern(&name(bytes, true)?);
                pair.insert(&new, bytes.int_in_range(0..=MEMBERS)?);
                let known = pair.list.get(bytes.choose_index(pair.list.len())?);
                if let Some((known, ..)) = known {
                    relate(&new, known);
                }
            }
            3 => {
                let which = bytes.choose_index(pair.list.len().max(1))?;
                pair.remove(|_| which);
            }
            4 => pair.router.free_tombstones(),
            _ => {
                let channel = name(bytes, false)?;
                pair.check(&channel, bytes.arbitrary()?);
            }
        }
        pair.check_counts();
        assert!(pair.router.statistics().cached <= capacity);
    }
    pair.remove_everything();
    assert_pruned(&pair.router);
    pair.check("a.b", true);
    Ok(())
}

fn name(bytes: &mut Unstructured<'_>, wild: bool) -> Result<String> {
    let depth = *bytes.choose(&DEPTHS)?;
    let mut tokens = Vec::with_capacity(depth);
    for _ in 0..depth {
        let wild = wild && bytes.ratio(1, 3)?;
        tokens.push(*bytes.choose(if wild { &WILD[..] } else { &NAMES[..] })?);
    }
    if wild && bytes.ratio(1, 8)? {
        tokens[depth - 1] = ">";
    }
    Ok(tokens.join("."))
}

/// A pattern written out to so many tokens, `None` for any; or nothing, if it takes no channel of that depth.
fn written_out(pattern: &Pattern, depth: usize) -> Option<Vec<Option<&str>>> {
    let mut tokens: Vec<&str> = pattern.tokens().collect();
    if matches!(tokens.last(), Some(&"*" | &">")) && tokens.len() < depth {
        tokens.resize(depth, "+");
    }
    let named = |token| (!matches!(token, "*" | "+" | ">")).then_some(token);
    (tokens.len() == depth).then(|| tokens.into_iter().map(named).collect())
}

/// All relations of two patterns, told by their channels of each depth: beyond one more than both have, nothing
/// new comes.
fn relate(first: &Pattern, second: &Pattern) {
    let (mut covered, mut meet, mut same) = (true, false, true);
    for depth in 1..=first.depth().max(second.depth()) + 1 {
        let (one, other) = (written_out(first, depth), written_out(second, depth));
        same &= one == other;
        let (Some(one), Some(other)) = (one, other.clone()) else {
            covered &= other.is_none();
            continue;
        };
        covered &= one.iter().zip(&other).all(|(one, other)| one.is_none() || one == other);
        let apart = |pair| matches!(pair, (Some(one), Some(other)) if one != other);
        meet |= !one.into_iter().zip(other).any(apart);
    }
    assert_eq!(covers(first, second), covered, "{first} covers {second}");
    assert_eq!(overlaps(first, second), meet, "{first} overlaps {second}");
    assert_eq!(overlaps(second, first), meet, "{second} overlaps {first}");
    assert_eq!(first.canonical() == second.canonical(), same, "{first} is {second}");
    // A pattern's own spelling, with other names for its wildcards, is one of its channels.
    for (pattern, of) in [(first, second), (second, first)] {
        let channel = of.as_str().replace(['*', '+', '>'], "z");
        let taken = written_out(pattern, of.depth()).is_some_and(|tokens| {
            tokens
                .iter()
                .zip(channel.split('.'))
                .all(|(token, name)| token.is_none_or(|t| t == name))
        });
        assert_eq!(matches(pattern, &channel), taken, "{pattern} matches {channel}");
    }
}
