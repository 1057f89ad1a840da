//! How two patterns stand to each other, token by token.
//!
//! A pattern is the set of the concrete channels that it takes; a concrete channel
//! is the set of itself. Tokens are drawn from an unlimited supply and names may be
//! of any depth: the limits of real names are left out, so that the answers do not
//! hang on them.
//!
//! These functions are plain on purpose. The router answers the same questions for
//! a hundred thousand patterns at once and is tested against them.

use super::Pattern;

/// What one token of a pattern takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Literal(&'a str),
    One,
    Tail,
}

/// The tokens of a pattern by their meaning. A tail is the last.
fn tokens(pattern: &Pattern) -> impl Iterator<Item = Token<'_>> {
    pattern.canonical().split('.').map(|token| match token {
        "+" => Token::One,
        ">" => Token::Tail,
        _ => Token::Literal(token),
    })
}

/// Whether every channel of the second is one of the first.
pub fn covers(first: &Pattern, second: &Pattern) -> bool {
    let (mut first, mut second) = (tokens(first), tokens(second));
    loop {
        match (first.next(), second.next()) {
            (None, None) | (Some(Token::Tail), Some(_)) => return true,
            (Some(Token::One), Some(Token::One | Token::Literal(_))) => {}
            (Some(Token::Literal(one)), Some(Token::Literal(other))) if one == other => {}
            _ => return false,
        }
    }
}

/// Whether some channel belongs to both.
pub fn overlaps(first: &Pattern, second: &Pattern) -> bool {
    let (mut first, mut second) = (tokens(first), tokens(second));
    loop {
        match (first.next(), second.next()) {
            (None, None) | (Some(Token::Tail), Some(_)) | (Some(_), Some(Token::Tail)) => {
                return true;
            }
            (Some(Token::Literal(one)), Some(Token::Literal(other))) if one != other => {
                return false;
            }
            (Some(_), Some(_)) => {}
            (None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

/// Whether the pattern takes the concrete channel. What looks like a wildcard in
/// `channel` is taken for a name: check it first, or ask [`covers`].
pub fn matches(pattern: &Pattern, channel: &str) -> bool {
    if pattern.is_concrete() {
        return pattern.as_str() == channel;
    }
    let mut channel = channel.split('.');
    for token in tokens(pattern) {
        match (token, channel.next()) {
            (_, None) => return false,
            (Token::Tail, Some(_)) => return true,
            (Token::Literal(one), Some(other)) if one != other => return false,
            (Token::One | Token::Literal(_), Some(_)) => {}
        }
    }
    channel.next().is_none()
}
