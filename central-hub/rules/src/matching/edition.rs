//! An edition: the frozen frequencies, weights and thresholds under which everything is compared.
//!
//! Likeness must not move with what has been seen so far, so nothing here is ever counted while the nation is judged. A
//! better table is a new edition with a new name, and a planned judgement of everything under it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use registry_schema::date::PartialDate;
use registry_schema::sex::Sex;
use rustc_hash::FxHashMap;

use super::level::Level;

/// The frequencies of the national edition.
const NATIONAL: &str = include_str!("../../data/national_1.tsv");
/// The rarity of a name that no table knows. The sample knows next to nobody of the minorities, among whom one clan's name
/// is borne by one in some hundreds, so that what it does not know is not as rare as it looks.
const UNSEEN_BITS: i32 = 11_000;
/// No full name counts as rarer than this: the parts of a name are not independent, and a nation of fifty million has
/// some 640,000 names.
const WHOLE_NAME_BITS_MAX: i32 = 17_500;
/// -log2 of one year among the 75 of which most entries speak.
const YEAR_BITS: i32 = 6_200;
/// -log2 of one day of a year, and of 1 January, which three entries in a hundred give for an unknown day.
const DAY_BITS: i32 = 8_500;
const FIRST_OF_JANUARY_BITS: i32 = 5_000;
/// Each word of a place counts this much, up to a commune among the eleven thousand of the nation.
const PLACE_WORD_BITS: i32 = 2_200;
/// No place counts for more than one commune among all.
const PLACE_BITS_MAX: i32 = 12_000;
/// People of whom the national registry speaks: how many bearers of a rare block value to expect.
const PEOPLE_BITS: i32 = 26_000;
/// Bearers of one tuple among the whole people up to which the tuple is a block, in log2 of thousandths: eight.
const BEARERS_BITS_MAX: i32 = 3_000;

/// Which part of a name a frequency is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Table {
    Family,
    MiddleMale,
    MiddleFemale,
    GivenMale,
    GivenFemale,
}

impl Table {
    const NAMES: [(&'static str, Self); 5] = [
        ("family", Self::Family),
        ("middle_male", Self::MiddleMale),
        ("middle_female", Self::MiddleFemale),
        ("given_male", Self::GivenMale),
        ("given_female", Self::GivenFemale),
    ];
}

/// The place of a token in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Family,
    Middle,
    Given,
}

/// Where the zones of a score begin, in thousandths of a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Entries of one event: linked without asking.
    pub automatic: i32,
    /// Entries of one event: a human is asked.
    pub manual: i32,
    /// Entries of one life: linked, when nobody else is nearly as likely.
    pub life: i32,
    /// Entries of one life: kept as a candidate.
    pub candidate: i32,
    /// Two participants with less than this are never one person, whoever joins them.
    pub apart: i32,
}

/// Frequencies, weights and thresholds, with the name under which they are frozen.
#[derive(Debug, Clone)]
pub struct Edition {
    pub(crate) name: String,
    pub(crate) weights: Vec<i32>,
    /// By [`Table`].
    syllables: [FxHashMap<Box<str>, i32>; Table::NAMES.len()],
    pub(crate) unseen_bits: i32,
    pub(crate) whole_names: FxHashMap<Box<str>, i32>,
    pub(crate) whole_name_bits_max: i32,
    /// The other forms of a folded syllable.
    variants: BTreeMap<Box<[u8]>, BTreeSet<Box<[u8]>>>,
    fillers: BTreeSet<Box<str>>,
    pub(crate) years: FxHashMap<i16, i32>,
    pub(crate) days: FxHashMap<(u8, u8), i32>,
    pub(crate) dates: FxHashMap<PartialDate, i32>,
    pub(crate) place_words: FxHashMap<Box<str>, i32>,
    pub(crate) place_word_bits: i32,
    pub(crate) place_bits_max: i32,
    pub(crate) people_bits: i32,
    pub(crate) bearers_bits_max: i32,
    /// Where the zones begin.
    pub thresholds: Thresholds,
}

impl Edition {
    /// The edition under which the nation is judged.
    #[must_use]
    pub fn national() -> &'static Self {
        static EDITION: OnceLock<Edition> = OnceLock::new();
        EDITION.get_or_init(|| {
            let mut edition = Self::bare("national-1");
            edition.read(NATIONAL);
            edition
        })
    }

    /// The weights and thresholds of the national edition without any frequency, for sets from elsewhere.
    pub(crate) fn bare(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            weights: Level::ALL.iter().map(|level| level.national_weight()).collect(),
            syllables: Default::default(),
            unseen_bits: UNSEEN_BITS,
            whole_names: FxHashMap::default(),
            whole_name_bits_max: WHOLE_NAME_BITS_MAX,
            variants: BTreeMap::new(),
            fillers: BTreeSet::new(),
            years: FxHashMap::default(),
            days: FxHashMap::from_iter([((1, 1), FIRST_OF_JANUARY_BITS)]),
            dates: FxHashMap::default(),
            place_words: FxHashMap::default(),
            place_word_bits: PLACE_WORD_BITS,
            place_bits_max: PLACE_BITS_MAX,
            people_bits: PEOPLE_BITS,
            bearers_bits_max: BEARERS_BITS_MAX,
            thresholds: Thresholds { automatic: 6_000, manual: 0, life: 4_250, candidate: -2_000, apart: -5_000 },
        }
    }

    /// The national frequencies dropped, its regional forms and fillers kept.
    pub(crate) fn unfrozen(name: &str) -> Self {
        let national = Self::national();
        Self { variants: national.variants.clone(), fillers: national.fillers.clone(), ..Self::bare(name) }
    }

    fn read(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (Some(table), Some(value), Some(last)) = (columns.next(), columns.next(), columns.next()) else {
                continue;
            };
            match table {
                "variant" => self.learn_variant(value.as_bytes(), last.as_bytes()),
                "filler" => {
                    self.fillers.insert(value.into());
                }
                _ => {
                    let table = Table::NAMES.iter().find(|(name, _)| *name == table);
                    if let (Some((_, table)), Ok(bits)) = (table, last.parse()) {
                        self.syllables[*table as usize].insert(value.into(), bits);
                    }
                }
            }
        }
    }

    /// The name under which the edition is frozen.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// log2 of the number of people of whom the registry speaks, in thousandths of a bit.
    pub(crate) const fn people_bits(&self) -> i32 {
        self.people_bits
    }

    /// log2 of the bearers of one tuple among the whole people up to which the tuple is a block, in thousandths.
    pub(crate) const fn bearers_bits_max(&self) -> i32 {
        self.bearers_bits_max
    }

    /// What a level counts, in thousandths of a bit.
    #[must_use]
    pub fn weight(&self, level: Level) -> i32 {
        self.weights[level.index()]
    }

    /// The rarity of a syllable in its place, and whether it is known there.
    pub(crate) fn syllable_bits(&self, position: Position, sex: Sex, folded: &str) -> (i32, bool) {
        let look = |table: Table| self.syllables[table as usize].get(folded).copied();
        let (male, female) = match position {
            Position::Family => (look(Table::Family), None),
            Position::Middle => (look(Table::MiddleMale), look(Table::MiddleFemale)),
            Position::Given => (look(Table::GivenMale), look(Table::GivenFemale)),
        };
        let bits = match sex {
            Sex::Male => male.or(female),
            Sex::Female if position != Position::Family => female.or(male),
            // Of unknown sex: as common as where it is commoner, which claims least.
            _ => male.into_iter().chain(female).min(),
        };
        (bits.unwrap_or(self.unseen_bits), bits.is_some())
    }

    /// The rarity of a full name, from its own count where it has one, else from its parts.
    pub(crate) fn whole_name_bits(&self, folded: &str, sum: i32) -> i32 {
        let counted = self.whole_names.get(folded).copied().unwrap_or(i32::MAX);
        sum.min(self.whole_name_bits_max).min(counted)
    }

    /// Whether two folded syllables are forms of one name.
    pub(crate) fn is_variant(&self, a: &[u8], b: &[u8]) -> bool {
        self.variants.get(a).is_some_and(|forms| forms.contains(b))
    }

    /// The one form that stands for all forms of a name, and for those of which they are forms in turn.
    pub(crate) fn one_form<'a>(&'a self, word: &'a [u8]) -> &'a [u8] {
        let (mut least, mut reached, mut at) = (word, vec![word], 0);
        while let Some(form) = reached.get(at) {
            for further in self.variants.get(*form).into_iter().flatten() {
                if !reached.contains(&further.as_ref()) {
                    reached.push(further);
                    least = least.min(further);
                }
            }
            at += 1;
        }
        least
    }

    /// Learns that two words are forms of one name.
    pub(crate) fn learn_variant(&mut self, a: &[u8], b: &[u8]) {
        for (form, other) in [(a, b), (b, a)] {
            self.variants.entry(form.into()).or_default().insert(other.into());
        }
    }

    /// Whether a folded text stands where no name is known.
    pub(crate) fn is_filler(&self, folded: &str) -> bool {
        self.fillers.contains(folded)
    }

    /// The rarity of a year of birth.
    pub(crate) fn year_bits(&self, date: PartialDate) -> i32 {
        self.years.get(&date.year()).copied().unwrap_or(YEAR_BITS)
    }

    /// The rarity of a date, as far as it is known.
    pub(crate) fn date_bits(&self, date: PartialDate) -> i32 {
        let year = self.year_bits(date);
        match (date.month(), date.day()) {
            (Some(month), Some(day)) => {
                let day = self.days.get(&(day, month)).copied().unwrap_or(DAY_BITS);
                (year + day).min(self.dates.get(&date).copied().unwrap_or(i32::MAX))
            }
            (Some(_), None) => year + 3_585,
            _ => year,
        }
    }

    /// The rarity of a word of a place.
    pub(crate) fn place_word_bits(&self, word: &str) -> i32 {
        self.place_words.get(word).copied().unwrap_or(self.place_word_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_national_edition_is_frozen() {
        let edition = Edition::national();
        let bits = |position, sex, name| edition.syllable_bits(position, sex, name);
        assert_eq!(edition.name(), "national-1");
        assert_eq!(bits(Position::Family, Sex::Female, "nguyen"), (2_078, true));
        assert_eq!(bits(Position::Middle, Sex::Female, "thi"), (1_015, true));
        assert_eq!(bits(Position::Given, Sex::Male, "xyz"), (UNSEEN_BITS, false));
        assert!(edition.is_variant(b"huynh", b"hoang") && edition.is_variant(b"hoang", b"huynh"));
        assert_eq!(edition.one_form(b"huynh"), edition.one_form(b"hoang"));
        assert_ne!(edition.one_form(b"nguyen"), edition.one_form(b"hoang"));
        assert!(edition.is_filler("khong ro") && !edition.is_filler("hung"));
    }

    #[test]
    fn a_syllable_of_unknown_sex_counts_as_where_it_is_commoner() {
        let edition = Edition::national();
        let of = |sex| edition.syllable_bits(Position::Given, sex, "anh").0;
        assert_eq!(of(Sex::Unknown), of(Sex::Male).min(of(Sex::Female)));
    }

    #[test]
    fn the_first_of_january_is_common() {
        let edition = Edition::national();
        let date = |text| edition.date_bits(PartialDate::parse(text).unwrap());
        assert!(date("01.01.1980") < date("02.01.1980"));
        assert!(date("1980") < date("04.1980") && date("04.1980") < date("02.04.1980"));
    }
}
