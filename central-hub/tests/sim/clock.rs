//! Wall clocks: one simulated time, and what each machine makes of it.

use std::cell::{Cell, RefCell};

use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// When every simulation begins: 2010, so that no skewed clock comes near the machine's own. No change is sealed later
/// than the daemon's clock says, so the machine's own clock, which SQLite's triggers note, never shows.
const BASE_MS: i64 = 1_262_304_000_000;
/// Machines whose clocks may go wrong: the centre, three provinces, and a copy of one of them.
pub(crate) const CLOCKS: usize = 5;
/// The centre's clock.
pub(crate) const CENTRE: usize = 0;

thread_local! {
    static NOW_MS: Cell<i64> = const { Cell::new(0) };
    static SKEWS: RefCell<[i64; CLOCKS]> = const { RefCell::new([0; CLOCKS]) };
    static CHANCE: RefCell<ChaCha8Rng> = RefCell::new(ChaCha8Rng::seed_from_u64(0));
}

/// Sets every clock right, and everything that is drawn in the programs anew.
pub(crate) fn begin(seed: u64) {
    NOW_MS.set(0);
    SKEWS.set([0; CLOCKS]);
    CHANCE.set(ChaCha8Rng::seed_from_u64(seed));
}

/// The simulation has come so far.
pub(crate) fn pass(now_ms: i64) {
    NOW_MS.set(now_ms);
}

/// Milliseconds since the simulation began.
pub(crate) fn elapsed_ms() -> i64 {
    turmoil::sim_elapsed().map_or_else(|| NOW_MS.get(), |elapsed| i64::try_from(elapsed.as_millis()).unwrap())
}

/// Lets a clock go wrong from now on.
pub(crate) fn skew(clock: usize, ms: i64) {
    SKEWS.with_borrow_mut(|skews| skews[clock] = ms);
}

fn wall_ms(clock: usize) -> i64 {
    BASE_MS + elapsed_ms() + SKEWS.with_borrow(|skews| skews[clock])
}

/// What the centre takes the time to be.
pub(crate) fn centre_ms() -> i64 {
    wall_ms(CENTRE)
}

fn province_ms<const CLOCK: usize>() -> u64 {
    wall_ms(CLOCK).cast_unsigned()
}

/// What each province takes the time to be.
pub(crate) const PROVINCES_MS: [fn() -> u64; CLOCKS - 1] =
    [province_ms::<1>, province_ms::<2>, province_ms::<3>, province_ms::<4>];

/// What the programs draw.
pub(crate) fn chance() -> [u8; 32] {
    let mut bytes = [0; 32];
    CHANCE.with_borrow_mut(|chance| chance.fill_bytes(&mut bytes));
    bytes
}
