//! How fast a journal is written, opened and read, in a folder that is made for it and removed.
//!
//! ```console
//! $ cargo run --release -p aether-journal --example speed -- 10000000 256 [FOLDER]
//! ```
//! Waves of one channel in a thousand are rare; what is read was written just before, so that it comes from the
//! system's cache as far as that is large enough; the best of three readings counts.
#![allow(clippy::print_stdout, reason = "it is a program")]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::error::Error;
    use std::ops::ControlFlow;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};
    use std::{env, fs};

    use aether_core::channel::{Limits, Pattern};
    use aether_journal::disk::Folder;
    use aether_journal::filter::Filter;
    use aether_journal::journal::{Durability, Journal, Options};
    use aether_journal::reader::{Event, Reader};
    use aether_journal::record::{Encoded, Wave};
    use aether_journal::reverse::Backwards;

    type Outcome<T> = Result<T, Box<dyn Error>>;

    pub fn main() -> Outcome<()> {
        let mut arguments = env::args().skip(1);
        let count: u64 = arguments.next().map_or(Ok(1_000_000), |count| count.parse())?;
        let size: usize = arguments.next().map_or(Ok(256), |size| size.parse())?;
        let path = arguments.next().map_or_else(env::temp_dir, PathBuf::from);
        let path = path.join(format!("aether-speed-{}", std::process::id()));
        println!("{count} waves with payloads of {size} bytes in {}", path.display());
        let folder = Folder::new(&path)?;
        let done = all(&folder, &path, count, size);
        fs::remove_dir_all(path)?;
        done
    }

    fn all(folder: &Folder, path: &Path, count: u64, size: usize) -> Outcome<()> {
        let begun = Instant::now();
        write(folder, count, size)?;
        told("written and synced", count, begun.elapsed());

        for (what, without) in [
            ("opened by a snapshot", ""),
            ("opened by a full scan", ".snapshot"),
            ("the same, and indexes made", "x"),
        ] {
            for entry in fs::read_dir(path)? {
                let name = entry?.file_name();
                let name = name.to_string_lossy();
                let gone = without == "x" && !name.ends_with(".segment") && name != "lock";
                if gone || (!without.is_empty() && name.ends_with(without)) {
                    fs::remove_file(path.join(&*name))?;
                }
            }
            let begun = Instant::now();
            let journal = Journal::<_, ()>::open(folder.clone(), Options::DEFAULT, drop)?;
            let taken = begun.elapsed();
            assert_eq!(journal.last(), count);
            told(what, count, taken);
            let begun = Instant::now();
            drop(journal);
            println!("{:>32}  {:>9.1} ms", "and closed", 1e3 * begun.elapsed().as_secs_f64());
        }

        let pattern = |text: &str| Pattern::parse(text, Limits::DEFAULT).ok();
        let rows = [
            ("replay of everything", Filter::default()),
            (
                "of a pattern that takes half",
                Filter { pattern: pattern("orders.+.paid"), ..Filter::default() },
            ),
            (
                "of a pattern that takes 1/1000",
                Filter { pattern: pattern("rare.*"), ..Filter::default() },
            ),
            (
                "of a channel that is not there",
                Filter { pattern: pattern("none"), ..Filter::default() },
            ),
            (
                "of one that is in one segment",
                Filter { pattern: pattern("once"), ..Filter::default() },
            ),
        ];
        for (what, filter) in &rows {
            read(what, folder, filter, count, false)?;
        }
        for (what, filter) in [&rows[0], &rows[2], &rows[4]] {
            read(&format!("backwards: {what}"), folder, filter, count, true)?;
        }
        let at =
            Filter { after: Some(count / 2), before: Some(count / 2 + 2), ..Filter::default() };
        read("one wave by its sequence", folder, &at, 1, false)?;
        let middle = count as f64 / 2.0;
        let at = Filter { since: Some(middle), until: Some(middle + 1.0), ..Filter::default() };
        read("one wave by its time", folder, &at, 1, false)
    }

    fn write(folder: &Folder, count: u64, size: usize) -> Outcome<()> {
        let options = Options { durability: Durability::Written, ..Options::DEFAULT };
        let journal = Journal::<_, ()>::open(folder.clone(), options, drop)?;
        let payload = vec![7; size];
        let channels: Vec<String> = (0..200).map(|shop| format!("orders.{shop}.paid")).collect();
        for number in 0..count {
            let channel = match number {
                _ if number == count / 3 => "once",
                _ if number % 1_000 == 0 => "rare.event",
                _ if number % 2 == 0 => &channels[number as usize % channels.len()],
                _ => "stock.moved",
            };
            let wave = Wave { time: number as f64, id: "a-1", ..Wave::plain(channel, &payload) };
            let mut wave = Encoded::wave(&wave)?;
            while let Err((refusal, _)) = journal.append(&mut wave, None) {
                if !matches!(refusal, aether_journal::journal::Refusal::Busy(_)) {
                    return Err(refusal.into());
                }
                journal.flush()?;
            }
        }
        Ok(journal.close()?)
    }

    fn read(
        what: &str,
        folder: &Folder,
        filter: &Filter,
        count: u64,
        backwards: bool,
    ) -> Outcome<()> {
        let mut best = (Duration::MAX, 0);
        for _ in 0..3 {
            let begun = Instant::now();
            let mut taken = 0_u64;
            let take = |event: Event<'_>| {
                match event {
                    Event::Wave(wave) => taken += u64::from(!wave.payload.is_empty()),
                    other => panic!("{other:?}"),
                }
                ControlFlow::Continue(())
            };
            if backwards {
                Backwards::new(folder.clone(), filter.clone())?.read(take)?;
            } else {
                Reader::filtered(folder.clone(), filter.clone())?.read(take)?;
            }
            best = best.min((begun.elapsed(), taken));
        }
        told(&format!("{what} ({})", best.1), count, best.0);
        Ok(())
    }

    fn told(what: &str, count: u64, taken: Duration) {
        let rate = count as f64 / taken.as_secs_f64() / 1e6;
        println!("{what:>32}  {:>9.1} ms  {rate:>8.2} M waves/s", 1e3 * taken.as_secs_f64());
    }
}
