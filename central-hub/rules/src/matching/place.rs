//! Places compared: by code within an edition of the catalogue, by words where there is no code.

use registry_schema::place::{Gazetteer, Place};

use super::edition::Edition;
use super::level::{Criterion, Level};
use super::score::Score;
use super::token::Token;

/// Words of a place that are compared; addresses are shorter.
const WORDS_MAX: usize = 16;
/// Words that say what a place is and not which.
const GENERIC: [&str; 18] = [
    "xa", "phuong", "thi", "tran", "huyen", "quan", "tinh", "thanh", "pho", "tp", "tx", "tt", "thon", "ap", "ban",
    "to", "khu", "tai",
];
/// Of places that agree in part, the words that agree count for this share of their rarity, in hundredths.
const PARTLY_SHARE: i32 = 60;
/// Each word that stands against another one takes away so much.
const WORD_AGAINST: i32 = -1_200;

/// A place in words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Box<[Token]>);

impl Words {
    /// The words of a folded text.
    pub(crate) fn of(folded: &str, edition: &Edition) -> Option<Self> {
        let words = folded.split(' ').filter(|word| !word.is_empty() && !GENERIC.contains(word)).take(WORDS_MAX);
        let token = |word: &str| Token::new(word, word).weighing(edition.place_word_bits(word));
        let tokens: Box<[Token]> = words.map(token).collect();
        (!tokens.is_empty() && !edition.is_filler(folded)).then_some(Self(tokens))
    }

    /// Whether both name the same words in the same order.
    pub(crate) fn same_words(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(one, other)| one.same_letters(other))
    }

    /// Weighs each word anew.
    pub(crate) fn weigh(&mut self, rarity: impl Fn(&[u8]) -> i32) {
        for word in &mut self.0 {
            word.bits = rarity(word.letters());
        }
    }

    /// The words.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.0
    }
}

/// What makes a partial agreement neutral.
const NOTHING_SAID: i32 = 1_000;

/// What the comparison of two places came to.
type Finding = (Level, i32);

/// Compares two places in words.
pub(crate) fn by_words(a: &Words, b: &Words, edition: &Edition) -> Finding {
    let mut left: Vec<&Token> = b.0.iter().collect();
    let (mut bits, mut unmatched, mut slips) = (0, 0, 0);
    for word in &a.0 {
        let equal = left.iter().position(|other| other.same_letters(word));
        let slip = || left.iter().position(|other| other.is_slip_of(word));
        let found = equal.map(|at| (at, false)).or_else(|| slip().map(|at| (at, true)));
        match found {
            Some((at, slipped)) => {
                bits += word.bits.min(left.remove(at).bits);
                slips += i32::from(slipped);
            }
            None => unmatched += 1,
        }
    }
    let against = i32::try_from(left.len()).unwrap_or(0).min(unmatched);
    let bits = bits.min(edition.place_bits_max);
    if bits == 0 {
        return (Level::PlaceDiffers, 0);
    }
    if unmatched == 0 && left.is_empty() {
        return (Level::PlaceEqual, bits + slips * WORD_AGAINST);
    }
    (Level::PlacePartly, bits * PARTLY_SHARE / 100 + (against + slips) * WORD_AGAINST)
}

/// Compares two coded places: equal within one edition, in one province across editions, or different.
pub(crate) fn by_code(a: Place, b: Place, edition: &Edition) -> Finding {
    if a.edition() == b.edition() && a.commune().is_some() && a.commune() == b.commune() {
        return (Level::PlaceEqual, edition.place_bits_max);
    }
    if a == b {
        return (Level::PlaceEqual, edition.place_word_bits * 2);
    }
    if Gazetteer::builtin().same_province_later(a, b) {
        return (Level::PlacePartly, 0);
    }
    // Codes of communes changed in 2025 without the catalogue saying which became which.
    if a.edition() == b.edition() { (Level::PlaceDiffers, 0) } else { (Level::PlacePartly, NOTHING_SAID) }
}

/// Adds what is best of several comparisons of places that say much the same.
pub(crate) fn add_best(findings: impl IntoIterator<Item = Finding>, edition: &Edition, score: &mut Score) {
    let worth = |finding: &Finding| edition.weight(finding.0) + finding.1;
    if let Some((level, bits)) = findings.into_iter().max_by_key(worth) {
        score.add(Criterion::Place, level, bits, edition);
    }
}
