//! Names compared: equal, alike but for slips, in another order, or different.

use std::borrow::Cow;

use registry_schema::name::PersonName;
use registry_schema::sex::Sex;

use super::edition::{Edition, Position};
use super::level::{Criterion, Level};
use super::score::Score;
use super::token::Token;

/// Words of a name that are compared; longer names are titles and aliases, and their middle is cut.
const WORDS_MAX: usize = 8;
/// Middle names count for this share of their rarity, in hundredths, and at most so much.
const MIDDLE_SHARE: i32 = 80;
const MIDDLE_BITS_MAX: i32 = 8_000;
/// An initial counts for this share of the rarity of the name it may stand for, in hundredths.
const INITIAL_SHARE: i32 = 25;

/// A name ready to be compared: family name first, given name last, as Vietnamese names are written.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    tokens: Box<[Token]>,
    /// The rarity of the whole name.
    bits: i32,
    /// Whether no word has a mark, as when a keyboard lost them all.
    unmarked: bool,
}

/// How two words agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Different,
    Initial,
    Slip,
    Variant,
    MarksDiffer,
    Equal,
}

/// What comparing two names came to, for whoever decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Verdict {
    /// Whether both sides have a name.
    pub(crate) compared: bool,
    /// Whether the given names are those of two people.
    pub(crate) given_differs: bool,
    /// Whether one of two different given names is no name that the edition knows.
    pub(crate) odd: bool,
    /// Whether the family names differ.
    pub(crate) family_differs: bool,
    /// Whether a middle name, a mark or one of several given names differs, as between twins.
    pub(crate) as_of_twins: bool,
}

impl Verdict {
    /// Whether the given or the family name is another.
    pub(crate) const fn is_another(self) -> bool {
        self.given_differs || self.family_differs
    }
}

impl Name {
    /// The name as the edition weighs it; `None` for a text that stands where no name is known.
    pub(crate) fn of(name: &PersonName, sex: Sex, edition: &Edition) -> Option<Self> {
        if edition.is_filler(name.folded()) {
            return None;
        }
        let words = words(name);
        let last = words.len().checked_sub(1)?;
        let mut tokens = Vec::with_capacity(words.len());
        for (at, (folded, canonical)) in words.into_iter().enumerate() {
            let position = match at {
                _ if at == last => Position::Given,
                0 => Position::Family,
                _ => Position::Middle,
            };
            let mut token = Token::new(&folded, canonical);
            (token.bits, token.known) = edition.syllable_bits(position, sex, &folded);
            tokens.push(token);
        }
        let sum = tokens.iter().map(|token| token.bits).sum();
        let bits = edition.whole_name_bits(name.folded(), sum);
        let unmarked = !tokens.iter().any(|token| token.marked);
        Some(Self { tokens: tokens.into(), bits, unmarked })
    }

    /// The words, family name first.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// -log2 of the share of people who bear the name, in thousandths of a bit.
    pub(crate) const fn bits(&self) -> i32 {
        self.bits
    }

    /// The given name.
    pub(crate) fn given(&self) -> &Token {
        self.tokens.last().expect("a name has at least one word")
    }

    /// The family name, when there is one beside the given name.
    pub(crate) fn family(&self) -> Option<&Token> {
        self.tokens.first().filter(|_| self.tokens.len() > 1)
    }

    /// The letters of the whole name.
    pub(crate) fn letters(&self) -> Box<[u8]> {
        let words: Vec<&[u8]> = self.tokens.iter().map(Token::letters).collect();
        words.join(&b' ').into()
    }

    /// Weighs each word anew: by its place, the last place, and itself.
    pub(crate) fn weigh(&mut self, rarity: impl Fn(usize, usize, &Token) -> (i32, bool)) {
        let last = self.tokens.len() - 1;
        for (at, token) in self.tokens.iter_mut().enumerate() {
            (token.bits, token.known) = rarity(at, last, token);
        }
    }

    /// Weighs the whole name anew: the sum of its words, at most so much.
    pub(crate) fn weigh_whole(&mut self, bits_max: i32) {
        self.bits = self.tokens.iter().map(|token| token.bits).sum::<i32>().min(bits_max);
    }

    fn middle(&self) -> &[Token] {
        let last = self.tokens.len() - 1;
        self.tokens.get(1..last).unwrap_or_default()
    }

    fn same_letters(&self, other: &Self) -> bool {
        self.tokens.len() == other.tokens.len()
            && self.tokens.iter().zip(&other.tokens).all(|(one, other)| one.same_letters(other))
    }

    fn same_words(&self, other: &Self) -> bool {
        let sorted = |name: &Self| {
            let mut words: Vec<Box<[u8]>> = name.tokens.iter().map(|token| token.letters().into()).collect();
            words.sort_unstable();
            words
        };
        self.tokens.len() == other.tokens.len() && sorted(self) == sorted(other)
    }

    fn same_joined(&self, other: &Self) -> bool {
        let joined = |name: &Self| name.tokens.iter().flat_map(|token| token.letters().to_vec()).collect::<Vec<u8>>();
        self.tokens.len() != other.tokens.len() && joined(self) == joined(other)
    }
}

/// The words of a name in folded and canonical form.
fn words(name: &PersonName) -> Vec<(Cow<'_, str>, &str)> {
    let mut words = name.words();
    if words.len() > WORDS_MAX {
        words.drain(WORDS_MAX - 1..words.len() - 1);
    }
    words
}

/// How two names are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// What the lines are about.
    pub(crate) criterion: Criterion,
    /// Whose name it is.
    pub(crate) whose: Whose,
    /// Whether both stand under one number of one book: then one known name can be a slip of another.
    pub(crate) one_entry: bool,
}

/// Whose name it is, which decides how much a difference weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The participant's own.
    Own,
    /// A parent's, spouse's or child's.
    Kin,
    /// A father's whose family name the child bears: it says nothing new.
    FatherOfName,
}

/// Adds the comparison of two names to a score.
pub(crate) fn compare(
    a: Option<&Name>,
    b: Option<&Name>,
    manner: Manner,
    edition: &Edition,
    score: &mut Score,
) -> Verdict {
    let (Some(a), Some(b)) = (a, b) else { return Verdict::default() };
    let mut pen = Pen { a, b, manner, edition, score };
    let verdict = Verdict { compared: true, ..Verdict::default() };
    let family = if manner.whose == Whose::FatherOfName { a.family().map_or(0, |token| token.bits) } else { 0 };
    if a.same_letters(b) {
        pen.write(Level::NameEqual, (a.bits - family).max(0));
        pen.marks();
        let as_of_twins = a.tokens.iter().zip(&b.tokens).any(|(a, b)| pen.agreement(a, b) == Agreement::MarksDiffer);
        return Verdict { as_of_twins, ..verdict };
    }
    if a.same_words(b) {
        pen.write(Level::NameReordered, (a.bits.min(b.bits) - family).max(0));
        return verdict;
    }
    if a.same_joined(b) {
        pen.write(Level::NameJoined, (a.bits.min(b.bits) - family).max(0));
        return verdict;
    }
    pen.parts(verdict)
}

/// Writes the lines of one comparison of names.
struct Pen<'a> {
    a: &'a Name,
    b: &'a Name,
    manner: Manner,
    edition: &'a Edition,
    score: &'a mut Score,
}

impl Pen<'_> {
    fn write(&mut self, level: Level, bits: i32) {
        self.score.add(self.manner.criterion, level, bits, self.edition);
    }

    /// Marks that conflict, syllable by syllable; a side that has lost all its marks contradicts nothing.
    fn marks(&mut self) {
        if self.a.unmarked || self.b.unmarked {
            return;
        }
        let conflicts = self.a.tokens.iter().zip(&self.b.tokens).filter(|(one, other)| one.marks_differ(other)).count();
        (0..conflicts).for_each(|_| self.write(Level::MarksDiffer, 0));
    }

    fn agreement(&self, one: &Token, other: &Token) -> Agreement {
        if one.same_letters(other) {
            let differ = !self.a.unmarked && !self.b.unmarked && one.marks_differ(other);
            return if differ { Agreement::MarksDiffer } else { Agreement::Equal };
        }
        if self.edition.is_variant(one.letters(), other.letters()) {
            Agreement::Variant
        } else if one.is_slip_of(other) || (self.manner.one_entry && one.is_near(other)) {
            Agreement::Slip
        } else if one.is_initial_of(other) {
            Agreement::Initial
        } else {
            Agreement::Different
        }
    }

    fn parts(&mut self, mut verdict: Verdict) -> Verdict {
        let (a, b) = (self.a, self.b);
        let given = self.agreement(a.given(), b.given());
        let swapped = match (a.family(), b.family()) {
            (Some(one), Some(other)) if given == Agreement::Different => {
                self.agreement(one, b.given()).min(self.agreement(a.given(), other))
            }
            _ => Agreement::Different,
        };
        if swapped > Agreement::Initial {
            let bits = a.bits.min(b.bits);
            self.write(Level::NameReordered, bits);
            if swapped < Agreement::MarksDiffer {
                self.write(Level::GivenTypo, 0);
            }
            return verdict;
        }
        let elsewhere = given == Agreement::Different && self.given_elsewhere();
        if elsewhere {
            let bits = a.given().bits.min(b.given().bits);
            self.write(Level::GivenElsewhere, bits);
        } else {
            verdict.given_differs = given == Agreement::Different;
            verdict.odd = verdict.given_differs && !(a.given().known && b.given().known);
            self.write_given(given);
        }
        verdict.family_differs = self.write_family();
        // Who differs in both is somebody else: what stands between says nothing more.
        let middle_differs = !(verdict.given_differs && verdict.family_differs) && self.write_middle();
        let two_known = given == Agreement::Slip && a.given().known && b.given().known;
        verdict.as_of_twins = elsewhere || middle_differs || two_known || given == Agreement::MarksDiffer;
        verdict
    }

    /// Whether the given name of the shorter name is a middle name of the longer one, which has all its other words too:
    /// one of several given names was left out.
    fn given_elsewhere(&self) -> bool {
        let (short, long) = if self.a.tokens.len() < self.b.tokens.len() { (self.a, self.b) } else { (self.b, self.a) };
        let stands = |token: &Token| {
            long.tokens.iter().any(|other| matches!(self.agreement(token, other), Agreement::Equal | Agreement::Slip))
        };
        short.tokens.len() < long.tokens.len() && short.tokens.iter().all(stands)
    }

    fn write_given(&mut self, agreement: Agreement) {
        let bits = self.a.given().bits.min(self.b.given().bits);
        match agreement {
            Agreement::Equal => self.write(Level::GivenEqual, bits),
            Agreement::MarksDiffer => {
                self.write(Level::GivenEqual, bits);
                self.write(Level::MarksDiffer, 0);
            }
            Agreement::Variant => self.write(Level::GivenVariant, bits),
            Agreement::Slip => self.write(Level::GivenTypo, bits),
            Agreement::Initial => self.write(Level::GivenEqual, bits * INITIAL_SHARE / 100),
            Agreement::Different if self.manner.whose == Whose::Own => self.write(Level::GivenDiffers, 0),
            Agreement::Different => self.write(Level::ParentGivenDiffers, 0),
        }
    }

    /// Returns whether the family names differ.
    fn write_family(&mut self) -> bool {
        let (Some(one), Some(other)) = (self.a.family(), self.b.family()) else { return false };
        if self.manner.whose == Whose::FatherOfName {
            return false;
        }
        let bits = one.bits.min(other.bits);
        let agreement = self.agreement(one, other);
        match agreement {
            Agreement::Equal => self.write(Level::FamilyEqual, bits),
            Agreement::MarksDiffer => {
                self.write(Level::FamilyEqual, bits);
                self.write(Level::MarksDiffer, 0);
            }
            Agreement::Variant => self.write(Level::FamilyVariant, bits),
            Agreement::Slip => self.write(Level::FamilyTypo, bits),
            Agreement::Initial => self.write(Level::FamilyEqual, bits * INITIAL_SHARE / 100),
            Agreement::Different => self.write(Level::FamilyDiffers, 0),
        }
        agreement == Agreement::Different
    }

    /// Middle names agree in any order; what remains on one side was left out, on both sides it differs, which is told.
    fn write_middle(&mut self) -> bool {
        let (a, b) = (self.a.middle(), self.b.middle());
        let mut left: Vec<&Token> = b.iter().collect();
        let mut unmatched = 0;
        let (mut bits, mut slips) = (0, 0);
        for token in a {
            let found = left
                .iter()
                .map(|other| self.agreement(token, other))
                .enumerate()
                .filter(|(_, agreement)| *agreement > Agreement::Different)
                .max_by_key(|(at, agreement)| (*agreement, std::cmp::Reverse(*at)));
            match found {
                Some((at, agreement)) => {
                    let other = left.remove(at);
                    bits += token.bits.min(other.bits) * MIDDLE_SHARE / 100;
                    slips += usize::from(agreement < Agreement::MarksDiffer);
                }
                None => unmatched += 1,
            }
        }
        if bits > 0 {
            self.write(Level::MiddleEqual, bits.min(MIDDLE_BITS_MAX));
            (0..slips).for_each(|_| self.write(Level::MiddleTypo, 0));
        }
        let differ = left.len().min(unmatched);
        (0..differ).for_each(|_| self.write(Level::MiddleDiffers, 0));
        (differ..left.len().max(unmatched)).take(2).for_each(|_| self.write(Level::MiddleMissing, 0));
        differ > 0
    }
}
