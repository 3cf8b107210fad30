//! Resend: a state that is known already is absorbed, however often it comes.
//!
//! Reason: one act is entered once (Law on Civil Status 60/2014/QH13); a network that repeats itself registers nothing.

use crate::arrival::{Rank, State};

/// Whether this state of the record is known.
pub fn is_resend(known: &[Rank], arrived: &State) -> bool {
    known.contains(&arrived.rank())
}

#[cfg(test)]
mod tests {
    use registry_schema::clock::Hlc;
    use registry_schema::ids::Version;

    use super::*;

    #[test]
    fn equal_states_are_one_and_any_difference_makes_two() {
        let state = |version, clock, bytes: &[u8]| State::new(Version(version), Hlc::from_number(clock), bytes);
        let known = [state(1, 5, b"a").rank()];
        assert!(is_resend(&known, &state(1, 5, b"a")));
        for other in [state(2, 5, b"a"), state(1, 6, b"a"), state(1, 5, b"b")] {
            assert!(!is_resend(&known, &other));
        }
    }
}
