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
    pub(super) node: u32,
    pub(super) tail: bool,
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
    /// were missing, and the prefixes of its literal start.
    pub(super) fn grow(&mut self, canonical: &str) -> (Spot, Prefixes) {
        let mut spot = Spot { node: ROOT, tail: false };
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
        (spot, prefixes)
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
        // Where both a literal and `+` lead on, `+` waits: at most once a depth.
        let mut later = [(ROOT, 0_usize); MAX_TOKENS];
        let mut waiting = 0;
        let (mut at, mut depth) = (ROOT, 0);
        let mut visited = 0;
        loop {
            visited += 1;
            let node = &self.nodes[at as usize];
            let mut next = ROOT;
            if steps.end_at(depth) {
                if node.here != 0 {
                    found(node.here);
                }
            } else {
                if node.tail != 0 {
                    found(node.tail);
                }
                if node.literals > 0 {
                    let token = steps.token(depth, self);
                    next = self.child(at, token);
                }
                if node.one != ROOT {
                    steps.token(depth, self);
                    if next == ROOT {
                        next = node.one;
                    } else {
                        later[waiting] = (node.one, depth + 1);
                        waiting += 1;
                    }
                }
            }
            if next != ROOT {
                at = next;
                depth += 1;
            } else if waiting > 0 {
                waiting -= 1;
                (at, depth) = later[waiting];
            } else {
                return visited;
            }
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
        if depth == self.read
            && let Some(token) = self.advance()
        {
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
        let token = if let Some(dot) = rest.bytes().position(|byte| byte == b'.') {
            self.rest = Some(&rest[dot + 1..]);
            &rest[..dot]
        } else {
            self.rest = None;
            rest
        };
        Some(token)
    }
}
