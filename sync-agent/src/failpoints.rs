//! Failpoints: named places before and behind every durable step, at which a crash test ends the program as a power cut
//! would. Only builds with the feature `failpoints` have them.
//!
//! `HOTICH_FAILPOINTS=NAME=N` ends the program when it passes NAME for the Nth time, and adds NAME to the file
//! `HOTICH_FAILPOINTS_HIT`.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// Arms what the environment names, separated by commas. A name without a number means the first time.
///
/// # Errors
/// The library does not take a name.
pub fn arm() -> Result<(), String> {
    let armed = std::env::var("HOTICH_FAILPOINTS").unwrap_or_default();
    for one in armed.split(',').filter(|one| !one.is_empty()) {
        let (name, nth) = one.split_once('=').unwrap_or((one, "1"));
        let nth: u32 = nth.parse().map_err(|_| format!("HOTICH_FAILPOINTS: {one} is not NAME=N"))?;
        let (name, passed) = (name.to_owned(), AtomicU32::new(0));
        fail::cfg_callback(name.clone(), move || {
            if passed.fetch_add(1, Ordering::Relaxed) + 1 == nth {
                end(&name);
            }
        })?;
    }
    Ok(())
}

/// Ends the program without another word, like `kill -9`.
fn end(name: &str) {
    if let Some(hit) = std::env::var_os("HOTICH_FAILPOINTS_HIT") {
        let _ = File::options().create(true).append(true).open(hit).and_then(|mut file| writeln!(file, "{name}"));
    }
    let _ = kill_process(getpid(), Signal::KILL);
    // The signal ends every thread at once; until then this one goes no further.
    std::thread::sleep(std::time::Duration::from_secs(10));
}
