//! Who reads a mailbox, as far as they can be named: for rings of emitters that wait for each other.

use super::{Actor, Mailbox, Rest};

impl<T, W> Mailbox<T, W> {
    /// Notes who reads; `None`: somebody whom nobody can name.
    pub(crate) fn read_by(&mut self, reader: Option<Actor>) {
        match reader {
            None => self.rest.unknown_reader = true,
            Some(reader) if self.rest.readers.contains(&reader) => {}
            Some(reader) => {
                self.rest.readers.push(reader);
                self.rest.expected_readers = self.rest.expected_readers.saturating_sub(1);
            }
        }
    }

    pub(crate) fn expect_readers(&mut self, more: usize) {
        self.rest.expected_readers += more;
    }

    pub(crate) fn forget_readers(&mut self, gone: &[Actor]) {
        self.rest.readers.retain(|reader| !gone.contains(reader));
    }

    /// Everybody who has read it and lives, if all of them are known and those expected have begun.
    pub(crate) fn known_readers(&self) -> Option<&[Actor]> {
        let Rest { readers, unknown_reader, expected_readers, .. } = &*self.rest;
        let all = !unknown_reader && !readers.is_empty() && *expected_readers == 0;
        all.then_some(readers)
    }

    pub(crate) fn readers(&self) -> &[Actor] {
        &self.rest.readers
    }
}
