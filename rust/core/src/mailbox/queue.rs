//! The waves that wait in one mailbox, in the order in which they leave it.
//!
//! ```text
//! Line    [w1, w2, w3, w4, w5]          one priority, nothing to look up: a plain deque, 8 bytes a wave
//! Heap    (!0.9, 4) w4                  mixed priorities, and only the first is ever asked for: a heap by
//!         (!0.5, 1) w1   (!0.1, 2) w2   (key, arrival), 24 bytes a wave (see `heap`)
//!         (!0.5, 3) w3   (!0.1, 5) w5
//! Ranked  (!0.9, 4) -> w4               a ttl, or a policy that removes from the middle: sorted by
//!         (!0.5, 1) -> w1               (key, arrival), with an index for each further question
//!         (!0.5, 3) -> w3
//!         (!0.1, 2) -> w2
//!         (!0.1, 5) -> w5
//! ```
//! A queue starts as a `Line` and becomes a `Heap` or `Ranked` with the first wave that needs it; empty
//! again, it goes back. So a program that never sets an amplitude pays for a FIFO only. Turning a queue of
//! n waves costs O(n log n) once for the n pushes before it. A `Heap` and `Ranked` answer everything that
//! they are asked in O(log n).

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::heap::Heap;
pub(crate) use super::ranked::Rank;
use super::ranked::{Entry, Ranked};
use super::{Order, Overflow};
use crate::decay::{ordered, unordered};

/// What a queue needs to know of a wave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark<'a> {
    /// The key of its rank, from [`Queue::key`].
    pub(crate) key: u64,
    /// 0..1.
    pub(crate) amplitude: f64,
    /// The monotonic second after which it is expired; infinite without a ttl.
    pub(crate) expires: f64,
    /// Its channel.
    pub(crate) channel: &'a str,
}

/// So many places among `len`, in order: one in each of as many parts, and not at the same spot of each, so that of waves
/// that come in turns no turn is favoured.
fn spread(count: usize, len: usize) -> impl Iterator<Item = usize> {
    // 2^32 over the golden ratio.
    let spot = |part: usize| u64::from((part as u32).wrapping_mul(0x9e37_79b9));
    (0..count).map(move |part| {
        let (begin, end) = (part * len / count, (part + 1) * len / count);
        begin + ((spot(part) * (end - begin) as u64) >> 32) as usize
    })
}

/// The key of a wave where amplitudes count: loudest first.
#[inline]
pub(crate) fn amplitude_key(priority: f64) -> u64 {
    !priority.to_bits()
}

/// The waiting waves of one mailbox.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue<T> {
    form: Form<T>,
    /// The number of the next arrival.
    arrivals: u64,
    order: Order,
    overflow: Overflow,
    /// To take a wave needs more than a look here: waves fade, others stand ahead, or they are counted.
    careful: bool,
}

#[derive(Debug)]
enum Form<T> {
    Line { items: VecDeque<T>, key: u64 },
    Heap(Heap<T>),
    Ranked(Box<Ranked<T>>),
}

impl<T> Queue<T> {
    pub(crate) fn new(order: Order, overflow: Overflow) -> Self {
        let (form, careful) = (Form::empty(order, overflow), order == Order::Fresh);
        Self { form, arrivals: 0, order, overflow, careful }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.form {
            Form::Line { items, .. } => items.len(),
            Form::Heap(heap) => heap.len(),
            Form::Ranked(ranked) => ranked.entries.len(),
        }
    }

    /// The number that the next arrival gets.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// The rank's key of a wave that enters now: loudest first where the order asks for it.
    #[inline]
    pub(crate) fn key(&self, priority: f64, loudness: impl FnOnce() -> f64) -> u64 {
        match self.order {
            Order::Fifo => 0,
            Order::Amplitude => amplitude_key(priority),
            Order::Fresh => !ordered(loudness()),
        }
    }

    /// Adds a wave without a ttl, if it only joins a line or a heap of less than `capacity`; false: nothing
    /// has happened. `amplitude_key` is its key where amplitudes count.
    #[inline]
    pub(crate) fn append(
        &mut self,
        amplitude_key: u64,
        capacity: usize,
        item: impl FnOnce() -> T,
    ) -> bool {
        match &mut self.form {
            Form::Line { items, key } => {
                let newcomer = if self.order == Order::Fifo { 0 } else { amplitude_key };
                if items.is_empty() {
                    *key = newcomer;
                }
                if *key != newcomer || items.len() >= capacity {
                    return false;
                }
                items.push_back(item());
            }
            // Only the order by amplitude has heaps.
            Form::Heap(heap) if heap.len() < capacity => {
                let rank = Rank { key: amplitude_key, arrival: self.arrivals };
                heap.push(rank, item());
            }
            _ => return false,
        }
        self.arrivals += 1;
        true
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T, mark: &Mark<'_>) {
        let immortal = mark.expires == f64::INFINITY;
        match &mut self.form {
            Form::Line { items, key } if immortal && (items.is_empty() || *key == mark.key) => {
                *key = mark.key;
                items.push_back(item);
                self.arrivals += 1;
            }
            Form::Heap(heap) if immortal => {
                let rank = Rank { key: mark.key, arrival: self.arrivals };
                heap.push(rank, item);
                self.arrivals += 1;
            }
            _ => self.turn_and_push(item, mark),
        }
    }

    /// Puts a wave back that was taken: where it stood, whatever has come and gone since.
    pub(crate) fn put_back(&mut self, item: T, mark: &Mark<'_>, arrival: u64) {
        let immortal = mark.expires == f64::INFINITY;
        match &mut self.form {
            // A line counts its arrivals from the end.
            Form::Line { items, key }
                if immortal
                    && (items.is_empty() || *key == mark.key)
                    && arrival + items.len() as u64 + 1 == self.arrivals =>
            {
                *key = mark.key;
                items.push_front(item);
            }
            Form::Heap(heap) if immortal => heap.push(Rank { key: mark.key, arrival }, item),
            _ => self.turn_and_insert(item, mark, arrival),
        }
    }

    fn turn_and_push(&mut self, item: T, mark: &Mark<'_>) {
        self.turn_and_insert(item, mark, self.arrivals);
        self.arrivals += 1;
    }

    /// Brings the queue into the form that the wave needs, if it has not got it, and adds it.
    fn turn_and_insert(&mut self, item: T, mark: &Mark<'_>, arrival: u64) {
        let keyed = matches!(
            self.overflow,
            Overflow::Block | Overflow::Error | Overflow::Replay | Overflow::DropNewest
        );
        // A wave that is put back may turn a fifo too, whose keys are no amplitudes: that is no heap.
        let keyed = keyed && self.order == Order::Amplitude;
        if keyed && mark.expires == f64::INFINITY && matches!(self.form, Form::Line { .. }) {
            let mut heap: Heap<_> = self.take_standing().collect();
            heap.push(Rank { key: mark.key, arrival }, item);
            self.form = Form::Heap(heap);
        } else {
            self.insert_ranked(item, mark, arrival);
        }
    }

    /// Takes out what stands in a line or heap.
    fn take_standing(&mut self) -> impl Iterator<Item = (Rank, T)> + use<T> {
        let first = self.arrivals - self.len() as u64;
        let empty = Form::Line { items: VecDeque::new(), key: 0 };
        let (line, heap, key) = match mem::replace(&mut self.form, empty) {
            Form::Line { items, key } => (items, Heap::new(), key),
            Form::Heap(heap) => (VecDeque::new(), heap, 0),
            Form::Ranked(_) => unreachable!("a ranked queue stays one until it is empty"),
        };
        let place = move |(item, arrival)| (Rank { key, arrival }, item);
        line.into_iter().zip(first..).map(place).chain(heap.into_waves())
    }

    fn insert_ranked(&mut self, item: T, mark: &Mark<'_>, arrival: u64) {
        let (order, overflow) = (self.order, self.overflow);
        if !matches!(self.form, Form::Ranked(_)) {
            let mut ranked = Ranked::new(order, overflow);
            for (rank, item) in self.take_standing() {
                // Without an index on faintness or channel, there is nothing else to hand over.
                let entry = Entry { item, faintness: 0, expires: f64::INFINITY, channel: None };
                ranked.insert(rank, entry);
            }
            self.form = Form::Ranked(Box::new(ranked));
        }
        if let Form::Ranked(ranked) = &mut self.form {
            let channel = (overflow == Overflow::Conflate).then(|| Arc::from(mark.channel));
            let faintness = ordered(mark.amplitude);
            let entry = Entry { item, faintness, expires: mark.expires, channel };
            ranked.insert(Rank { key: mark.key, arrival }, entry);
        }
    }

    /// Moves up to `most` waves from the front of a line to `taken`; not all that there are, in
    /// another form.
    pub(crate) fn pop_line(&mut self, most: usize, taken: &mut Vec<T>) -> usize {
        let Form::Line { items, .. } = &mut self.form else { return 0 };
        let count = most.min(items.len());
        taken.extend(items.drain(..count));
        count
    }

    /// The first wave, with its rank.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(T, Rank)> {
        let Form::Line { items, key } = &mut self.form else { return self.pop_greatest() };
        let rank = Rank { key: *key, arrival: self.arrivals - items.len() as u64 };
        items.pop_front().map(|item| (item, rank))
    }

    /// The first wave of a heap.
    #[inline]
    pub(crate) fn greatest(&self) -> Option<&T> {
        let Form::Heap(heap) = &self.form else { return None };
        heap.first()
    }

    /// [`Self::pop`] of a heap or a ranked queue.
    #[inline(never)]
    fn pop_greatest(&mut self) -> Option<(T, Rank)> {
        match &mut self.form {
            Form::Heap(heap) => {
                let (rank, item) = heap.pop()?;
                if heap.len() == 0 {
                    self.form = Form::empty(self.order, self.overflow);
                }
                Some((item, rank))
            }
            Form::Ranked(ranked) => {
                let rank = *ranked.entries.first_key_value()?.0;
                Some((self.remove(rank).0, rank))
            }
            Form::Line { .. } => None,
        }
    }

    /// The wave that arrived first.
    pub(crate) fn pop_oldest(&mut self) -> Option<(T, u64)> {
        match &mut self.form {
            // No policy that asks for the oldest has a heap.
            Form::Line { .. } | Form::Heap(_) => {
                self.pop().map(|(item, rank)| (item, rank.arrival))
            }
            Form::Ranked(ranked) => {
                let rank = ranked.oldest()?;
                Some(self.remove(rank))
            }
        }
    }

    /// The wave of least amplitude (under `fresh`: as faded now; of equals the newest), unless one with
    /// this mark would be fainter still or as faint: then the newcomer is the faintest itself.
    pub(crate) fn pop_fainter(&mut self, mark: &Mark<'_>) -> Option<(T, u64)> {
        self.fainter(mark).map(|rank| self.remove(rank))
    }

    /// Whether [`Self::pop_fainter`] would find one.
    pub(crate) fn has_fainter(&self, mark: &Mark<'_>) -> bool {
        self.fainter(mark).is_some()
    }

    fn fainter(&self, mark: &Mark<'_>) -> Option<Rank> {
        let Form::Ranked(ranked) = &self.form else { return None };
        if let Some(faintest) = &ranked.by_faintness {
            let &(faintness, Reverse(arrival), key) = faintest.first()?;
            (faintness < ordered(mark.amplitude)).then_some(Rank { key, arrival })
        } else {
            let rank = *ranked.entries.last_key_value()?.0;
            (rank.key > mark.key).then_some(rank)
        }
    }

    /// Puts a wave in the place of the waiting one of its channel, which it returns; `Err` gives the new
    /// one back if none waits.
    pub(crate) fn replace(&mut self, item: T, mark: &Mark<'_>) -> Result<(T, u64), T> {
        let Some(rank) = self.of_channel(mark.channel) else { return Err(item) };
        let replaced = self.remove_keeping_form(rank);
        self.insert_ranked(item, mark, rank.arrival);
        Ok(replaced)
    }

    /// Whether [`Self::replace`] would find one.
    pub(crate) fn holds(&self, channel: &str) -> bool {
        self.of_channel(channel).is_some()
    }

    fn of_channel(&self, channel: &str) -> Option<Rank> {
        let Form::Ranked(ranked) = &self.form else { return None };
        ranked.by_channel.as_ref().and_then(|by| by.get(channel)).copied()
    }

    /// The first wave in line that is expired at the moment `now`.
    pub(crate) fn pop_expired(&mut self, now: f64) -> Option<(T, u64)> {
        let Form::Ranked(ranked) = &mut self.form else { return None };
        let &(expires, rank) = ranked.by_expiry.first()?;
        (expires < ordered(now)).then(|| self.remove(rank))
    }

    /// A wave of less lasting loudness than `threshold` (see [`crate::decay::Fading`]).
    pub(crate) fn pop_faded(&mut self, threshold: f64) -> Option<(T, u64)> {
        let Form::Ranked(ranked) = &mut self.form else { return None };
        let rank = *ranked.entries.last_key_value()?.0;
        (rank.key > !ordered(threshold)).then(|| self.remove(rank))
    }

    /// Whether [`Self::pop_expired`] would find one.
    pub(crate) fn has_expired(&self, now: f64) -> bool {
        let Form::Ranked(ranked) = &self.form else { return false };
        ranked.by_expiry.first().is_some_and(|&(expires, _)| expires < ordered(now))
    }

    /// Whether [`Self::pop_faded`] would find one.
    pub(crate) fn has_faded(&self, threshold: f64) -> bool {
        let Form::Ranked(ranked) = &self.form else { return false };
        let last = ranked.entries.last_key_value();
        last.is_some_and(|(rank, _)| rank.key > !ordered(threshold))
    }

    /// Its mailbox has something to see to where a wave is taken, or has not any more.
    pub(crate) fn note_care(&mut self, needed: bool) {
        self.careful = needed || self.order == Order::Fresh;
    }

    /// Whether to take a wave, time or its mailbox has to be asked.
    #[inline]
    pub(crate) fn needs_care(&self) -> bool {
        self.careful || self.has_expiries()
    }

    /// Whether time can remove waves from it.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.order == Order::Fresh || self.has_expiries()
    }

    /// Whether any waiting wave has a ttl.
    #[inline]
    pub(crate) fn has_expiries(&self) -> bool {
        matches!(&self.form, Form::Ranked(ranked) if !ranked.by_expiry.is_empty())
    }

    /// When the next wave with a ttl expires, in monotonic seconds.
    pub(crate) fn first_expiry(&self) -> Option<f64> {
        let Form::Ranked(ranked) = &self.form else { return None };
        ranked.by_expiry.first().map(|&(expires, _)| unordered(expires))
    }

    /// The least lasting loudness (see [`crate::decay::Fading`]), where the order is by that.
    pub(crate) fn least_loudness(&self) -> Option<f64> {
        let Form::Ranked(ranked) = &self.form else { return None };
        ranked.entries.last_key_value().map(|(rank, _)| unordered(!rank.key))
    }

    /// Takes everything out, in the order in which it would have left.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        match mem::replace(&mut self.form, Form::empty(self.order, self.overflow)) {
            Form::Line { items, .. } => items.into(),
            Form::Heap(heap) => {
                let mut waves: Vec<_> = heap.into_waves().collect();
                waves.sort_unstable_by_key(|&(rank, _)| rank);
                waves.into_iter().map(|(_, item)| item).collect()
            }
            Form::Ranked(ranked) => ranked.entries.into_values().map(|entry| entry.item).collect(),
        }
    }

    /// The arrival numbers of the waiting waves, in their order.
    pub(crate) fn waiting_arrivals(&self) -> Vec<u64> {
        match &self.form {
            Form::Line { items, .. } => {
                (self.arrivals - items.len() as u64..self.arrivals).collect()
            }
            Form::Heap(heap) => sorted(heap.iter().map(|(rank, _)| rank)),
            Form::Ranked(ranked) => sorted(ranked.entries.keys().copied()),
        }
    }

    /// Looks at every waiting wave, in no particular order.
    pub(crate) fn for_each(&self, each: &mut dyn FnMut(&T)) {
        match &self.form {
            Form::Line { items, .. } => items.iter().for_each(each),
            Form::Heap(heap) => heap.iter().for_each(|(_, item)| each(item)),
            Form::Ranked(ranked) => ranked.entries.values().for_each(|entry| each(&entry.item)),
        }
    }

    /// The same, in a line only up to the first for which `each` is false.
    pub(crate) fn each_until(&self, each: &mut dyn FnMut(&T) -> bool) {
        match &self.form {
            Form::Line { items, .. } => _ = items.iter().all(each),
            Form::Heap(_) | Form::Ranked(_) => self.for_each(&mut |item| _ = each(item)),
        }
    }

    /// Looks at so many waiting waves at most, from all over the queue, and says at how many.
    pub(crate) fn show(&self, most: usize, each: &mut dyn FnMut(&T)) -> usize {
        let count = most.min(self.len());
        match &self.form {
            Form::Line { items, .. } => {
                spread(count, items.len()).for_each(|place| each(&items[place]));
            }
            Form::Heap(heap) => {
                spread(count, heap.len()).filter_map(|place| heap.at(place)).for_each(each);
            }
            Form::Ranked(ranked) => {
                // From both ends: the way to its middle is as long as the queue.
                let waves = ranked.entries.values();
                let ends = waves.clone().take(count - count / 2).chain(waves.rev().take(count / 2));
                ends.for_each(|entry| each(&entry.item));
            }
        }
        count
    }

    fn remove(&mut self, rank: Rank) -> (T, u64) {
        let removed = self.remove_keeping_form(rank);
        if self.len() == 0 {
            self.form = Form::empty(self.order, self.overflow);
        }
        removed
    }

    fn remove_keeping_form(&mut self, rank: Rank) -> (T, u64) {
        let Form::Ranked(ranked) = &mut self.form else {
            unreachable!("a rank is of a ranked queue")
        };
        (ranked.remove(rank), rank.arrival)
    }
}

/// The arrival numbers of ranks, in their order.
fn sorted(ranks: impl Iterator<Item = Rank>) -> Vec<u64> {
    let mut arrivals: Vec<u64> = ranks.map(|rank| rank.arrival).collect();
    arrivals.sort_unstable();
    arrivals
}

impl<T> Form<T> {
    /// A line, where order and policy can do with one.
    fn empty(order: Order, overflow: Overflow) -> Self {
        let sorted = order == Order::Fresh;
        if sorted || matches!(overflow, Overflow::DropFaintest | Overflow::Conflate) {
            Self::Ranked(Box::new(Ranked::new(order, overflow)))
        } else {
            Self::Line { items: VecDeque::new(), key: 0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(queue: &Queue<u32>, amplitude: f64) -> Mark<'static> {
        let key = queue.key(amplitude, || amplitude);
        Mark { key, amplitude, expires: f64::INFINITY, channel: "a" }
    }

    fn push(queue: &mut Queue<u32>, item: u32, amplitude: f64) {
        let mark = mark(queue, amplitude);
        queue.push(item, &mark);
    }

    fn pop(queue: &mut Queue<u32>) -> Option<(u32, u64)> {
        queue.pop().map(|(item, rank)| (item, rank.arrival))
    }

    fn is_line(queue: &Queue<u32>) -> bool {
        matches!(queue.form, Form::Line { .. })
    }

    #[test]
    fn one_priority_is_a_line_whatever_it_is() {
        let mut queue = Queue::new(Order::Amplitude, Overflow::Block);
        for amplitude in [0.3, 0.9] {
            push(&mut queue, 1, amplitude);
            push(&mut queue, 2, amplitude);
            assert!(is_line(&queue));
            queue.pop();
            queue.pop();
        }
        assert_eq!(queue.arrivals(), 4);
    }

    #[test]
    fn a_line_keeps_its_arrivals_when_it_turns() {
        let mut queue = Queue::new(Order::Amplitude, Overflow::DropOldest);
        for item in 0..3 {
            push(&mut queue, item, 0.5);
        }
        assert_eq!(pop(&mut queue), Some((0, 0)));
        assert_eq!(queue.waiting_arrivals(), [1, 2]);
        push(&mut queue, 3, 0.9);
        assert!(!is_line(&queue));
        assert_eq!(queue.waiting_arrivals(), [1, 2, 3]);
        assert_eq!(queue.pop_oldest(), Some((1, 1)));
        assert_eq!(pop(&mut queue), Some((3, 3)));
        assert_eq!(pop(&mut queue), Some((2, 2)));
        assert!(is_line(&queue), "empty again, it goes back");
    }

    #[test]
    fn a_ttl_turns_a_line_and_its_expiry_is_found() {
        let mut queue = Queue::new(Order::Fifo, Overflow::Block);
        push(&mut queue, 1, 0.5);
        queue.push(2, &Mark { expires: 3.0, ..mark(&queue, 0.5) });
        assert!(!is_line(&queue) && queue.has_expiries());
        assert_eq!((queue.has_expired(3.0), queue.pop_expired(3.0)), (false, None));
        assert_eq!((queue.has_expired(3.5), queue.pop_expired(3.5)), (true, Some((2, 1))));
        assert!(!queue.has_expiries());
    }

    #[test]
    fn a_fifo_stays_one_when_a_wave_comes_back_to_it_over_a_gap() {
        let mut queue = Queue::new(Order::Fifo, Overflow::Block);
        push(&mut queue, 1, 0.5);
        queue.push(2, &Mark { expires: 1.0, ..mark(&queue, 0.5) });
        let (item, rank) = queue.pop().unwrap();
        queue.pop_expired(2.0);
        let back = mark(&queue, 0.5);
        queue.put_back(item, &back, rank.arrival);
        for (item, amplitude) in [(3, 0.2), (4, 0.9)] {
            if !queue.append(amplitude_key(amplitude), 8, || item) {
                push(&mut queue, item, amplitude);
            }
        }
        assert_eq!([(); 3].map(|()| pop(&mut queue).unwrap().0), [1, 3, 4]);
    }

    #[test]
    fn replacing_the_only_wave_keeps_its_place() {
        let mut queue = Queue::new(Order::Fifo, Overflow::Conflate);
        push(&mut queue, 1, 0.5);
        let new = mark(&queue, 0.5);
        assert_eq!(queue.replace(2, &new), Ok((1, 0)));
        assert_eq!(queue.replace(3, &Mark { channel: "b", ..new }), Err(3));
        assert_eq!((pop(&mut queue), queue.arrivals()), (Some((2, 0)), 1));
    }

    #[test]
    fn draining_goes_in_the_order_of_leaving_and_counts_on() {
        let mut queue = Queue::new(Order::Amplitude, Overflow::DropFaintest);
        for (item, amplitude) in [(1, 0.2), (2, 0.9), (3, 0.2)] {
            push(&mut queue, item, amplitude);
        }
        assert_eq!(queue.drain(), [2, 1, 3]);
        assert_eq!((queue.len(), queue.arrivals()), (0, 3));
        let silent = mark(&queue, 0.0);
        assert_eq!(queue.pop_fainter(&silent), None);
    }

    /// What every index holds is what is there, whatever was removed by which.
    #[test]
    fn indices_agree_with_the_entries() {
        for order in [Order::Amplitude, Order::Fifo, Order::Fresh] {
            for overflow in [Overflow::DropOldest, Overflow::DropFaintest, Overflow::Conflate] {
                let mut queue = Queue::new(order, overflow);
                for item in 0..24u32 {
                    let amplitude = f64::from(item * 7 % 5) / 5.0;
                    let channel = ["a", "b", "c", "d", "e"][item as usize % 5];
                    let expires = if item % 3 == 0 { f64::from(item) } else { f64::INFINITY };
                    let mark = Mark { expires, channel, ..mark(&queue, amplitude) };
                    if queue.replace(item, &mark).is_err() {
                        queue.push(item, &mark);
                    }
                    match item % 6 {
                        1 => drop(queue.pop_oldest()),
                        3 => drop(queue.pop_fainter(&mark)),
                        4 => drop(queue.pop_expired(f64::from(item))),
                        5 => drop(queue.pop()),
                        _ => {}
                    }
                    agree(&queue);
                }
            }
        }
    }

    fn agree(queue: &Queue<u32>) {
        let Form::Ranked(ranked) = &queue.form else { return };
        let len = ranked.entries.len();
        assert!(ranked.by_arrival.as_ref().is_none_or(|by| by.len() == len));
        assert!(ranked.by_faintness.as_ref().is_none_or(|by| by.len() == len));
        assert!(ranked.by_channel.as_ref().is_none_or(|by| by.len() == len));
        let mortal = ranked.entries.values().filter(|entry| entry.expires < f64::INFINITY);
        assert_eq!(ranked.by_expiry.len(), mortal.count());
        for (rank, entry) in &ranked.entries {
            if let (Some(by), Some(channel)) = (&ranked.by_channel, &entry.channel) {
                assert_eq!(by.get(channel), Some(rank));
            }
        }
    }
}
