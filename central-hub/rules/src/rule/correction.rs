//! Correction: the later valid state of a record is in force, and every earlier one is kept.
//!
//! Reason: cải chính, thay đổi and bổ sung change the entry and leave the note of what it said before (Law on Civil
//! Status 60/2014/QH13, art. 3, 26 to 29). A state that is not valid never displaces a valid one.

use crate::reading::Reading;

/// The state that is in force among several of one record, whatever the order in which they came.
pub fn present<'a>(states: impl Iterator<Item = &'a Reading>) -> Option<&'a Reading> {
    states.max_by_key(|reading| reading.rank())
}

#[cfg(test)]
mod tests {
    use registry_schema::clock::Hlc;
    use registry_schema::draft::Draft;
    use registry_schema::field::{Attribute, Field, Role};
    use registry_schema::ids::Version;
    use registry_schema::kind::{Kind, Status};
    use registry_schema::{canonical, text};

    use super::*;
    use crate::arrival::State;

    fn reading(version: u32, clock: u64, name: &str) -> Reading {
        let draft = Draft::new(Kind::Death)
            .with(Field::entry(Attribute::Authority), "01.00001")
            .with(Field::new(Role::Deceased, Attribute::Name), &text::tidy(name));
        let bytes = canonical::encode(&draft, Status::Active);
        let key = "01@2008/1".parse().unwrap();
        Reading::of(key, State::new(Version(version), Hlc::from_number(clock), bytes))
    }

    fn check(states: &[Reading], expected: usize) {
        let forward = present(states.iter()).map(Reading::rank);
        assert_eq!(forward, Some(states[expected].rank()));
        assert_eq!(present(states.iter().rev()).map(Reading::rank), forward);
    }

    #[test]
    fn the_later_version_is_in_force_whenever_it_came() {
        check(&[reading(2, 1, "Lê An"), reading(1, 9, "Lê Ân")], 0);
    }

    #[test]
    fn of_one_version_written_twice_the_later_clock_is_in_force() {
        check(&[reading(1, 1, "Lê An"), reading(1, 2, "Lê Ân")], 1);
    }

    #[test]
    fn an_invalid_correction_leaves_the_valid_state_in_force() {
        check(&[reading(1, 1, "Lê An"), reading(2, 2, "12345")], 0);
    }
}
