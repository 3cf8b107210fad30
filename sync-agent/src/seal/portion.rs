//! How much is sealed in one transaction: as much as this machine does, now, in a time that a clerk does not notice.

use tokio::time::Duration;

/// How long one transaction takes, about. A clerk's change waits behind one, and so does a clerk's own transaction, and what
/// the centre says of it; a commit to a good disk takes a third of it.
const TRANSACTION_TIME: Duration = Duration::from_millis(8);
/// The fewest changes of one transaction, or the commits would cost more than the sealing.
const CHANGES_MIN: usize = 100;

/// How many changes the next transaction takes.
#[derive(Debug)]
pub(crate) struct Portion {
    changes: usize,
    min: usize,
    max: usize,
}

impl Portion {
    /// Begins with few; `max` is never passed.
    pub(crate) fn new(max: usize) -> Self {
        let min = CHANGES_MIN.min(max);
        Self { changes: min, min, max }
    }

    pub(crate) const fn changes(&self) -> usize {
        self.changes
    }

    /// So many changes were sealed in such a time. Twice as many follow at most, for a fast one may have been luck.
    pub(crate) fn took(&mut self, changes: usize, time: Duration) {
        if changes < self.changes {
            return;
        }
        let fits = changes as f64 * TRANSACTION_TIME.as_secs_f64() / time.as_secs_f64().max(f64::EPSILON);
        self.changes = (fits as usize).min(changes * 2).clamp(self.min, self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Transactions of a commit and so many microseconds for each change, until the portions stay as they are.
    fn settled(max: usize, commit_ms: u64, change_us: u64) -> usize {
        let mut portion = Portion::new(max);
        for _ in 0..50 {
            let changes = portion.changes();
            portion.took(changes, Duration::from_millis(commit_ms) + Duration::from_micros(changes as u64 * change_us));
        }
        portion.changes()
    }

    #[test]
    fn a_transaction_takes_its_time_on_any_machine() {
        assert!((340..=360).contains(&settled(2_000, 1, 20)), "{}", settled(2_000, 1, 20));
        assert_eq!(settled(2_000, 3, 500), CHANGES_MIN, "never fewer");
        assert_eq!(settled(2_000, 40, 50), CHANGES_MIN, "also where a commit alone takes longer");
        assert_eq!(settled(2_000, 0, 1), 2_000, "never more");
        assert_eq!(settled(6, 3, 50), 6, "also when that is little");
        let mut portion = Portion::new(2_000);
        portion.took(100, Duration::ZERO);
        assert_eq!(portion.changes(), 200);
        portion.took(3, Duration::from_secs(1));
        assert_eq!(portion.changes(), 200, "the rest of a log says nothing");
    }
}
