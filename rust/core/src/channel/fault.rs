//! Why a name was refused.

use std::fmt::{self, Write as _};

/// The rule that a name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// There is no name at all.
    Empty,
    /// Nothing before, after or between two dots.
    EmptyToken,
    /// More bytes of UTF-8 than the limits allow.
    TooLong,
    /// More tokens than the limits allow; the fault is at the first one too many.
    TooManyTokens,
    /// White space in a token.
    Space,
    /// A control character (C0, DEL, C1) in a token.
    Control,
    /// `*`, `+` or `>` as a part of a longer token.
    WildcardInside,
    /// `>` before the end.
    TailNotLast,
    /// A pattern where a concrete channel is needed.
    Wildcard,
    /// A dot where one token is needed.
    Dot,
    /// A wildcard where a literal token is needed.
    Literal,
}

/// Why a name was refused, and at which token. The name itself is not kept:
/// whoever reports the fault has it at hand, see [`Fault::message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule that is broken.
    pub kind: FaultKind,
    /// Where: the index of the token, from 0.
    pub token: usize,
    /// The limit that was passed, for the kinds that have one.
    limit: usize,
}

impl Fault {
    pub(super) const fn new(kind: FaultKind, token: usize) -> Self {
        Self { kind, token, limit: 0 }
    }

    pub(super) const fn limited(kind: FaultKind, token: usize, limit: usize) -> Self {
        Self { kind, token, limit }
    }

    /// The whole story in one line: the name, the token, the rule and the remedy.
    /// `name` is the name that was refused.
    ///
    /// ```
    /// use aether_core::channel::{check_channel, Limits};
    ///
    /// let fault = check_channel("orders..created", Limits::DEFAULT).unwrap_err();
    /// assert_eq!(
    ///     fault.message("orders..created"),
    ///     "channel 'orders..created': token 2 is empty; write a name between every two dots",
    /// );
    /// ```
    pub fn message(&self, name: &str) -> String {
        let text = match self.kind {
            FaultKind::Dot | FaultKind::Literal => name,
            _ => name.split('.').nth(self.token).unwrap_or_default(),
        };
        let limit = self.limit;
        let rule = match self.kind {
            FaultKind::Empty => {
                return format!(
                    "channel {}: the name is empty; write one or more tokens joined by dots, \
                     such as 'orders.created'",
                    Quoted(name)
                );
            }
            FaultKind::TooLong => {
                return format!(
                    "channel {}: the name has {} bytes of UTF-8, at most {limit} are allowed; \
                     shorten it",
                    Quoted(name),
                    name.len()
                );
            }
            FaultKind::EmptyToken => {
                let remedy = if self.token == 0 {
                    "take the dot at the start away"
                } else if name.split('.').nth(self.token + 1).is_none() {
                    "take the dot at the end away"
                } else {
                    "write a name between every two dots"
                };
                return format!(
                    "channel {}: token {} is empty; {remedy}",
                    Quoted(name),
                    self.token + 1
                );
            }
            FaultKind::TooManyTokens => format!(
                "is one too many; a name has at most {limit} tokens, join some of them into one"
            ),
            FaultKind::Space => {
                "has white space in it; names take none, write '-' or '_'".to_owned()
            }
            FaultKind::Control => {
                "has a control character in it; names take none, take it out".to_owned()
            }
            FaultKind::WildcardInside => "has a wildcard in it; '*', '+' and '>' are \
                 wildcards and stand alone between dots"
                .to_owned(),
            FaultKind::TailNotLast => "is not the last token; '>' ends a pattern and takes all \
                 that follows, write '+' for exactly one token"
                .to_owned(),
            FaultKind::Wildcard => "is a wildcard; emitting needs a concrete channel, write a \
                 name in its place"
                .to_owned(),
            FaultKind::Dot => {
                "has a dot in it; one token is needed here, pass the tokens one by one".to_owned()
            }
            FaultKind::Literal => {
                "is a wildcard; a literal token is needed here, write a name".to_owned()
            }
        };
        format!("channel {}: token {} {} {rule}", Quoted(name), self.token + 1, Quoted(text))
    }
}

/// A name in quotes, on one line: what cannot be seen is escaped, and what is
/// long is cut.
struct Quoted<'a>(&'a str);

impl Quoted<'_> {
    /// How many characters are shown.
    const SHOWN: usize = 96;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('\'')?;
        let mut letters = self.0.chars();
        for letter in letters.by_ref().take(Self::SHOWN) {
            match letter {
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                ' ' | '\'' => out.write_char(letter)?,
                _ if letter.is_control() || letter.is_whitespace() => {
                    let code = u32::from(letter);
                    if code < 0x100 {
                        write!(out, "\\x{code:02x}")?;
                    } else {
                        write!(out, "\\u{code:04x}")?;
                    }
                }
                _ => out.write_char(letter)?,
            }
        }
        if letters.next().is_some() {
            out.write_str("...")?;
        }
        out.write_char('\'')
    }
}
