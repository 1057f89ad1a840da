//! The journal, bound: emissions that are written down before they are delivered, and what reads them again.
//!
//! [`replay`] reads, [`kept`] holds a wave that was read without the interpreter, [`restore`] makes the Python object
//! of it, [`last`] finds the last wave of each channel, [`columns`] takes its numbers alone; [`import`] writes what
//! came from elsewhere; [`prune`] takes out what nobody needs, and [`retention`] has that done by itself. An emission of a
//! medium with a journal goes this way, and nothing else delivers there:
//!
//! ```text
//! encode (record) -> reserve room (the core) -> append (the crate `aether-journal`)
//!        ... its thread commits ...
//! deliver what was committed, in the order of the journal (commit) -> tell whoever waits (fate)
//! ```
//!
//! Contract:
//! - Before it is appended, an emission leaves no trace: what the codec refuses, what finds no room, and whose
//!   awaiter goes away. Once it is appended it completes, whoever goes away.
//! - What was appended is delivered in the order of the journal, by the thread that commits, attached to the
//!   interpreter once for each commit.
//! - A medium without a journal pays one look at an option for each emission that does not take the short way.

mod again;
mod columns;
mod commit;
mod cursor;
mod fate;
mod import;
mod keeping;
mod kept;
mod last;
mod prune;
mod record;
mod refill;
mod replay;
mod restore;
mod retention;
mod suspect;
mod turn;
mod writer;

pub use self::commit::{Admitted, give_way};
pub use self::cursor::{Cursor, Cursors, Rules};
pub use self::fate::{AckOp, Fate, Told};
pub use self::import::PyJournalImport;
pub use self::keeping::{backup_journal, repair_journal, verify_journal};
pub use self::last::find as last_waves;
pub use self::prune::prune_journal;
pub use self::refill::Refill;
pub use self::replay::PyJournalReader;
pub use self::writer::{Appended, PyJournalWriter, Writer};
