//! One figure at a time, for `benches/journal.py`, which sets it beside others.
//!
//! ```console
//! $ cargo run --release -p aether-journal --example measure -- commit FOLDER EMITTERS BATCH ROUNDS fsync|os BYTES
//! $ cargo run --release -p aether-journal --example measure -- write FOLDER WAVES BYTES
//! $ cargo run --release -p aether-journal --example measure -- read|backwards FOLDER PATTERN
//! $ cargo run --release -p aether-journal --example measure -- open FOLDER
//! ```
//! - `commit`: so many threads append batches of so many waves with payloads of so many bytes, and wait for each batch
//!   until it is as durable as asked, so many times; nanoseconds for each wave. Opening and closing are not in it.
//! - `write`: a journal to read, in which one wave of a thousand is rare, and of the others each second is an order.
//! - `read`, `backwards`: reads what fits a pattern; nanoseconds in all, and how many waves it gave.
//! - `open`: opens a journal to write to it; nanoseconds.
#![allow(clippy::print_stdout, reason = "it is a program")]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::env;
    use std::error::Error;
    use std::ops::ControlFlow;
    use std::sync::Barrier;
    use std::thread;
    use std::time::Instant;

    use aether_core::channel::{Limits, Pattern};
    use aether_journal::disk::Folder;
    use aether_journal::filter::Filter;
    use aether_journal::journal::{Durability, Journal, Options, Refusal};
    use aether_journal::reader::{Event, Reader};
    use aether_journal::record::{Encoded, Wave};
    use aether_journal::reverse::Backwards;

    type Outcome = Result<(), Box<dyn Error>>;

    pub fn main() -> Outcome {
        let given: Vec<String> = env::args().skip(1).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        match given[..] {
            ["commit", folder, emitters, batch, rounds, durability, bytes] => {
                let durability =
                    if durability == "os" { Durability::Written } else { Durability::Sync };
                let options = Options { durability, ..Options::DEFAULT };
                let journal = Journal::open(Folder::new(folder)?, options, drop)?;
                let payload = vec![7; bytes.parse()?];
                commits(&journal, emitters.parse()?, batch.parse()?, rounds.parse()?, &payload);
                Ok(journal.close()?)
            }
            ["write", folder, waves, bytes] => {
                let options = Options { durability: Durability::Written, ..Options::DEFAULT };
                let journal = Journal::open(Folder::new(folder)?, options, drop)?;
                let payload = vec![7; bytes.parse()?];
                let channels: Vec<_> = (0..200).map(|shop| format!("orders.{shop}.paid")).collect();
                for number in 0..waves.parse()? {
                    let channel = match number {
                        _ if number % 1_000 == 0 => "rare.event",
                        _ if number % 2 == 0 => &channels[number % channels.len()],
                        _ => "stock.moved",
                    };
                    append(&journal, channel, &payload);
                }
                Ok(journal.close()?)
            }
            ["read", folder, pattern] => read(&Folder::new(folder)?, pattern, false),
            ["backwards", folder, pattern] => read(&Folder::new(folder)?, pattern, true),
            ["open", folder] => {
                let folder = Folder::new(folder)?;
                let begun = Instant::now();
                let journal = Journal::<_, ()>::open(folder, Options::DEFAULT, drop)?;
                println!("{}", begun.elapsed().as_nanos());
                Ok(journal.close()?)
            }
            _ => Err("see the head of the program".into()),
        }
    }

    fn commits(
        journal: &Journal<Folder, ()>,
        emitters: usize,
        batch: usize,
        rounds: usize,
        payload: &[u8],
    ) {
        // The first batch makes the files.
        commit(journal, batch, payload);
        let (ready, done) = (Barrier::new(emitters + 1), Barrier::new(emitters + 1));
        let taken = thread::scope(|scope| {
            for _ in 0..emitters {
                scope.spawn(|| {
                    ready.wait();
                    for _ in 0..rounds {
                        commit(journal, batch, payload);
                    }
                    done.wait();
                });
            }
            ready.wait();
            let begun = Instant::now();
            done.wait();
            begun.elapsed()
        });
        println!("{}", taken.as_secs_f64() * 1e9 / (emitters * batch * rounds) as f64);
    }

    fn commit(journal: &Journal<Folder, ()>, batch: usize, payload: &[u8]) {
        let wave = || encoded("orders.created", payload);
        let mut waves: Vec<Encoded> = std::iter::repeat_with(wave).take(batch).collect();
        journal.commit(&mut waves).expect("the disk works");
    }

    fn encoded(channel: &str, payload: &[u8]) -> Encoded {
        let wave = Wave { id: "a-1", ..Wave::plain(channel, payload) };
        Encoded::wave(&wave).expect("it fits")
    }

    fn append(journal: &Journal<Folder, ()>, channel: &str, payload: &[u8]) -> u64 {
        let mut wave = encoded(channel, payload);
        loop {
            match journal.append(&mut wave, None) {
                Ok(sequence) => return sequence,
                Err((Refusal::Busy(_), _)) => journal.flush().expect("the disk works"),
                Err((refusal, _)) => panic!("{refusal}"),
            }
        }
    }

    fn read(folder: &Folder, pattern: &str, backwards: bool) -> Outcome {
        let pattern = Pattern::parse(pattern, Limits::DEFAULT).ok();
        let filter = Filter { pattern, ..Filter::default() };
        let begun = Instant::now();
        let mut waves = 0_u64;
        let count = |event: Event<'_>| {
            match event {
                Event::Wave(wave) => waves += u64::from(!wave.payload.is_empty()),
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        };
        if backwards {
            Backwards::new(folder.clone(), filter)?.read(count)?;
        } else {
            Reader::filtered(folder.clone(), filter)?.read(count)?;
        }
        println!("{} {waves}", begun.elapsed().as_nanos());
        Ok(())
    }
}
