//! The rules of names, checked.
//!
//! Nearly every name is concrete and plain ASCII: [`is_plain`] says so in one pass
//! over the bytes. Whatever it does not pass goes to [`examine`], which reads
//! token by token and names the first fault.

use super::fault::{Fault, FaultKind};
use super::{Limits, MAX_TOKENS};

/// Checks a concrete channel, as emitting needs one.
pub fn check_channel(name: &str, limits: Limits) -> Result<(), Fault> {
    if is_plain(name, limits) {
        return Ok(());
    }
    match examine(name, limits)?.wildcard {
        None => Ok(()),
        Some(token) => Err(Fault::new(FaultKind::Wildcard, token)),
    }
}

/// Checks one literal token, such as a part that came from outside: no dot, no
/// wildcard, and what holds for every token.
pub fn check_token(token: &str, limits: Limits) -> Result<(), Fault> {
    if token.is_empty() {
        return Err(Fault::new(FaultKind::Empty, 0));
    }
    if token.len() > limits.max_bytes {
        return Err(Fault::limited(FaultKind::TooLong, 0, limits.max_bytes));
    }
    if token.contains('.') {
        return Err(Fault::new(FaultKind::Dot, 0));
    }
    match read_token(token, 0)? {
        Token::Literal => Ok(()),
        Token::One | Token::Star | Token::Tail => Err(Fault::new(FaultKind::Literal, 0)),
    }
}

/// What the examination of a sound name found.
pub(super) struct Shape {
    /// The index of the first wildcard; `None` for a concrete channel.
    pub(super) wildcard: Option<usize>,
    /// How many tokens.
    pub(super) tokens: usize,
}

/// Bytes that [`is_plain`] takes in their stride; the rest needs a closer look.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        plain[byte] = !matches!(byte as u8, b'.' | b'*' | b'+' | b'>');
        byte += 1;
    }
    plain
};

/// True for a sound concrete channel in printable ASCII; false says nothing.
pub(super) fn is_plain(name: &str, limits: Limits) -> bool {
    if name.len() > limits.max_bytes {
        return false;
    }
    let mut dots = 0;
    // A dot may follow and the name may end only after a plain byte.
    let mut within = false;
    for &byte in name.as_bytes() {
        if PLAIN[usize::from(byte)] {
            within = true;
        } else if byte == b'.' && within {
            within = false;
            dots += 1;
        } else {
            return false;
        }
    }
    within && dots < limits.max_tokens.min(MAX_TOKENS)
}

/// Reads a channel or pattern token by token and names the first fault.
pub(super) fn examine(name: &str, limits: Limits) -> Result<Shape, Fault> {
    if name.is_empty() {
        return Err(Fault::new(FaultKind::Empty, 0));
    }
    if name.len() > limits.max_bytes {
        return Err(Fault::limited(FaultKind::TooLong, 0, limits.max_bytes));
    }
    let max_tokens = limits.max_tokens.min(MAX_TOKENS);
    let mut wildcard = None;
    let mut tokens = 0;
    let mut rest = name.split('.').peekable();
    while let Some(token) = rest.next() {
        if tokens == max_tokens {
            return Err(Fault::limited(FaultKind::TooManyTokens, tokens, max_tokens));
        }
        match read_token(token, tokens)? {
            Token::Literal => {}
            Token::Tail if rest.peek().is_some() => {
                return Err(Fault::new(FaultKind::TailNotLast, tokens));
            }
            Token::One | Token::Star | Token::Tail => {
                wildcard = wildcard.or(Some(tokens));
            }
        }
        tokens += 1;
    }
    Ok(Shape { wildcard, tokens })
}

/// A token by its spelling; what `*` means depends on where it stands.
enum Token {
    Literal,
    One,
    Star,
    Tail,
}

fn read_token(token: &str, index: usize) -> Result<Token, Fault> {
    match token {
        "" => return Err(Fault::new(FaultKind::EmptyToken, index)),
        "+" => return Ok(Token::One),
        "*" => return Ok(Token::Star),
        ">" => return Ok(Token::Tail),
        _ => {}
    }
    for letter in token.chars() {
        // The separators 0x1c..0x1f, white space to Python alone, are controls.
        let kind = if letter.is_control() {
            FaultKind::Control
        } else if letter.is_whitespace() {
            FaultKind::Space
        } else if matches!(letter, '*' | '+' | '>') {
            FaultKind::WildcardInside
        } else {
            continue;
        };
        return Err(Fault::new(kind, index));
    }
    Ok(Token::Literal)
}
