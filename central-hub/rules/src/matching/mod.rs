//! Whether two participants are one person: a pure function of two entries and the frozen edition.
//!
//! Name and date of birth alone never prove anything here: five to eight in a hundred people share both with somebody.
//! So every agreement counts by its rarity, every disagreement counts against, and the sum lands in a zone: linked,
//! asked about, kept as a candidate, or nothing. What cannot be one person is barred, whatever the sum.

mod token;
mod level;
mod edition;
mod name;
mod date;
mod place;
mod profile;
mod score;
mod waterfall;
mod agree;
mod fit;
mod sketch;

pub use agree::{PRINCIPALS, dates_compatible, names_agree, names_close, same_couple};
pub use edition::{Edition, Thresholds};
pub use level::{Criterion, Level};
pub(crate) use place::Words;
pub use profile::Profile;
pub(crate) use profile::{Event, Person};
pub use score::{Bar, Score, Sense, Side, score};
pub use sketch::Sketch;
pub(crate) use token::Token;
pub use waterfall::{Waterfall, WaterfallLine, Zone};

use registry_schema::field::Role;
use registry_schema::record::Participant;

use crate::finding::Evidence;
use crate::node::Node;
use crate::reading::Entry;

/// How alike two participants are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Perhaps one life; too little is known to say, and nobody is asked.
    Candidate,
    /// A human must look: something agrees that seldom agrees by chance, and something speaks against it.
    Possible,
    /// One life, unless somebody else is nearly as likely.
    Likely,
    /// One person.
    Same,
}

/// Why two participants are held to be alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// How alike they are.
    pub likeness: Likeness,
    /// What counts when relations compete: the strongest is joined first.
    pub strength: i32,
    /// Whether nothing but two personal numbers keeps them apart.
    pub numbers_differ: bool,
    /// What counted; `None` where a human joined them.
    pub score: Option<Score>,
}

/// Strength of a human's word: before everything else.
const BY_VERDICT: i32 = i32::MAX;
/// What equal personal numbers add to the strength of a pair: they are joined before anything that is only alike.
const BY_NUMBER: i32 = 1_000_000;

/// A participant in its entry.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// The person as named there.
    pub person: &'a Participant,
    /// The entry as matching sees it.
    pub profile: &'a Profile,
}

impl<'a> Part<'a> {
    /// The participant.
    #[must_use]
    pub const fn node(&self) -> Node {
        Node::new(self.entry.key, self.person.role)
    }

    fn side(self) -> Option<Side<'a>> {
        Side::new(self.profile, self.person.role)
    }
}

impl Relation {
    /// What a human said.
    #[must_use]
    pub const fn by_verdict() -> Self {
        Self { likeness: Likeness::Same, strength: BY_VERDICT, numbers_differ: false, score: None }
    }

    /// Why, in words.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        match &self.score {
            Some(score) => score.evidence(),
            None => vec![Evidence::new("an operator judged them the same", "cán bộ đã kết luận là một")],
        }
    }
}

/// Compares two participants under the national edition; the same for `(a, b)` and `(b, a)`.
#[must_use]
pub fn compare(a: Part<'_>, b: Part<'_>) -> Option<Relation> {
    relate(a.side()?, b.side()?, Edition::national())
}

/// Whether two participants can never be one person, whoever else is alike to both; the same for `(a, b)` and `(b, a)`.
#[must_use]
pub fn apart(a: Part<'_>, b: Part<'_>) -> bool {
    match (a.side(), b.side()) {
        (Some(a), Some(b)) => kept_apart(a, b, Edition::national()),
        _ => true,
    }
}

/// What the score of two participants makes of them.
#[must_use]
pub fn relate(a: Side<'_>, b: Side<'_>, edition: &Edition) -> Option<Relation> {
    let score = score(a, b, edition);
    let thresholds = edition.thresholds;
    let numbers_differ = score.bar == Some(Bar::TwoNumbers);
    let parents = !a.person.is_principal() || !b.person.is_principal();
    let likeness = match score.bar {
        Some(Bar::OneEntry) => None,
        // One number on two people is a contradiction that somebody must hear of.
        Some(_) if score.numbers_equal => Some(Likeness::Possible),
        Some(Bar::TwoNumbers) if score.sense == Sense::OneEvent => {
            let rest = score.without(Criterion::PersonalNumber);
            (rest >= thresholds.automatic).then_some(Likeness::Possible)
        }
        Some(Bar::TwoSexes) if a.person.role == Role::Child && score.name_is_equal() => {
            (score.millibits >= thresholds.automatic).then_some(Likeness::Possible)
        }
        Some(Bar::TwoGivenNames) if score.odd_name && !parents => {
            (score.millibits >= thresholds.automatic).then_some(Likeness::Possible)
        }
        Some(_) => None,
        None if score.numbers_equal && score.identity_agrees => Some(Likeness::Same),
        None if score.numbers_equal => Some(Likeness::Possible),
        None => match (score.sense, score.millibits) {
            (Sense::OneEvent, bits) if bits >= thresholds.automatic && score.doubtful => Some(Likeness::Possible),
            (Sense::OneEvent, bits) if bits >= thresholds.automatic => Some(Likeness::Same),
            (Sense::OneLife, bits) if bits >= thresholds.life => Some(Likeness::Likely),
            // Nobody is asked about parents: the children's entries are asked about.
            _ if parents => None,
            (Sense::OneEvent, bits) if bits >= thresholds.manual => Some(Likeness::Possible),
            (Sense::OneLife, bits) if bits >= thresholds.candidate => Some(Likeness::Candidate),
            _ => None,
        },
    };
    let strength = score.millibits + if score.numbers_equal { BY_NUMBER } else { 0 };
    Some(Relation { likeness: likeness?, strength, numbers_differ, score: Some(score) })
}

/// Whether two participants can never be one person under an edition.
#[must_use]
pub fn kept_apart(a: Side<'_>, b: Side<'_>, edition: &Edition) -> bool {
    let score = score(a, b, edition);
    if score.numbers_equal {
        return matches!(score.bar, Some(Bar::OneEntry | Bar::TwoSexes)) || !score.identity_agrees;
    }
    score.bar.is_some() || (score.sense == Sense::OneEvent && score.millibits < edition.thresholds.apart)
}
