//! Which members does a channel reach?
//!
//! A [`Router`] maps patterns to members, which are numbers of mailboxes. It promises:
//!
//! - [`Router::route`] gives exactly the members whose patterns take the channel, as
//!   [`crate::channel::matches`] says, of all that were inserted and not removed before.
//!   A member comes once for each of its patterns; the order is no promise.
//! - Inserting and removing cost O(tokens), whoever else is there: no list is rebuilt, no
//!   cached route is searched for, nothing is swept. What has to be tidied up is tidied
//!   up two at a time, as part of later changes.
//! - A route that was asked for lately costs one look-up, however many patterns there are;
//!   with a [`Hint`], not even that. A route that nobody takes is cached as well.
//! - Memory follows what is inserted: channels that were only emitted on leave nothing but
//!   their place in the bounded cache.
//!
//! Concrete patterns are in a hash map of their own and never in the trie; patterns with
//! wildcards are in a trie (`trie`) whose walk is bounded; both lead to numbers of
//! patterns, which know their members (`patterns`). The cache (`cache`, `stamps`)
//! keeps the numbers of patterns for each channel.
//!
//! ```text
//! "a.b" --hint--> cache entry {literal 7, wild [3, 9], stamp}
//!                    |  new channel, or the stamp does not fit
//!                    +--> literals {"a.b" -> 7}   trie {`a.+` -> 3, `>` -> 9}
//! patterns: 3 -> [m1, m4]   7 -> [m2]   9 -> [] (a tombstone)
//! ```
//!
//! A router is plain data: whoever owns it locks it. Nothing in it calls foreign code but
//! the closures that the caller passes.

mod cache;
mod domains;
mod hash;
mod patterns;
mod stamps;
mod tokens;
mod trie;

use hashbrown::HashTable;

use crate::channel::Pattern;
use cache::Cache;
pub use domains::{Domains, OTHER};
use hash::{Numbered, TextHasher};
use patterns::{Kind, NO_PATTERN, Patterns};
use stamps::Stamps;
use trie::{Steps, Trie};

/// How many routes are cached unless somebody says otherwise.
pub const CACHE_CAPACITY: usize = 16_384;

/// Tombstones that are left alone, however few patterns there are.
const TOMBSTONES: usize = 1024;

/// Tombstones that one change frees once there are too many.
const FREED_AT_ONCE: usize = 2;

/// Who is reached: the number of a mailbox.
pub type Member = u32;

/// One membership: this member in this pattern. It is good until it is given to
/// [`Router::remove`], and then no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(u32);

/// Where the route of a channel was found last. Keep one for each channel and pass it
/// along: while it is good, the channel is not even hashed. An old hint, or one from
/// another router, is harmless; one of *another channel* is an error of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    index: u32,
    /// Which filling of that place; 0 in a new hint.
    epoch: u64,
}

/// Patterns, their members, and the routes of channels.
pub struct Router {
    hasher: TextHasher,
    /// Concrete patterns by their text.
    literals: HashTable<Numbered>,
    /// Patterns with wildcards.
    trie: Trie,
    patterns: Patterns,
    stamps: Stamps,
    cache: Cache,
    /// The route that was walked last: literal, then wildcards.
    walked: Vec<u32>,
    /// Tombstones that are left alone, however few patterns there are.
    kept_tombstones: usize,
    hits: u64,
    walks: u64,
    visited: u64,
}

/// The members that a channel reaches, as they are now.
#[derive(Clone, Copy)]
pub struct Route<'a> {
    patterns: &'a Patterns,
    /// [`NO_PATTERN`] and tombstones among them, which have no members.
    numbers: &'a [u32],
}

/// What a router holds and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterStatistics {
    /// Patterns that somebody holds; two spellings of the same count once.
    pub patterns: usize,
    /// Memberships: pairs of a pattern and a member.
    pub members: usize,
    /// Routes in the cache.
    pub cached: usize,
    /// Routes that were answered from the cache.
    pub hits: u64,
    /// Routes that were not, so that the trie was walked.
    pub walks: u64,
    /// Nodes of the trie that those walks came to.
    pub visited: u64,
    /// Routes that were evicted from the cache for another.
    pub evictions: u64,
    /// Wildcard patterns that nobody holds now, kept for whoever comes back.
    pub tombstones: usize,
    /// Different tokens of wildcard patterns.
    pub tokens: usize,
    /// Nodes of the trie without its root.
    pub nodes: usize,
    /// Literal edges of the trie.
    pub edges: usize,
}

impl Router {
    /// An empty router with room for so many cached routes; 0: no cache.
    pub fn new(cache_capacity: usize) -> Self {
        Self::with_tombstones(cache_capacity, TOMBSTONES)
    }

    /// The same with another number of tombstones that are left alone.
    #[doc(hidden)]
    pub fn with_tombstones(cache_capacity: usize, kept_tombstones: usize) -> Self {
        let hasher = TextHasher::new();
        Self {
            literals: HashTable::new(),
            trie: Trie::new(hasher.clone()),
            patterns: Patterns::new(),
            stamps: Stamps::new(),
            cache: Cache::new(cache_capacity, hasher.random().max(1)),
            walked: Vec::new(),
            kept_tombstones,
            hits: 0,
            walks: 0,
            visited: 0,
            hasher,
        }
    }

    /// Adds a member to a pattern. The caller keeps pairs of (canonical pattern, member)
    /// unique: a pair that is inserted twice is reached twice.
    pub fn insert(&mut self, pattern: &Pattern, member: Member) -> Seat {
        let text = pattern.canonical();
        let number =
            if pattern.is_concrete() { self.literal_for(text) } else { self.wild_for(text) };
        let seat = self.patterns.join(number, member);
        self.tidy_up();
        seat
    }

    /// Takes a membership back.
    pub fn remove(&mut self, seat: Seat) {
        if let Some(left) = self.patterns.leave(seat) {
            match self.patterns.kind(left) {
                Kind::Literal(text) => {
                    let hash = self.hasher.hash(text);
                    let found = self
                        .literals
                        .find_entry(Numbered::spread(hash), |found| found.number == left);
                    if let Ok(found) = found {
                        found.remove();
                    }
                    self.cache.patch_literal(text, hash, NO_PATTERN);
                    self.patterns.free(left);
                }
                Kind::Wild(_) => self.patterns.entomb(left),
            }
        }
        self.tidy_up();
    }

    /// The members that a concrete, already checked channel reaches. A member comes once
    /// for each of its patterns that match. `hint` is the one of this channel.
    #[inline]
    pub fn route<'a>(&'a mut self, channel: &str, hint: &mut Hint) -> Route<'a> {
        let known = self.cache.recall(*hint);
        let index = match known {
            Some(index) if self.cache.holds(index, &self.stamps) => {
                debug_assert_eq!(self.cache.channel(index), channel, "a hint of its own");
                self.hits += 1;
                Some(index)
            }
            _ => self.search(channel, known, hint),
        };
        Route {
            patterns: &self.patterns,
            numbers: match index {
                Some(index) => self.cache.patterns(index),
                None => &self.walked,
            },
        }
    }

    /// The same by the hint alone; `None` if it is not good any more. Whoever uses it counts it as a hit.
    #[inline]
    pub fn recall(&mut self, hint: Hint) -> Option<Route<'_>> {
        let index = self.cache.recall(hint)?;
        if !self.cache.holds(index, &self.stamps) {
            return None;
        }
        Some(Route { patterns: &self.patterns, numbers: self.cache.patterns(index) })
    }

    /// The channel of a hint that [`Self::recall`] has found good.
    pub fn channel(&self, hint: Hint) -> &str {
        self.cache.channel(hint.index as usize)
    }

    /// Counts a route that was found by its hint.
    #[inline]
    pub fn count_hit(&mut self) {
        self.hits += 1;
    }

    /// Calls `each` with the members of [`Router::route`], without touching the cache or
    /// the counters: for questions that are asked seldom.
    pub fn walk(&self, channel: &str, each: &mut dyn FnMut(Member)) {
        let mut visit = |number| {
            for &member in self.patterns.members(number) {
                each(member);
            }
        };
        visit(self.literal(channel, self.hasher.hash(channel)));
        self.trie.walk(&mut Steps::new(channel), visit);
    }

    /// What the router holds and has done.
    pub fn statistics(&self) -> RouterStatistics {
        RouterStatistics {
            patterns: self.patterns.held(),
            members: self.patterns.seated(),
            cached: self.cache.len(),
            hits: self.hits,
            walks: self.walks,
            visited: self.visited,
            evictions: self.cache.evictions(),
            tombstones: self.patterns.tombstones(),
            tokens: self.trie.tokens(),
            nodes: self.trie.nodes(),
            edges: self.trie.edges(),
        }
    }

    /// Frees all tombstones at once, which otherwise happens little by little.
    #[doc(hidden)]
    pub fn free_tombstones(&mut self) {
        while let Some(oldest) = self.patterns.oldest_tombstone() {
            self.free_wild(oldest);
        }
    }

    /// The memory that the router takes, in bytes as asked for. Reads every pattern.
    #[doc(hidden)]
    pub fn heap_bytes(&self) -> usize {
        self.literals.allocation_size()
            + self.trie.heap_bytes()
            + self.patterns.heap_bytes()
            + self.stamps.heap_bytes()
            + self.cache.heap_bytes()
            + self.walked.capacity() * size_of::<u32>()
    }

    /// The route of a channel that its hint did not give: in the cache, or walked. Returns
    /// its index there; `None` if it is in `self.walked`.
    #[inline(never)]
    fn search(&mut self, channel: &str, known: Option<usize>, hint: &mut Hint) -> Option<usize> {
        if let Some(index) = known {
            // The right entry, but it no longer holds.
            return self.walk_again(channel, index);
        }
        let hash = self.hasher.hash(channel);
        if let Some(index) = self.cache.find(channel, hash) {
            *hint = self.cache.hint(index);
            if self.cache.holds(index, &self.stamps) {
                self.hits += 1;
                return Some(index);
            }
            return self.walk_again(channel, index);
        }
        let literal = self.literal(channel, hash);
        let steps = self.walk_trie(channel, literal);
        if !self.cache.admits(hash) {
            return None;
        }
        let slots = steps.prefixes(&self.trie).slots();
        let index = self.cache.keep(channel, hash, &self.walked, slots, &self.stamps)?;
        *hint = self.cache.hint(index);
        Some(index)
    }

    /// Walks the trie for an entry that no longer holds; its literal pattern does.
    fn walk_again(&mut self, channel: &str, index: usize) -> Option<usize> {
        let literal = self.cache.patterns(index)[0];
        self.walk_trie(channel, literal);
        self.cache.refresh(index, &self.walked, &self.stamps).then_some(index)
    }

    /// Leaves the patterns that take the channel in `self.walked`.
    fn walk_trie<'c>(&mut self, channel: &'c str, literal: u32) -> Steps<'c> {
        let mut steps = Steps::new(channel);
        self.walked.clear();
        self.walked.push(literal);
        self.walks += 1;
        if !self.trie.is_bare() {
            self.visited += self.trie.walk(&mut steps, |number| self.walked.push(number));
        }
        steps
    }

    /// The concrete pattern of this text, or [`NO_PATTERN`].
    #[inline]
    fn literal(&self, text: &str, hash: u32) -> u32 {
        self.literals
            .find(Numbered::spread(hash), |found| {
                found.hash == hash
                    && matches!(self.patterns.kind(found.number), Kind::Literal(known) if **known == *text)
            })
            .map_or(NO_PATTERN, |found| found.number)
    }

    /// The concrete pattern of this text, made if it is new.
    fn literal_for(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash(text);
        let found = self.literal(text, hash);
        if found != NO_PATTERN {
            return found;
        }
        let number = self.patterns.create(Kind::Literal(text.into()));
        self.literals.insert_unique(Numbered::spread(hash), Numbered { hash, number }, |other| {
            Numbered::spread(other.hash)
        });
        self.cache.patch_literal(text, hash, number);
        number
    }

    /// The pattern with wildcards of this canonical text, made if it is new.
    fn wild_for(&mut self, text: &str) -> u32 {
        let spot = self.trie.grow(text);
        let found = self.trie.pattern(spot);
        if found != NO_PATTERN {
            return found;
        }
        let number = self.patterns.create(Kind::Wild(spot));
        self.trie.plant(spot, number);
        self.stamps.bump(spot.slot);
        number
    }

    /// Frees a few tombstones if there are too many.
    fn tidy_up(&mut self) {
        for _ in 0..FREED_AT_ONCE {
            if self.patterns.tombstones() <= self.kept_tombstones.max(self.patterns.held() / 8) {
                return;
            }
            if let Some(oldest) = self.patterns.oldest_tombstone() {
                self.free_wild(oldest);
            }
        }
    }

    /// Frees a tombstone. The stamps learn of it before its number can be given again.
    fn free_wild(&mut self, number: u32) {
        if let &Kind::Wild(spot) = self.patterns.kind(number) {
            self.stamps.bump(spot.slot);
            self.trie.cut(spot);
        }
        self.patterns.free(number);
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new(CACHE_CAPACITY)
    }
}

impl<'a> Route<'a> {
    /// Whether nobody is reached.
    #[inline]
    pub fn is_empty(&self) -> bool {
        !self.numbers.iter().any(|&number| self.patterns.is_held(number))
    }

    /// How many patterns that somebody holds take the channel. With 1, no member comes
    /// twice.
    #[inline]
    pub fn patterns(&self) -> usize {
        self.numbers.iter().filter(|&&number| self.patterns.is_held(number)).count()
    }

    /// The member that is reached, if it is the only one.
    #[inline]
    pub fn single(&self) -> Option<Member> {
        let mut single = None;
        for &number in self.numbers {
            match (self.patterns.members(number), single) {
                ([], _) => {}
                (&[member], None) => single = Some(member),
                _ => return None,
            }
        }
        single
    }

    /// Calls `each` with every member.
    #[inline]
    pub fn for_each(&self, mut each: impl FnMut(Member)) {
        for &number in self.numbers {
            for &member in self.patterns.members(number) {
                each(member);
            }
        }
    }

    /// Every member.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Member> + 'a {
        let patterns = self.patterns;
        self.numbers.iter().flat_map(move |&number| patterns.members(number).iter().copied())
    }
}
