//! A validated channel or pattern.

use std::fmt;

use super::check::{examine, is_plain};
use super::fault::Fault;
use super::{Limits, relate};

/// A sound channel or pattern, owned, as it was spelled.
///
/// Tokens are joined by `.`. `*` in last place takes one *or more* tokens, and so
/// does `>`; `*` before the end takes exactly one token, and so does `+` anywhere:
///
/// ```
/// use aether_core::channel::{Limits, Pattern};
///
/// let parse = |name| Pattern::parse(name, Limits::DEFAULT);
/// let takes = |pattern, channel| parse(pattern).unwrap().matches(channel);
///
/// assert!(takes("orders.created", "orders.created"));
/// assert!(!takes("orders.created", "Orders.created"));
///
/// assert!(takes("orders.*", "orders.created"));
/// assert!(takes("orders.*", "orders.payment.completed"));
/// assert!(!takes("orders.*", "orders"));
/// assert!(takes("*", "anything.at.all"));
///
/// assert!(takes("orders.+", "orders.created"));
/// assert!(!takes("orders.+", "orders.payment.completed"));
/// assert!(takes("*.created", "orders.created"));
/// assert!(!takes("*.created", "orders.payment.created"));
///
/// // `*.*` is two or more tokens, `+.+` exactly two.
/// assert!(takes("*.*", "a.b.c") && !takes("+.+", "a.b.c"));
///
/// // Wildcards are whole tokens, and `>` is the last.
/// for wrong in ["", "a..b", "a.", "a b", "a.b*", "*a", "a.>.b", "a\n"] {
///     assert!(parse(wrong).is_err(), "{wrong:?}");
/// }
/// ```
///
/// Two spellings may mean the same; the canonical form is one for both, with `+`
/// for one token and `>` for the tail:
///
/// ```
/// # use aether_core::channel::{Limits, Pattern};
/// # let parse = |name| Pattern::parse(name, Limits::DEFAULT).unwrap();
/// assert_eq!(parse("a.*.*").canonical(), "a.+.>");
/// assert_eq!(parse("a.+.>").canonical(), "a.+.>");
/// assert_eq!(parse("a.b").canonical(), "a.b");
/// ```
///
/// `==` and the hash go by the spelling, as those of a channel in Python do; ask
/// the canonical forms where the meaning counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    /// As spelled.
    text: Box<str>,
    /// The canonical form, if it differs.
    canonical: Option<Box<str>>,
    tokens: u8,
    concrete: bool,
}

impl Pattern {
    /// Reads a concrete channel or a pattern.
    pub fn parse(text: &str, limits: Limits) -> Result<Self, Fault> {
        if is_plain(text, limits) {
            return Ok(Self {
                text: text.into(),
                canonical: None,
                tokens: text.split('.').count() as u8,
                concrete: true,
            });
        }
        let shape = examine(text, limits)?;
        Ok(Self {
            text: text.into(),
            canonical: canonical(text),
            tokens: shape.tokens as u8,
            concrete: shape.wildcard.is_none(),
        })
    }

    /// As it was spelled.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one spelling of all that mean the same: `+` for exactly one token, `>`
    /// for the tail. As long as the original.
    pub fn canonical(&self) -> &str {
        self.canonical.as_deref().unwrap_or(&self.text)
    }

    /// True if there is no wildcard.
    pub fn is_concrete(&self) -> bool {
        self.concrete
    }

    /// How many tokens, at least 1.
    pub fn depth(&self) -> usize {
        usize::from(self.tokens)
    }

    /// The tokens as they were spelled.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.text.split('.')
    }

    /// Whether this takes a concrete channel, see [`relate::matches`].
    pub fn matches(&self, channel: &str) -> bool {
        relate::matches(self, channel)
    }
}

impl AsRef<str> for Pattern {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// The canonical form of a sound name, or `None` if it is spelled so already.
/// `*` is a whole token wherever it stands, so bytes can be swapped in place.
fn canonical(text: &str) -> Option<Box<str>> {
    if !text.contains('*') {
        return None;
    }
    let last = text.len() - 1;
    let swapped = text.char_indices().map(|(at, letter)| match letter {
        '*' if at == last => '>',
        '*' => '+',
        _ => letter,
    });
    Some(swapped.collect::<String>().into_boxed_str())
}
