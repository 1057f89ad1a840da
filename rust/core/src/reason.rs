//! Why a wave that matched a mailbox was not received from it, and how often.

/// Why a mailbox let a wave go. The names are part of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// `drop_newest`: the mailbox was full.
    Full,
    /// `drop_oldest`, or `conflate` with too many channels: it had waited longest.
    Oldest,
    /// `drop_faintest`: it had the least amplitude.
    Faintest,
    /// `conflate`: a newer wave of its channel took its place.
    Conflated,
    /// `fresh`: it faded below the noise floor while it waited.
    Faded,
    /// It was older than its `ttl`.
    Expired,
    /// The mailbox was closed before anybody took it.
    Abandoned,
    /// It was cleared away on request.
    Cleared,
    /// Too much waited in the medium, and it was too faint.
    Shed,
}

impl Reason {
    /// Every reason, in the order of [`Tally`].
    pub const ALL: [Self; 9] = [
        Self::Full,
        Self::Oldest,
        Self::Faintest,
        Self::Conflated,
        Self::Faded,
        Self::Expired,
        Self::Abandoned,
        Self::Cleared,
        Self::Shed,
    ];

    /// The name in statistics and receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Oldest => "oldest",
            Self::Faintest => "faintest",
            Self::Conflated => "conflated",
            Self::Faded => "faded",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Cleared => "cleared",
            Self::Shed => "shed",
        }
    }
}

/// How many waves went for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Reason::ALL.len()]);

impl Tally {
    /// Counts `count` more.
    #[inline]
    pub fn add(&mut self, reason: Reason, count: u64) {
        self.0[reason as usize] += count;
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// All reasons together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }
}
