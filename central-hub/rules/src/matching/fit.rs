//! An edition estimated from a set itself: frequencies by counting, weights from the pairs that were linked.
//!
//! For sets from elsewhere only. The nation is judged under a frozen edition, and nothing here is reached from there.

use std::collections::HashMap;

use registry_schema::date::PartialDate;
use registry_schema::sex::Sex;

use super::edition::{Edition, Table, Thresholds};
use super::level::{Criterion, Level};
use super::profile::{Person, Profile};
use super::score::{Score, Side, score};

/// A value is known as a name from so many bearers on, or from one in so many people.
const KNOWN_FROM: u32 = 5;
const KNOWN_SHARE: u32 = 4_000;
/// Pairs of linked entries in which two given names change places, from which they are forms of one name: so many, and
/// one in so many of the rarer name's.
const VARIANT_FROM: u32 = 5;
const VARIANT_SHARE: u32 = 20;
/// Pairs linked from which weights are estimated at all.
const PAIRS_MIN: usize = 200;
/// Random pairs from which it is estimated how often levels are met between two people.
const RANDOM_PAIRS: usize = 200_000;
/// Bearers of one tuple up to which it is a block, in log2 of thousandths: eight as in the nation, and up to sixty-four in
/// a small set, where somebody may stand ten times over and looking is cheap.
const BEARERS_BITS: (i32, i32) = (3_000, 6_000);
/// Entries times bearers, in log2 of thousandths: what bounds the comparisons of a set.
const COMPARISONS_BITS: i32 = 21_200;
/// Where linking begins in a set of single people, and where two of a cluster are kept apart, in thousandths of a bit:
/// entries of one person may be far from one another there, with others between them.
const AUTOMATIC_WITHOUT_KIN: i32 = 3_000;
const APART: i32 = -14_000;
/// How many pairs' worth the national weights count for beside those of the set.
const NATIONAL_PAIRS: f64 = 20.0;
/// No estimated weight of a disagreement goes below this, in thousandths of a bit.
const WEIGHT_MIN: i32 = -12_000;

/// -log2 of a share, in thousandths.
fn bits(count: f64, of: f64) -> i32 {
    // Shares are between one in a billion and one, so the result fits.
    #[allow(clippy::cast_possible_truncation)]
    let bits = (-(count / of).log2() * 1000.0).round() as i32;
    bits.max(0)
}

/// The letters of a word or of a whole name.
type Letters = Box<[u8]>;

#[derive(Default)]
struct Counts {
    people: f64,
    syllables: HashMap<(Table, Letters), u32>,
    names: HashMap<Letters, u32>,
    years: HashMap<i16, u32>,
    days: HashMap<(u8, u8), u32>,
    dates: HashMap<PartialDate, u32>,
    dated: f64,
    place_words: HashMap<Letters, u32>,
    places: f64,
}

impl Counts {
    fn person(&mut self, person: &Person) {
        self.people += 1.0;
        if let Some(name) = &person.name {
            let last = name.tokens().len() - 1;
            for (at, token) in name.tokens().iter().enumerate() {
                for table in tables(at, last, person.sex) {
                    *self.syllables.entry((*table, token.letters().into())).or_default() += 1;
                }
            }
            *self.names.entry(name.letters()).or_default() += 1;
        }
        if let Some(born) = person.born {
            self.dated += 1.0;
            *self.years.entry(born.year()).or_default() += 1;
            if let (Some(day), Some(month)) = (born.day(), born.month()) {
                *self.days.entry((day, month)).or_default() += 1;
                *self.dates.entry(born).or_default() += 1;
            }
        }
        for words in person.origin.iter().chain(&person.residence) {
            self.places += 1.0;
            words.tokens().iter().for_each(|word| *self.place_words.entry(word.letters().into()).or_default() += 1);
        }
    }
}

const fn tables(at: usize, last: usize, sex: Sex) -> &'static [Table] {
    match (at, sex) {
        (at, Sex::Male) if at == last => &[Table::GivenMale],
        (at, Sex::Female) if at == last => &[Table::GivenFemale],
        (at, _) if at == last => &[Table::GivenMale, Table::GivenFemale],
        (0, _) => &[Table::Family],
        (_, Sex::Male) => &[Table::MiddleMale],
        (_, Sex::Female) => &[Table::MiddleFemale],
        _ => &[Table::MiddleMale, Table::MiddleFemale],
    }
}

impl Edition {
    /// Counts names, dates and places, and weighs the profiles by them.
    pub(crate) fn fit_frequencies(&mut self, profiles: &mut [Profile]) {
        let mut counts = Counts::default();
        for profile in profiles.iter() {
            profile.people.iter().for_each(|person| counts.person(person));
            if let Some(words) = &profile.place_words {
                counts.places += 1.0;
                words
                    .tokens()
                    .iter()
                    .for_each(|word| *counts.place_words.entry(word.letters().into()).or_default() += 1);
            }
        }
        *self = Self::unfrozen("fitted");
        self.unseen_bits = bits(0.5, counts.people.max(1.0));
        self.whole_name_bits_max = self.unseen_bits + 3_000;
        self.place_bits_max = 20_000;
        self.place_word_bits = bits(0.5, counts.places.max(1.0));
        self.years = counts.years.iter().map(|(year, count)| (*year, bits(f64::from(*count), counts.dated))).collect();
        self.days = counts.days.iter().map(|(day, count)| (*day, bits(f64::from(*count), counts.dated))).collect();
        // A date that only a record and its copies bear is as rare as its year and day say.
        let crowded = counts.dates.iter().filter(|(_, count)| **count > 3);
        self.dates = crowded.map(|(date, count)| (*date, bits(f64::from(*count - 2), counts.dated))).collect();
        #[allow(clippy::cast_precision_loss)]
        let entries = profiles.len().max(2) as f64;
        self.people_bits = bits(1.0, entries);
        self.bearers_bits_max = (COMPARISONS_BITS - self.people_bits).clamp(BEARERS_BITS.0, BEARERS_BITS.1);
        for profile in profiles.iter_mut() {
            profile.weigh(self, &counts);
        }
        let pairs = entries * (entries - 1.0) / 2.0;
        let prior = -bits(DUPLICATES_EXPECTED * entries, pairs);
        self.weights[Level::PriorOneEvent.index()] = prior;
        self.weights[Level::PriorOneLife.index()] = prior;
        // Without parents there are no twins to be told apart, and more may be linked on less.
        let kin = profiles.iter().any(|profile| profile.people.len() > 1);
        let automatic = if kin { self.thresholds.automatic } else { AUTOMATIC_WITHOUT_KIN };
        self.thresholds = Thresholds { automatic, apart: APART, ..self.thresholds };
        self.weights[Level::PaperEqual.index()] = bits(0.5, entries).max(12_000);
    }

    /// Learns from pairs that were linked which given names are forms of one: those that change places again and again.
    pub(crate) fn fit_variants<'a>(&mut self, linked: impl Iterator<Item = (Side<'a>, Side<'a>)>) {
        let mut met: HashMap<(Letters, Letters), u32> = HashMap::new();
        let mut borne: HashMap<Letters, u32> = HashMap::new();
        for (one, other) in linked {
            let (Some(one), Some(other)) = (&one.person.name, &other.person.name) else { continue };
            let (one, other) = (one.given(), other.given());
            *borne.entry(one.letters().into()).or_default() += 1;
            *borne.entry(other.letters().into()).or_default() += 1;
            if !one.same_letters(other) {
                let pair = (one.letters().min(other.letters()), one.letters().max(other.letters()));
                *met.entry((pair.0.into(), pair.1.into())).or_default() += 1;
            }
        }
        for ((one, other), count) in met {
            let rarer = borne[&one].min(borne[&other]);
            if count >= VARIANT_FROM && count.saturating_mul(VARIANT_SHARE) >= rarer {
                self.learn_variant(&one, &other);
            }
        }
    }

    /// Estimates how often each level is met between entries of one person, from pairs that were linked.
    pub(crate) fn fit_weights(&mut self, linked: &[Score], profiles: &[Profile]) {
        if linked.len() < PAIRS_MIN {
            return;
        }
        let (met, compared) = tally(linked.iter());
        let random = random_scores(profiles, self);
        let (by_chance, chances) = tally(random.iter());
        for level in Level::ALL {
            let Some(criterion) = estimated(*level) else { continue };
            let key = (criterion, *level);
            let (Some(of), Some(random_of)) = (compared.get(&criterion), chances.get(&criterion)) else { continue };
            let chance = (by_chance.get(&key).copied().unwrap_or(0.0) + 0.5) / (random_of + 1.0);
            let national = (f64::from(self.weight(*level)) / 1000.0).exp2() * chance;
            let share =
                (met.get(&key).copied().unwrap_or(0.0) + national.min(1.0) * NATIONAL_PAIRS) / (of + NATIONAL_PAIRS);
            #[allow(clippy::cast_possible_truncation)]
            let weight = ((share / chance).log2() * 1000.0).round() as i32;
            self.weights[level.index()] = weight.max(WEIGHT_MIN);
        }
        #[allow(clippy::cast_precision_loss)]
        let (entries, found) = (profiles.len().max(2) as f64, linked.len() as f64);
        self.weights[Level::PriorOneEvent.index()] = -bits(found, entries * (entries - 1.0) / 2.0);
    }
}

/// Of a set, one entry in ten is held to be a duplicate before anything is known.
const DUPLICATES_EXPECTED: f64 = 0.1;

/// The levels without a frequency of their own, whose weight can be counted.
const fn estimated(level: Level) -> Option<Criterion> {
    match level {
        Level::GivenDiffers | Level::FamilyDiffers => Some(Criterion::Name),
        Level::DateSlip
        | Level::DateTwoOfThree
        | Level::DateNear
        | Level::DateYearOnly
        | Level::DateYearNear
        | Level::DateFar => Some(Criterion::BirthDate),
        Level::PlaceDiffers => Some(Criterion::Place),
        Level::PaperSlip | Level::PaperDiffers => Some(Criterion::Paper),
        _ => None,
    }
}

type Tally = (HashMap<(Criterion, Level), f64>, HashMap<Criterion, f64>);

/// How often each level was met, and how often its criterion was compared.
fn tally<'a>(scores: impl Iterator<Item = &'a Score>) -> Tally {
    let (mut met, mut compared) = (HashMap::new(), HashMap::new());
    for score in scores {
        let mut criteria: Vec<Criterion> = score.lines.iter().map(|line| line.criterion).collect();
        criteria.dedup();
        criteria.into_iter().for_each(|criterion| *compared.entry(criterion).or_default() += 1.0);
        for line in &score.lines {
            *met.entry((line.criterion, line.level)).or_default() += 1.0;
        }
    }
    (met, compared)
}

/// Scores of pairs picked by a fixed sequence: hardly any of them is of one person.
fn random_scores(profiles: &[Profile], edition: &Edition) -> Vec<Score> {
    /// Knuth's multiplier of a linear congruential sequence.
    const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
    let mut state = 1_u64;
    let mut pick = || {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(1);
        usize::try_from(state >> 33).unwrap_or(0) % profiles.len()
    };
    let pairs = (0..RANDOM_PAIRS).map(|_| (pick(), pick()));
    pairs
        .filter(|(one, other)| one != other)
        .filter_map(|(one, other)| {
            let (one, other) = (&profiles[one], &profiles[other]);
            let role = one.people.first()?.role;
            Some(score(Side::new(one, role)?, Side::new(other, role)?, edition))
        })
        .collect()
}

impl Profile {
    /// Weighs names and places by what was counted.
    fn weigh(&mut self, edition: &Edition, counts: &Counts) {
        for person in &mut self.people {
            let sex = person.sex;
            if let Some(name) = &mut person.name {
                let letters = name.letters();
                name.weigh(|at, last, token| {
                    let of =
                        |table: &Table| counts.syllables.get(&(*table, token.letters().into())).copied().unwrap_or(0);
                    let count = tables(at, last, sex).iter().map(of).max().unwrap_or(0);
                    let known = count >= KNOWN_FROM && count.saturating_mul(KNOWN_SHARE) >= people(counts);
                    (bits((f64::from(count) - 0.5).max(0.5), counts.people), known)
                });
                let count = counts.names.get(&letters).copied().unwrap_or(0);
                let crowded = if count > 3 { bits(f64::from(count - 2), counts.people) } else { i32::MAX };
                name.weigh_whole(edition.whole_name_bits_max.min(crowded));
            }
            for words in person.origin.iter_mut().chain(&mut person.residence) {
                words.weigh(|word| rarity(word, counts));
            }
        }
        if let Some(words) = &mut self.place_words {
            words.weigh(|word| rarity(word, counts));
        }
    }
}

fn people(counts: &Counts) -> u32 {
    // A set has fewer than four billion people.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let people = counts.people as u32;
    people
}

fn rarity(word: &[u8], counts: &Counts) -> i32 {
    let count = counts.place_words.get(word).copied().unwrap_or(0);
    bits((f64::from(count) - 0.5).max(0.5), counts.places.max(1.0))
}
