//! A generator of hostile input: takes a good sample and spoils it, by bits, runs, lengths, pieces of other samples, and
//! words that readers look for. It is the same on every machine.
//!
//! HOTICH_FUZZ_SECONDS or HOTICH_FUZZ_INPUTS make it run for longer, on other seeds each time; HOTICH_FUZZ_SEED repeats one.
//! HOTICH_FUZZ_REPORT names a file to which each reader adds a line of JSON: how many inputs, how fast, how many of them
//! were read. An input that makes a reader panic is put beside it.

#![allow(clippy::disallowed_methods, reason = "a test measures its time")]

use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long each reader is tried in the ordinary tests.
const ORDINARY: Duration = Duration::from_millis(300);
/// The fewest inputs in the ordinary tests, however slow a reader is.
const ORDINARY_INPUTS: u64 = 200;
/// Bytes of a spoiled sample.
const BYTES_MAX: usize = 64 * 1024;

/// A generator with the whole state in one number (Marsaglia's xorshift64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// One of the samples, by its place, spoiled.
    fn spoil(&mut self, samples: &[Vec<u8>], words: &[&[u8]]) -> (usize, Vec<u8>) {
        let which = self.below(samples.len());
        let mut bytes = samples[which].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                2 => bytes.truncate(at),
                3 => drop(bytes.splice(at..at, words[self.below(words.len())].iter().copied())),
                4 => {
                    let other = &samples[self.below(samples.len())];
                    let from = self.below(other.len() + 1);
                    drop(bytes.splice(at.., other[from..].iter().copied()));
                }
                _ => {
                    let end = (at + self.below(9)).min(bytes.len());
                    let piece = bytes[at.min(end)..end].repeat(self.below(4));
                    drop(bytes.splice(at..at, piece));
                }
            }
        }
        bytes.truncate(BYTES_MAX);
        (which, bytes)
    }
}

/// How long to go on.
struct Effort {
    time: Duration,
    inputs_min: u64,
    seed: u64,
}

impl Effort {
    fn wished() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let (seconds, inputs) = (number("HOTICH_FUZZ_SECONDS"), number("HOTICH_FUZZ_INPUTS"));
        let is_long = seconds.is_some() || inputs.is_some();
        let chance = if is_long { u64::from(std::process::id()) << 32 | 1 } else { 0x9e37_79b9_7f4a_7c15 };
        Self {
            time: seconds.map_or(if is_long { Duration::ZERO } else { ORDINARY }, Duration::from_secs),
            inputs_min: inputs.unwrap_or(ORDINARY_INPUTS),
            seed: number("HOTICH_FUZZ_SEED").unwrap_or(chance),
        }
    }
}

/// Feeds a reader with spoiled samples; how many it took for good shows that the samples are near the truth.
pub(crate) fn check(samples: &[Vec<u8>], words: &[&[u8]], mut read: impl FnMut(&[u8]) -> bool) {
    check_each(samples, words, |_, bytes| read(bytes));
}

/// The same for a reader that is told which of the samples was spoiled: pieces of one whole.
pub(crate) fn check_each(samples: &[Vec<u8>], words: &[&[u8]], mut read: impl FnMut(usize, &[u8]) -> bool) {
    let Effort { time, inputs_min, seed } = Effort::wished();
    let mut dice = Dice(seed);
    for (which, sample) in samples.iter().enumerate() {
        assert!(read(which, sample), "a good sample is read");
    }
    let (began, mut tried, mut good) = (Instant::now(), 0, 0);
    while began.elapsed() < time || tried < inputs_min {
        tried += 1;
        let (which, input) = dice.spoil(samples, words);
        match catch_unwind(AssertUnwindSafe(|| read(which, &input))) {
            Ok(was_read) => good += u64::from(was_read),
            Err(panic) => {
                note(&format!("\"crash\":true,\"sample\":{which},\"inputs\":{tried},\"seed\":{seed}"), Some(&input));
                resume_unwind(panic);
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = tried as f64 / seconds;
    note(
        &format!(
            "\"inputs\":{tried},\"seconds\":{seconds:.1},\"per_second\":{rate:.0},\"read\":{good},\"seed\":{seed}"
        ),
        None,
    );
    assert!(good > 0 && good < tried, "{good} of {tried} were read");
}

/// Adds a line about this reader to the report, where one is wanted, and keeps an input that broke it.
fn note(figures: &str, broken: Option<&[u8]>) {
    let Some(report) = std::env::var_os("HOTICH_FUZZ_REPORT").map(PathBuf::from) else { return };
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("reader");
    let mut file = File::options().create(true).append(true).open(&report).expect("the report can be written");
    writeln!(file, "{{\"reader\":\"{name}\",{figures}}}").expect("the report can be written");
    if let Some(input) = broken {
        std::fs::write(report.with_file_name(format!("{name}.input")), input).expect("the input can be kept");
    }
}
