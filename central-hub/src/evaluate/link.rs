//! From the linker to the sample: places instead of participants.

use hub_rules::bulk::Linked;
use hub_rules::matching;

use super::sample::{Links, Sample, Scored, Zone};

impl From<matching::Zone> for Zone {
    fn from(zone: matching::Zone) -> Self {
        match zone {
            matching::Zone::Automatic => Self::Automatic,
            matching::Zone::Manual => Self::Review,
            matching::Zone::Candidate | matching::Zone::None => Self::Candidate,
        }
    }
}

impl Links {
    /// What was linked, by places in a sample; participants that are not in it are passed over.
    #[must_use]
    pub fn of(sample: &Sample, linked: &Linked) -> Self {
        let scored = linked.pairs.iter().filter_map(|pair| {
            let (a, b) = (sample.place(pair.a)?, sample.place(pair.b)?);
            let zone = pair.zone.into();
            Some(Scored { a: a.min(b), b: a.max(b), millibits: pair.millibits, zone, together: pair.together })
        });
        // Whoever is alone is a person of one: numbers behind those of the persons of several.
        let first_alone = linked.persons.len() as u32;
        let mut found: Vec<u32> = (first_alone..).take(sample.nodes().len()).collect();
        for (number, person) in (0..).zip(&linked.persons) {
            for place in person.iter().filter_map(|node| sample.place(*node)) {
                found[place as usize] = number;
            }
        }
        Self { scored: scored.collect(), found, candidates: linked.candidates }
    }
}
