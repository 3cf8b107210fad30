//! In which form a whole book or file was written.

use std::collections::HashMap;

use super::syllable::{LEGAL_BITS, Standing, standing};
use super::{Legacy, is_only_unicode, tcvn3, telex, vni};

/// What a form must be ahead of Unicode to be believed, in bits: three clear words.
const BITS_MIN: i64 = 24;
/// What one word can say for a form or against it, in bits, so that no odd word decides.
const WORD_BITS_MAX: i64 = 10;
/// What a word says for a form when it becomes a syllable that no name of the list has.
const LEGAL_BITS_MAX: i64 = 4;
/// What a word says against a form that makes no syllable of it.
const ILLEGAL_BITS: i64 = -6;
/// One word in so many must become a known syllable.
const KNOWN_SHARE: u64 = 4;
/// How many words a teller remembers, a few megabytes: names and addresses are made of some thousands.
const REMEMBERED_WORDS_MAX: usize = 32 * 1024;
/// The longest word that is remembered, in bytes: longer ones are no syllables, and hardly come again.
const REMEMBERED_BYTES_MAX: usize = 32;

/// What the texts of one group say about the form that they were written in: sums over words, so neither order nor
/// grouping matters, and a few numbers whatever the size of the group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vote {
    tallies: [Tally; Legacy::ALL.len()],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    /// How much likelier the words are when they are decoded.
    bits: i64,
    /// Words that say something.
    words: u64,
    /// Words that become known syllables.
    known: u64,
}

/// Counts texts for votes. What a word says depends on the word alone, so it is found out once.
#[derive(Debug, Default)]
pub struct Teller {
    remembered: HashMap<Box<str>, Findings>,
}

impl Teller {
    /// Counts a text for the group of this vote.
    pub fn count(&mut self, text: &str, vote: &mut Vote) {
        for word in text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty()) {
            vote.add(&self.findings(word));
        }
    }

    fn findings(&mut self, word: &str) -> Findings {
        if let Some(known) = self.remembered.get(word) {
            return *known;
        }
        let findings = findings(word);
        if word.len() <= REMEMBERED_BYTES_MAX && self.remembered.len() < REMEMBERED_WORDS_MAX {
            self.remembered.insert(word.into(), findings);
        }
        findings
    }
}

impl Vote {
    fn add(&mut self, findings: &Findings) {
        self.tallies.iter_mut().zip(findings).for_each(|(tally, finding)| tally.add(*finding));
    }

    /// Counts the texts of another group as well.
    pub fn absorb(&mut self, other: &Self) {
        for (tally, other) in self.tallies.iter_mut().zip(&other.tallies) {
            tally.bits += other.bits;
            tally.words += other.words;
            tally.known += other.known;
        }
    }

    /// The form that makes the group Vietnamese; `None` when it is Unicode, has no marks, is another language, or says
    /// too little.
    #[must_use]
    pub fn decide(&self) -> Option<Legacy> {
        let tallies = Legacy::ALL.into_iter().zip(&self.tallies);
        let best = tallies.max_by_key(|(_, tally)| tally.bits)?;
        let is_sure = best.1.bits >= BITS_MIN && best.1.known * KNOWN_SHARE >= best.1.words;
        is_sure.then_some(best.0)
    }

    /// The same for a book of a file: a book that says too little by itself was written like the file, unless
    /// something in it speaks against that.
    #[must_use]
    pub fn decide_within(&self, file: &Self) -> Option<Legacy> {
        let of_file = || file.decide().filter(|legacy| self.tallies[*legacy as usize].bits >= 0);
        self.decide().or_else(of_file)
    }
}

/// What one word says about every form, in the order of [`Legacy::ALL`].
type Findings = [Option<Finding>; Legacy::ALL.len()];

/// What one word says about one form.
#[derive(Debug, Clone, Copy)]
struct Finding {
    bits: i64,
    is_known: bool,
}

impl Finding {
    const fn of(bits: i64) -> Self {
        Self { bits, is_known: false }
    }
}

impl Tally {
    fn add(&mut self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.bits += finding.bits;
            self.words += 1;
            self.known += u64::from(finding.is_known);
        }
    }
}

/// Whether a character can be part of a word in any form: letters, and what the codes of letters look like.
fn is_of_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic() || tcvn3::letter(c).is_some();
    }
    // The letters of Vietnamese, without a look into the tables.
    ('\u{1ea0}'..='\u{1ef9}').contains(&c)
        || c.is_alphabetic()
        || ('\u{a1}'..='\u{ff}').contains(&c)
        || ('\u{300}'..='\u{36f}').contains(&c)
        || tcvn3::letter(c).is_some()
}

/// What a word says about every form.
fn findings(word: &str) -> Findings {
    if word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return [None, None, of_ascii_word(word)];
    }
    let raw = standing(word);
    let is_unicode = word.chars().any(is_only_unicode);
    let by = |decoded| if is_unicode { Some(Finding::of(-WORD_BITS_MAX)) } else { of_word(word, raw, decoded) };
    let by_telex = Finding::of(if raw.is_some() { -3 } else { -2 });
    [by(by_tcvn3), by(by_vni), Some(by_telex)]
}

fn by_tcvn3(word: &str) -> String {
    word.chars().map(|c| tcvn3::letter(c).unwrap_or(c)).collect()
}

fn by_vni(word: &str) -> String {
    vni::decode(word).into_owned()
}

/// What a word with other than ASCII letters says for a form.
fn of_word(word: &str, raw: Option<Standing>, decoded: fn(&str) -> String) -> Option<Finding> {
    let decoded = decoded(word);
    let gain = match standing(&decoded) {
        Some(standing) => {
            let cost = cost(standing);
            let gain = raw.map_or_else(|| foreign_cost(word) - cost, |raw| (self::cost(raw) - cost).min(0));
            match standing {
                Standing::Known(_) => {
                    return Some(Finding { bits: gain.clamp(-WORD_BITS_MAX, WORD_BITS_MAX), is_known: raw.is_none() });
                }
                Standing::Legal => gain.min(LEGAL_BITS_MAX),
            }
        }
        // A name of another people, whose letters were garbled and are letters now.
        None if raw.is_none() && !is_tidy(word) && is_tidy(&decoded) => 0,
        None => ILLEGAL_BITS,
    };
    Some(Finding::of(gain.max(-WORD_BITS_MAX)))
}

/// What an ASCII word says for Telex; nothing when it is Vietnamese without keys.
fn of_ascii_word(word: &str) -> Option<Finding> {
    match telex::word(word) {
        Some((decoded, Standing::Known(_))) => {
            let bits = if telex::has_tone(&decoded) { WORD_BITS_MAX } else { 3 };
            Some(Finding { bits, is_known: telex::has_tone(&decoded) })
        }
        Some((_, Standing::Legal)) => Some(Finding::of(1)),
        None if standing(word).is_some() || word.len() < 2 => None,
        None if telex::has_keys(word) => Some(Finding::of(ILLEGAL_BITS)),
        None => Some(Finding::of(-2)),
    }
}

const fn cost(standing: Standing) -> i64 {
    match standing {
        Standing::Known(bits) => bits,
        Standing::Legal => LEGAL_BITS,
    }
}

/// The bits that a word costs which is no syllable: by its letters, more for letters with marks, for signs inside a
/// word, and for capitals behind small letters.
fn foreign_cost(word: &str) -> i64 {
    let mut before = ' ';
    let mut bits = 0;
    for c in word.chars() {
        bits += match c {
            _ if c.is_ascii_alphabetic() => 5,
            _ if c.is_alphabetic() && !matches!(c, 'ª' | 'º' | 'µ') => 8,
            _ => 16,
        };
        bits += if before.is_lowercase() && c.is_uppercase() { 6 } else { 0 };
        before = c;
    }
    bits
}

/// Whether a word is made of letters, in small ones, capitals or small ones behind a capital.
fn is_tidy(word: &str) -> bool {
    let is_letter = |c: char| c.is_alphabetic() && !matches!(c, 'ª' | 'º' | 'µ');
    let rest = || word.chars().skip(1);
    word.chars().all(is_letter) && (rest().all(char::is_lowercase) || rest().all(char::is_uppercase))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::super::syllable::tests::known;
    use super::super::{decode, tcvn3, telex, vni};
    use super::*;

    type Encoder = fn(&str) -> String;

    const ENCODERS: [(Legacy, Encoder); 3] = [
        (Legacy::Tcvn3, tcvn3::tests::encode),
        (Legacy::Vni, vni::tests::encode),
        (Legacy::Telex, telex::tests::encode),
    ];

    fn vote<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vote {
        let (mut teller, mut vote) = (Teller::default(), Vote::default());
        texts.into_iter().for_each(|text| teller.count(text, &mut vote));
        vote
    }

    #[track_caller]
    fn check(texts: &str, expected: Option<Legacy>) {
        let vote = vote(texts.split(','));
        assert_eq!(vote.decide(), expected, "{vote:?}");
    }

    #[test]
    fn one_clear_name_is_enough_and_one_doubtful_word_never() {
        check("NguyÔn V¨n Hïng", Some(Legacy::Tcvn3));
        check("Nguyeãn Vaên Huøng", Some(Legacy::Vni));
        check("Nguyeenx Vawn Hungf, Traanf Thij Hoaf", Some(Legacy::Telex));
        check("Hoà", None);
        check(&["Hoà"; 500].join(","), None);
        check(&["Hoàng"; 500].join(","), None);
        check("Lª", None);
        check("", None);
    }

    #[test]
    fn other_languages_and_peoples_are_left_alone() {
        for names in [
            "José García,Núñez Muñoz,São Paulo,João Conceição,Iñaki Ibáñez,Nº 12,Peña",
            "Hélène Lefèvre,François Besançon,Éloïse Saint-Étienne,Jérôme Benoît,Loïc,Loïc,Loïc,Loïc,Zoé,Noël,Où,Côme,Été",
            "Müller,Jörg Köln,Groß,Ångström,Søren Kjær,Łukasz,Dvořák",
            "Y Ban Niê,H'Hen Niê,Y Blơ Êban,Ksor Kơk,Rơ Châm H'Bluh,Kpă Klơng,Buôn Ma Thuột,Êđê",
            "Thạch Sô Phia,Kim Sa Rinh,Lâm Êm,Sơn Thị Sà Phol,Danh Ngây,Châu Ôn",
            "James Lewis Johnson,Mary Ross,Thomas Has,Boris Max,Lee Law Shaw,Alex Fox,Hans Jansen,Tom Cruz",
            "Kim Min Soo,Lee Hoon,Park Ji Sung,Choi Soo Jin,Lee Jae Yong,Yoon Mi Rae,Lee Moon Hee,Woo Seo Joon",
            "Nguyen Van Hung,Tran Thi Hoa,Le Duc Tho,Pham Quoc Khanh,Vo Xuan Truong,Dang Thi Xoan",
            "NguyÃªn VÄƒn HÃ¹ng,Tráº§n Thá»‹ HoÃ ,LÃª Äá»©c,VÃµ XuÃ¢n,Pháº¡m Thá»‹ TÃº",
            "王小明,Иванов Иван,김민수",
        ] {
            check(names, None);
            check(&[names; 40].join(","), None);
        }
    }

    #[test]
    fn minorities_among_others_are_decoded_with_them() {
        check("Y Ban Niª,H'Hen Niª,NguyÔn ThÞ Hoa,Y Thu\u{e9}t £ban,Bu«n Ma Thu\u{e9}t", Some(Legacy::Tcvn3));
    }

    #[test]
    fn a_book_that_says_too_little_was_written_like_its_file() {
        let file = vote(["Nguyeãn Vaên Huøng", "Traàn Thò Hoaø"]);
        assert_eq!(vote(["Hoà"]).decide_within(&file), Some(Legacy::Vni));
        assert_eq!(vote(["Lê Hồ Hoà"]).decide_within(&file), None);
        assert_eq!(vote(["NguyÔn V¨n Hïng"]).decide_within(&file), Some(Legacy::Tcvn3));
        assert_eq!(vote(["Hoà"]).decide_within(&Vote::default()), None);
    }

    #[test]
    fn what_was_remembered_is_what_would_be_found() {
        let words = ["NguyÔn", "Hoà", "Lee", "Thò", "Trần", "Vawn", &"aø".repeat(40), "Hoà", "Trần", "Lee", "NguyÔn"];
        let once = words.iter().fold(Vote::default(), |mut vote, word| {
            Teller::default().count(word, &mut vote);
            vote
        });
        assert_eq!(vote(words), once);
        let mut teller = Teller::default();
        (0..REMEMBERED_WORDS_MAX + 9).for_each(|number| {
            let letters = number.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
            teller.count(&letters, &mut Vote::default());
        });
        assert_eq!(teller.remembered.len(), REMEMBERED_WORDS_MAX);
    }

    #[test]
    fn the_letters_of_words_are_those_of_unicode() {
        for c in '\0'..=char::MAX {
            let is_of_word = c.is_alphabetic()
                || ('\u{a1}'..='\u{ff}').contains(&c)
                || ('\u{300}'..='\u{36f}').contains(&c)
                || tcvn3::letter(c).is_some();
            assert_eq!(super::is_of_word(c), is_of_word, "{c:?}");
        }
    }

    #[test]
    fn neither_order_nor_grouping_matters() {
        let names = ["NguyÔn V¨n Hïng", "Hoà", "Lee", "Thò", "Trần", "Vawn"];
        let mut parts = vote(names[..2].iter().copied().rev());
        parts.absorb(&vote(names[2..].iter().copied().rev()));
        assert_eq!(parts, vote(names));
    }

    fn names(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
        let title = |word: &str| -> String {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
        };
        let syllable = proptest::sample::select(known()).prop_map(title);
        let family = proptest::sample::select(vec!["Nguyễn", "Trần", "Lê", "Phạm", "Hồ", "Vũ", "Đặng", "Hà", "Lý"]);
        let name = (family, proptest::collection::vec(syllable, 1..4));
        proptest::collection::vec(name.prop_map(|(family, rest)| format!("{family} {}", rest.join(" "))), count)
    }

    proptest! {
        #[test]
        fn every_form_is_found_and_restored(names in names(20..40), capital in any::<bool>()) {
            let names: Vec<_> = names.into_iter().map(|name| if capital { name.to_uppercase() } else { name }).collect();
            for (legacy, encode) in ENCODERS {
                let written: Vec<String> = names.iter().map(|name| encode(name)).collect();
                prop_assert_eq!(vote(written.iter().map(String::as_str)).decide(), Some(legacy));
                for (written, name) in written.iter().zip(&names) {
                    let canonical = crate::text::canonical(&decode(written, legacy));
                    prop_assert_eq!(canonical, crate::text::canonical(name), "{}", written);
                }
            }
        }

        #[test]
        fn unicode_and_text_without_marks_are_never_decoded(names in names(1..60), capital in any::<bool>()) {
            let text = if capital { names.join(",").to_uppercase() } else { names.join(",") };
            for text in [text.clone(), text.nfd().collect(), crate::text::folded(&text)] {
                let vote = vote(text.split(','));
                prop_assert_eq!(vote.decide(), None, "{:?}", vote);
            }
        }
    }
}
