//! The trie of the wildcard patterns.
//!
//! Nodes lie side by side in one arena and know each other by number. A node has
//! fields for the two wildcards and for the patterns that end at it; the literal
//! edges of all nodes are in one flat hash table under (parent, token). Interior
//! nodes exist without a pattern. With `a.+`, `a.+.c`, `a.>`, `b.c.>`, `>` inserted:
//!
//! ```text
//! node            one   here     tail      edges (parent, token) -> child
//! 0  the root      -     -       `>`       (0, a) -> 1   (0, b) -> 4
//! 1  a             2     -       `a.>`
//! 2  a.+           -   `a.+`      -        (2, c) -> 3
//! 3  a.+.c         -   `a.+.c`    -
//! 4  b             -     -        -        (4, c) -> 5
//! 5  b.c           -     -       `b.c.>`
//! ```
//!
//! Tails stand only at the end of a pattern, so a walk comes to each node at most
//! once. A node that it comes to is told by its depth and by which of the tokens so far
//! are wildcards: with a channel of d tokens and at most W single wildcards in a pattern,
//! a walk visits no more than the sum of C(d + 1, j + 1) for j = 0..W, whatever the
//! patterns, and it takes as many patterns to get there.
//!
//! Channels are read lazily: no further than the trie goes, and nothing is looked up
//! below a node without literal edges.

use hashbrown::HashTable;

use super::hash::{TextHasher, pair};
use super::stamps::Prefixes;
use super::tokens::{NO_TOKEN, Tokens};
use crate::channel::MAX_TOKENS;

/// The number of the root. As no child is the root, it also says "no child".
const ROOT: u32 = 0;

pub(super) struct Trie {
    hasher: TextHasher,
    /// By number; the first is the root.
    nodes: Vec<Node>,
    vacant: Vec<u32>,
    /// The literal edges of all nodes.
    edges: HashTable<Edge>,
    tokens: Tokens,
}

#[derive(Clone, Copy, Default)]
struct Node {
    parent: u32,
    /// The token on the edge from the parent; [`NO_TOKEN`] for a wildcard.
    token: u32,
    /// The child for exactly one token, whichever.
    one: u32,
    /// How many literal edges leave from here.
    literals: u32,
    /// The pattern that ends here, 0 for none.
    here: u32,
    /// The pattern that takes one or more tokens from here on, 0 for none.
    tail: u32,
}

struct Edge {
    parent: u32,
    token: u32,
    child: u32,
}

/// Where a pattern ends in the trie.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    node: u32,
    /// The slot of its literal start, for the stamps.
    pub(super) slot: u16,
    tail: bool,
}

impl Trie {
    pub(super) fn new(hasher: TextHasher) -> Self {
        Self {
            hasher,
            nodes: vec![Node::default()],
            vacant: Vec::new(),
            edges: HashTable::new(),
            tokens: Tokens::new(),
        }
    }

    /// The spot of a canonical pattern, with the nodes towards it made where they
    /// were missing.
    pub(super) fn grow(&mut self, canonical: &str) -> Spot {
        let mut spot = Spot { node: ROOT, slot: 0, tail: false };
        let mut prefixes = Prefixes::default();
        let mut literal = true;
        for token in canonical.split('.') {
            literal &= !matches!(token, "+" | ">");
            match token {
                ">" => spot.tail = true,
                "+" => {
                    let child = self.nodes[spot.node as usize].one;
                    spot.node = if child == ROOT {
                        let child = self.node(spot.node, NO_TOKEN);
                        self.nodes[spot.node as usize].one = child;
                        child
                    } else {
                        child
                    };
                }
                _ => {
                    let hash = self.hasher.hash(token);
                    if literal {
                        prefixes.push(hash);
                    }
                    spot.node = self.literal_child(spot.node, token, hash);
                }
            }
        }
        spot.slot = prefixes.last();
        spot
    }

    /// The pattern at a spot, 0 for none.
    pub(super) fn pattern(&self, spot: Spot) -> u32 {
        let node = &self.nodes[spot.node as usize];
        if spot.tail { node.tail } else { node.here }
    }

    /// Puts a pattern at a spot.
    pub(super) fn plant(&mut self, spot: Spot, pattern: u32) {
        let node = &mut self.nodes[spot.node as usize];
        *(if spot.tail { &mut node.tail } else { &mut node.here }) = pattern;
    }

    /// Takes the pattern at a spot away, and the nodes that led to it alone.
    pub(super) fn cut(&mut self, spot: Spot) {
        self.plant(spot, 0);
        let mut number = spot.node;
        while number != ROOT {
            let node = self.nodes[number as usize];
            if (node.one, node.literals, node.here, node.tail) != (ROOT, 0, 0, 0) {
                break;
            }
            let parent = &mut self.nodes[node.parent as usize];
            if node.token == NO_TOKEN {
                parent.one = ROOT;
            } else {
                parent.literals -= 1;
                let edge = self
                    .edges
                    .find_entry(pair(node.parent, node.token), |edge| edge.child == number);
                if let Ok(edge) = edge {
                    edge.remove();
                }
                self.tokens.release(node.token);
            }
            self.vacant.push(number);
            number = node.parent;
        }
    }

    /// Calls `found` with each pattern that takes the channel, and returns how many
    /// nodes it has visited.
    #[inline]
    pub(super) fn walk(&self, steps: &mut Steps<'_>, mut found: impl FnMut(u32)) -> u64 {
        self.walk_from(ROOT, 0, steps, &mut found)
    }

    /// The part of a walk below a node, which is as deep as the trie at most.
    fn walk_from(
        &self,
        mut at: u32,
        mut depth: usize,
        steps: &mut Steps<'_>,
        found: &mut impl FnMut(u32),
    ) -> u64 {
        let mut visited = 0;
        loop {
            visited += 1;
            let node = &self.nodes[at as usize];
            if steps.end_at(depth) {
                if node.here != 0 {
                    found(node.here);
                }
                return visited;
            }
            if node.tail != 0 {
                found(node.tail);
            }
            if (node.literals, node.one) == (0, ROOT) {
                return visited;
            }
            let token = steps.token(depth, self);
            let literal = if node.literals == 0 { ROOT } else { self.child(at, token) };
            depth += 1;
            at = match (literal, node.one) {
                (ROOT, ROOT) => return visited,
                (ROOT, one) => one,
                (literal, ROOT) => literal,
                (literal, one) => {
                    visited += self.walk_from(one, depth, steps, found);
                    literal
                }
            };
        }
    }

    /// True if there is no pattern at all, so that walking finds none.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        let root = &self.nodes[ROOT as usize];
        (root.one, root.literals, root.tail) == (ROOT, 0, 0)
    }

    /// How many nodes there are without the root.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len() - 1 - self.vacant.len()
    }

    /// How many literal edges there are.
    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }

    /// How many tokens are held.
    pub(super) fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// The memory that this takes, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.vacant.capacity() * size_of::<u32>()
            + self.edges.allocation_size()
            + self.tokens.heap_bytes()
    }

    #[inline]
    fn child(&self, parent: u32, token: u32) -> u32 {
        if token == NO_TOKEN {
            return ROOT;
        }
        self.edges
            .find(pair(parent, token), |edge| edge.parent == parent && edge.token == token)
            .map_or(ROOT, |edge| edge.child)
    }

    fn literal_child(&mut self, parent: u32, text: &str, hash: u32) -> u32 {
        let found = self.child(parent, self.tokens.find(text, hash));
        if found != ROOT {
            return found;
        }
        let token = self.tokens.take(text, hash);
        let child = self.node(parent, token);
        self.nodes[parent as usize].literals += 1;
        let edge = Edge { parent, token, child };
        self.edges.insert_unique(pair(parent, token), edge, |edge| pair(edge.parent, edge.token));
        child
    }

    /// A new node; the parent does not know of it yet.
    fn node(&mut self, parent: u32, token: u32) -> u32 {
        let node = Node { parent, token, ..Node::default() };
        if let Some(number) = self.vacant.pop() {
            self.nodes[number as usize] = node;
            number
        } else {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        }
    }
}

/// A channel on its way through the trie: its tokens, read as far as needed.
pub(super) struct Steps<'c> {
    /// What is not read yet; `None` at the end.
    rest: Option<&'c str>,
    /// How many tokens are read.
    read: usize,
    /// Their numbers. No path of the trie is deeper than this.
    numbers: [u32; MAX_TOKENS],
    prefixes: Prefixes,
}

impl<'c> Steps<'c> {
    pub(super) fn new(channel: &'c str) -> Self {
        Self {
            rest: Some(channel),
            read: 0,
            numbers: [NO_TOKEN; MAX_TOKENS],
            prefixes: Prefixes::default(),
        }
    }

    /// The prefixes of the channel, read further for them if the walk ended early.
    pub(super) fn prefixes(mut self, trie: &Trie) -> Prefixes {
        while !self.prefixes.is_full() {
            let Some(token) = self.advance() else { break };
            self.prefixes.push(trie.hasher.hash(token));
        }
        self.prefixes
    }

    /// Whether the channel has no token at this depth. The tokens before it are read.
    #[inline]
    fn end_at(&self, depth: usize) -> bool {
        depth == self.read && self.rest.is_none()
    }

    /// The number of the token at a depth, to which the walk comes for the first time
    /// with all before it read.
    #[inline]
    fn token(&mut self, depth: usize, trie: &Trie) -> u32 {
        if depth == self.read {
            let Some(token) = self.advance() else {
                return NO_TOKEN;
            };
            let hash = trie.hasher.hash(token);
            self.prefixes.push(hash);
            self.numbers[depth] = trie.tokens.find(token, hash);
        }
        self.numbers[depth]
    }

    #[inline]
    fn advance(&mut self) -> Option<&'c str> {
        let rest = self.rest?;
        self.read += 1;
        let token = if let Some(dot) = find_dot(rest.as_bytes()) {
            self.rest = Some(&rest[dot + 1..]);
            &rest[..dot]
        } else {
            self.rest = None;
            rest
        };
        Some(token)
    }
}

/// Where the first dot is, eight bytes at a time: tokens are short.
#[inline]
fn find_dot(text: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut rest = text;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        // A byte is 0 now where it was a dot. The lowest bit that is left is exact, for
        // borrows only go upwards.
        let word = u64::from_le_bytes(*word) ^ (EACH * u64::from(b'.'));
        let dots = word.wrapping_sub(EACH) & !word & (EACH << 7);
        if dots != 0 {
            return Some(text.len() - rest.len() + dots.trailing_zeros() as usize / 8);
        }
        rest = after;
    }
    let found = rest.iter().position(|&byte| byte == b'.')?;
    Some(text.len() - rest.len() + found)
}

#[cfg(test)]
mod tests {
    use super::find_dot;

    #[test]
    fn the_first_dot_is_found_at_every_place() {
        for length in 0..40 {
            for first in 0..=length {
                for other in first..=length {
                    let mut text = vec![b'/'; length];
                    for dot in [first, other] {
                        if let Some(byte) = text.get_mut(dot) {
                            *byte = b'.';
                        }
                    }
                    assert_eq!(find_dot(&text), (first < length).then_some(first));
                }
            }
        }
    }
}
