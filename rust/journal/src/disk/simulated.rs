//! A disk in memory that loses, reorders and tears what was not synced, and fails when it is told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Disk, File, Locked};
use crate::scan::Source;

/// The number of the error of a full disk.
const FULL: i32 = 28;

/// What a real disk writes as a whole.
const SECTOR: usize = 512;

/// A disk; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    world: Mutex<World>,
    /// A sync is held, or let go.
    held: Condvar,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world, as soon as the syncs of files are not held.
    fn world_to_sync(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        world.syncing += 1;
        self.held.notify_all();
        while world.holding {
            world = self.held.wait(world).unwrap_or_else(PoisonError::into_inner);
        }
        world.syncing -= 1;
        world
    }
}

/// An open file.
#[derive(Clone, Debug)]
pub struct SimulatedFile {
    disk: Arc<Shared>,
    number: usize,
}

/// The right to write.
#[derive(Debug)]
pub struct SimulatedLock(Arc<Shared>);

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.0.world().locked = false;
    }
}

/// What is done to a disk: counted, so that each can be the one at which it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Makes a file.
    Create,
    /// Writes bytes.
    Write,
    /// Reserves room.
    Reserve,
    /// Cuts a file.
    Cut,
    /// Syncs a file.
    Sync,
    /// Renames a file.
    Rename,
    /// Removes a file.
    Remove,
    /// Syncs the names.
    SyncNames,
}

#[derive(Clone, Debug, Default)]
struct World {
    files: Vec<Content>,
    /// As they are seen now, and as they are on the disk.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// What was done to names since they were synced.
    changes: Vec<Change>,
    /// Random numbers.
    dice: Dice,
    /// What was done so far.
    deeds: Vec<Deed>,
    locked: bool,
    /// The number of the deed that fails, and how; from that one on, if it stays so.
    fault: Option<Fault>,
    /// All deeds of this kind fail, with this error.
    failing: Option<(Deed, i32)>,
    /// Syncs of files wait, and how many do.
    holding: bool,
    syncing: usize,
    /// How often it was looked at, and the same for that.
    looks: usize,
    blind: Option<Fault>,
    /// A read gives no more bytes than this.
    most: Option<usize>,
}

/// A file: what is on the disk, and what was done since it was synced.
#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    writes: Vec<Written>,
}

#[derive(Clone, Debug)]
enum Written {
    Bytes(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Clone, Debug)]
enum Change {
    Named(String, usize),
    Renamed(String, String),
    Removed(String),
}

/// When a disk fails, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The number of the first deed that fails.
    pub at: usize,
    /// Whether all later ones fail too.
    pub lasting: bool,
    /// The error's number.
    pub errno: i32,
    /// Whether half of a write is done before it fails.
    pub short: bool,
}

/// Random numbers from a seed (G. Steele, D. Lea and C. Flood, `SplitMix64`).
#[derive(Clone, Debug, Default)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than this one.
    pub fn below(&mut self, end: usize) -> usize {
        (self.any() % end.max(1) as u64) as usize
    }
}

impl SimulatedDisk {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.world().dice = Dice::new(seed);
        disk
    }

    fn of(world: World) -> Self {
        Self(Arc::new(Shared { world: Mutex::new(world), held: Condvar::new() }))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world()
    }

    /// Has the syncs of files wait, or go on.
    pub fn hold_syncs(&self, hold: bool) {
        self.world().holding = hold;
        self.0.held.notify_all();
    }

    /// Waits until somebody syncs a file, which waits.
    pub fn wait_for_sync(&self) {
        let mut world = self.world();
        while world.syncing == 0 {
            world = self.0.held.wait(world).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has it fail.
    pub fn fail(&self, fault: Option<Fault>) {
        self.world().fault = fault;
    }

    /// Has it fail when it is looked at: when names are listed, files opened, read or measured.
    pub fn fail_looks(&self, fault: Option<Fault>) {
        self.world().blind = fault;
    }

    /// Has each read give so many bytes at most.
    pub fn read_at_most(&self, most: Option<usize>) {
        self.world().most = most;
    }

    /// How often it was looked at so far.
    pub fn looks(&self) -> usize {
        self.world().looks
    }

    /// Has all deeds of a kind fail, with an error of this number.
    pub fn fail_all(&self, deeds: Option<(Deed, i32)>) {
        self.world().failing = deeds;
    }

    /// What was done to it so far.
    pub fn deeds(&self) -> Vec<Deed> {
        self.world().deeds.clone()
    }

    /// The disk as it may be found after a loss of power now.
    #[must_use]
    pub fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let world = self.world();
        let mut names = world.durable_names.clone();
        // Names change in order, as far as they do; or each for itself.
        let (prefix, orderly) = (dice.below(world.changes.len() + 1), dice.below(2) == 0);
        for (number, change) in world.changes.iter().enumerate() {
            if if orderly { number < prefix } else { dice.below(2) == 0 } {
                change.apply(&mut names);
            }
        }
        let files = world.files.iter().map(|file| file.after_power_loss(dice)).collect();
        let left = World {
            files,
            durable_names: names.clone(),
            names,
            dice: Dice::new(dice.any()),
            ..World::default()
        };
        Self::of(left)
    }

    /// The disk as it is found after the process was killed now: all that was written is there.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let World { files, names, durable_names, changes, dice, looks, .. } = self.world().clone();
        Self::of(World { files, names, durable_names, changes, dice, looks, ..World::default() })
    }

    /// The bytes of a file.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        world.names.get(name).map(|&number| world.files[number].now.clone())
    }

    /// Changes the bytes of a file on the disk.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let Some(&number) = world.names.get(name) else { return };
        let file = &mut world.files[number];
        change(&mut file.now);
        (file.durable, file.writes) = (file.now.clone(), Vec::new());
    }
}

impl World {
    /// Counts a deed, which may fail.
    fn does(&mut self, deed: Deed) -> io::Result<()> {
        let number = self.deeds.len();
        self.deeds.push(deed);
        if let Some((_, errno)) = self.failing.filter(|(failing, _)| *failing == deed) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let Some(fault) = self.fault else { return Ok(()) };
        let due = number == fault.at || (fault.lasting && number > fault.at);
        // A full disk does not mind what needs no room.
        let grows = matches!(deed, Deed::Create | Deed::Write | Deed::Reserve);
        if due && (grows || fault.errno != FULL) {
            return Err(io::Error::from_raw_os_error(fault.errno));
        }
        Ok(())
    }

    /// Counts a look, which may fail.
    fn looks(&mut self) -> io::Result<()> {
        let number = self.looks;
        self.looks += 1;
        match self.blind {
            Some(Fault { at, lasting, errno, .. }) if number == at || (lasting && number > at) => {
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Ok(()),
        }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Named(name, number) => drop(names.insert(name.clone(), *number)),
            Self::Renamed(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
            Self::Removed(name) => drop(names.remove(name)),
        }
    }
}

impl Content {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.now, offset, bytes);
        self.writes.push(Written::Bytes(offset, bytes.to_vec()));
    }

    fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let mut left = self.durable.clone();
        for written in &self.writes {
            match written {
                Written::Cut(length) => {
                    if dice.below(2) == 0 {
                        left.truncate(*length);
                    }
                }
                Written::Bytes(offset, bytes) => {
                    // All of it, nothing, or some of its sectors.
                    let fate = dice.below(3);
                    let mut from = 0;
                    while from < bytes.len() {
                        let to =
                            ((offset + from) / SECTOR * SECTOR + SECTOR - offset).min(bytes.len());
                        if fate == 0 || (fate == 1 && dice.below(2) == 0) {
                            put(&mut left, offset + from, &bytes[from..to]);
                        }
                        from = to;
                    }
                }
            }
        }
        Self { now: left.clone(), durable: left, writes: Vec::new() }
    }
}

/// Writes bytes, with zeros before them where there was nothing.
fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;
    type Lock = SimulatedLock;

    fn lock(&self) -> Result<SimulatedLock, Locked> {
        let mut world = self.world();
        if world.locked {
            return Err(Locked::Held { owner: std::process::id() });
        }
        world.locked = true;
        Ok(SimulatedLock(Arc::clone(&self.0)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.looks()?;
        Ok(world.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut world = self.world();
        world.looks()?;
        let number = world.find(name)?;
        Ok(SimulatedFile { disk: Arc::clone(&self.0), number })
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut world = self.world();
        world.does(Deed::Create)?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.files.push(Content::default());
        let number = world.files.len() - 1;
        world.change(Change::Named(name.to_owned(), number));
        Ok(SimulatedFile { disk: Arc::clone(&self.0), number })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.does(Deed::Rename)?;
        world.find(from)?;
        world.change(Change::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn link(&self, _name: &str, _into: &Self) -> io::Result<bool> {
        Ok(false)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.does(Deed::Remove)?;
        world.find(name)?;
        world.change(Change::Removed(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world();
        world.does(Deed::SyncNames)?;
        world.durable_names = world.names.clone();
        world.changes.clear();
        Ok(())
    }

    fn random(&self) -> u64 {
        self.world().dice.any()
    }

    fn now(&self) -> f64 {
        1.7e9
    }
}

impl SimulatedFile {
    fn world(&self) -> MutexGuard<'_, World> {
        self.disk.world()
    }
}

impl Source for SimulatedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world();
        world.looks()?;
        let most = world.most.map_or(buffer.len(), |most| most.min(buffer.len()));
        world.files[self.number].now.as_slice().read_at(offset, &mut buffer[..most])
    }
}

impl File for SimulatedFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let done = world.does(Deed::Write);
        let short = world.fault.is_some_and(|fault| fault.short);
        let written = match done {
            Ok(()) => bytes,
            Err(_) if short => &bytes[..bytes.len() / 2],
            Err(_) => &[],
        };
        world.files[self.number].write(offset as usize, written);
        done
    }

    fn reserve(&self, _offset: u64, _length: u64) -> io::Result<()> {
        self.world().does(Deed::Reserve)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        let mut world = self.world();
        world.does(Deed::Cut)?;
        let file = &mut world.files[self.number];
        file.now.truncate(length as usize);
        file.writes.push(Written::Cut(length as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world_to_sync();
        let done = world.does(Deed::Sync);
        let file = &mut world.files[self.number];
        if done.is_ok() {
            file.durable = file.now.clone();
        }
        // After an error too, what could not be written counts as clean.
        file.writes.clear();
        done
    }

    fn size(&self) -> io::Result<u64> {
        let mut world = self.world();
        world.looks()?;
        Ok(world.files[self.number].now.len() as u64)
    }
}
