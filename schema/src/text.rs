//! Three readings of one text, each coarser than the one before: tidy, canonical, folded.

pub mod legacy;
mod vietnamese;

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The five written tones of Vietnamese: huyền, sắc, ngã, hỏi, nặng. The sixth, ngang, is written without a mark.
const TONE_MARKS: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];

/// Characters that keyboards and old fonts put where an apostrophe is meant, as in `K'Brêp`.
pub(crate) const APOSTROPHES: [char; 7] = ['\'', '`', '´', '‘', '’', 'ʼ', '′'];

/// The text as a person would read it: NFC, trimmed, single spaces, nothing invisible.
///
/// Letters, case and the place of tone marks stay as written, so this is what is stored and shown.
pub fn tidy(text: &str) -> String {
    tidied(text).into_owned()
}

/// Whether the text is what [`tidy`] makes of it.
pub(crate) fn is_tidy(text: &str) -> bool {
    matches!(tidied(text), Cow::Borrowed(_)) || tidy(text) == text
}

/// What [`tidy`] makes of the text; the text itself where it is tidy in an obvious way.
pub(crate) fn tidied(text: &str) -> Cow<'_, str> {
    if is_evidently_tidy(text) {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len());
    let mut space_is_due = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space_is_due = !spaced.is_empty();
        } else if !is_invisible(c) {
            if space_is_due {
                spaced.push(' ');
                space_is_due = false;
            }
            spaced.push(c);
        }
    }
    if is_nfc_quick(spaced.chars()) == IsNormalized::Yes { spaced.into() } else { spaced.nfc().collect() }
}

/// Whether the text is of visible Latin letters and signs in composed form with single inner spaces. Nearly every text of
/// the nation is, and to see that is much cheaper than to make it so.
fn is_evidently_tidy(text: &str) -> bool {
    let mut after_space = true;
    for c in text.chars() {
        match c {
            ' ' if !after_space => after_space = true,
            '!'..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{1ea0}'..='\u{1ef9}' => after_space = false,
            _ => return false,
        }
    }
    !after_space || text.is_empty()
}

/// The text with the accidents of spelling removed: two spellings of one Vietnamese name give one canonical text.
///
/// On top of [`tidy`]: lower case; each syllable's tone mark stands after its last letter, so that hòa = hoà and
/// hoàng is one text wherever its mark was typed; a lone final vowel y reads as i, so that Lý = Lí and Quý = Quí,
/// while thúy and thúi, or hay and hai, stay apart; Ð and Ɖ, which old fonts show like Đ, read as Đ. The result is NFC
/// and is for comparing, not for showing.
pub fn canonical(text: &str) -> String {
    let tidy = tidied(text);
    vietnamese::readings(&tidy).map_or_else(|| general_canonical(&tidy), |readings| readings.canonical)
}

/// The canonical and the folded reading of text that is tidy already.
pub(crate) fn readings_of_tidy(tidy: &str) -> (String, String) {
    if let Some(readings) = vietnamese::readings(tidy) {
        return (readings.canonical, readings.folded);
    }
    let canonical = general_canonical(tidy);
    let folded = general_folded(&canonical);
    (canonical, folded)
}

fn general_canonical(text: &str) -> String {
    let mut moved = String::with_capacity(text.len() + 8);
    let mut syllable = Syllable::default();
    for c in text.nfd().flat_map(char::to_lowercase).nfd() {
        if c.is_alphabetic() || is_combining_mark(c) {
            syllable.push(c);
        } else {
            syllable.finish_into(&mut moved);
            moved.push(c);
        }
    }
    syllable.finish_into(&mut moved);
    moved.nfc().collect()
}

/// The canonical text in `a`-`z`, `0`-`9` and single spaces only: no tones, no other marks, đ as d.
///
/// Apostrophes, hyphens, dots and all other punctuation become a space. Latin letters of other languages lose their
/// marks or are spelt out (ø as o, ß as ss). Letters of other scripts have no such form and vanish, so the folded text
/// of a name in Chinese characters is empty.
pub fn folded(text: &str) -> String {
    folded_of_tidy(&tidied(text))
}

/// The folded reading of text that is tidy already.
pub(crate) fn folded_of_tidy(tidy: &str) -> String {
    vietnamese::folded(tidy).unwrap_or_else(|| general_folded(&general_canonical(tidy)))
}

/// The folded reading of canonical text.
fn general_folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut syllable = Syllable::default();
    for c in text.nfkd().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() {
            syllable.push(c);
        } else if let Some(spelt) = ascii_spelling(c) {
            spelt.chars().for_each(|letter| syllable.push(letter));
        } else if c.is_ascii_digit() {
            syllable.finish_into(&mut out);
            out.push(c);
        } else if APOSTROPHES.contains(&c) || !(c.is_alphanumeric() || is_combining_mark(c)) {
            syllable.finish_into(&mut out);
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        }
    }
    syllable.finish_into(&mut out);
    out.truncate(out.trim_end().len());
    out
}

/// Whether the text has no letter outside ASCII and no diacritic, as when a keyboard or a system has lost the marks.
///
/// Such a text neither confirms nor contradicts the marks of another one.
pub fn is_unmarked(text: &str) -> bool {
    !text.chars().any(|c| (c.is_alphabetic() && !c.is_ascii() && !APOSTROPHES.contains(&c)) || is_combining_mark(c))
}

/// The letters and marks between two characters that are neither, in decomposed form.
#[derive(Default)]
struct Syllable {
    letters: Vec<char>,
    tones: Vec<char>,
}

impl Syllable {
    fn push(&mut self, c: char) {
        match c {
            c if TONE_MARKS.contains(&c) => self.tones.push(c),
            'ð' | 'ɖ' => self.letters.push('đ'),
            c => self.letters.push(c),
        }
    }

    /// Writes the letters and then the tones, and starts the next syllable.
    fn finish_into(&mut self, out: &mut String) {
        if ends_in_lone_y(self.letters.iter().copied()) {
            self.letters.pop();
            self.letters.push('i');
        }
        out.extend(self.letters.drain(..));
        out.extend(self.tones.drain(..));
    }
}

/// Whether y is the only vowel of the syllable and its last letter; the u of "qu" belongs to the consonant.
fn ends_in_lone_y(mut letters: impl DoubleEndedIterator<Item = char> + Clone) -> bool {
    if letters.next_back() != Some('y') {
        return false;
    }
    let is_consonant = |c: char| c == 'đ' || (c.is_ascii_lowercase() && !"aeiouy".contains(c));
    letters.clone().eq(['q', 'u']) || (letters.clone().next().is_some() && letters.all(is_consonant))
}

/// The letters of Latin alphabets that Unicode does not decompose: strokes, hooks and joined letters.
fn ascii_spelling(c: char) -> Option<&'static str> {
    Some(match c {
        'đ' | 'ð' | 'ɖ' | 'ɗ' => "d",
        'ƀ' | 'ɓ' => "b",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ĸ' | 'ƙ' => "k",
        'ł' => "l",
        'ŋ' => "ng",
        'ø' | 'ɔ' => "o",
        'ŧ' => "t",
        'ʉ' => "u",
        'ƶ' => "z",
        'ə' | 'ɛ' => "e",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        'þ' => "th",
        _ => return None,
    })
}

/// Control and format characters: they change nothing that a reader sees, and two equal texts would differ by them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e01ef}'
        )
}

#[cfg(test)]
mod tests {
    use super::{canonical, folded, is_unmarked, tidy};
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    fn check(written: &str, tidy_text: &str, folded_text: &str) {
        assert_eq!(tidy(written), tidy_text, "tidy {written:?}");
        assert_eq!(folded(written), folded_text, "folded {written:?}");
    }

    fn check_same(a: &str, b: &str) {
        assert_eq!(canonical(a), canonical(b), "{a:?} and {b:?}");
        assert_eq!(folded(a), folded(b), "{a:?} and {b:?}");
    }

    fn check_apart(a: &str, b: &str) {
        assert_ne!(canonical(a), canonical(b), "{a:?} and {b:?}");
    }

    #[test]
    fn tidies_and_folds() {
        check("  Nguyễn\u{a0} Văn\tHùng \r\n", "Nguyễn Văn Hùng", "nguyen van hung");
        check("ĐẶNG THỊ ĐÀO", "ĐẶNG THỊ ĐÀO", "dang thi dao");
        check("a\u{200b}n\u{ad} \u{7}b", "an b", "an b");
        check("o\u{302}\u{301}", "ố", "o");
        check("K'Brêp Y-Ƀan", "K'Brêp Y-Ƀan", "k brep y ban");
        check("José María O’Neill Jr.", "José María O’Neill Jr.", "jose maria o neill jr");
        check("Łukasz Straße-Øy", "Łukasz Straße-Øy", "lukasz strasse oy");
        check("ＡＢＣ 12", "ＡＢＣ 12", "abc 12");
        check("王小明", "王小明", "");
        check(" \u{200b} ", "", "");
        check("--", "--", "");
    }

    #[test]
    fn spellings_of_one_name_agree() {
        check_same("hòa", "hoà");
        check_same("HÒA", "hoà");
        check_same("thúy", "thuý");
        check_same("Hoàng", "Hòang");
        check_same("Nguyễn", "Nguyêñ");
        check_same("Lý", "Lí");
        check_same("Mỹ", "Mĩ");
        check_same("Kỳ", "Kì");
        check_same("Quý", "Quí");
        check_same("Ðặng", "Đặng");
        check_same("Đỗ", "Đo\u{302}\u{303}");
        check_same("Rịa-Vũng", "Riạ-Vuñg");
    }

    #[test]
    fn different_names_stay_apart() {
        check_apart("thúy", "thúi");
        check_apart("hay", "hai");
        check_apart("Hưng", "Hùng");
        check_apart("Hùng", "Hung");
        check_apart("Đan", "Dan");
        check_apart("Tân", "Tấn");
        check_apart("Y", "I");
        check_apart("Huyên", "Huiên");
        check_apart("hòa an", "hoa àn");
    }

    #[test]
    fn the_tone_stands_after_the_last_letter() {
        assert_eq!(canonical("Hoàng"), "hoang\u{300}");
        assert_eq!(canonical("Lý Hòa"), "lí hoà");
    }

    #[test]
    fn unmarked_means_that_no_letter_bears_a_mark() {
        assert!(is_unmarked("Nguyen Van O’Hung 2"));
        assert!(!is_unmarked("Nguyen Văn Hung"));
        assert!(!is_unmarked("Dan\u{323}"));
        assert!(!is_unmarked("Đan"));
        assert!(is_unmarked(""));
    }

    /// Text with what goes wrong in practice: loose marks, other cases, invisible characters, other scripts.
    fn messy_text() -> impl Strategy<Value = String> {
        let known: Vec<char> = "aăâeêioôơuưyqhnglđĐÐYÝỹớàÀñøßİςΣ'’.-  \t2中ªǅ½´Åﬁ\
             \u{300}\u{301}\u{303}\u{309}\u{323}\u{302}\u{31b}\u{304}\u{200b}\u{34f}\u{345}"
            .chars()
            .collect();
        let one = prop_oneof![4 => proptest::sample::select(known), 1 => any::<char>()];
        proptest::collection::vec(one, 0..24).prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn every_reading_is_idempotent(text in messy_text()) {
            let (t, c, f) = (tidy(&text), canonical(&text), folded(&text));
            prop_assert_eq!(tidy(&t), t);
            prop_assert_eq!(canonical(&c), c);
            prop_assert_eq!(folded(&f), f);
        }

        #[test]
        fn what_is_evidently_tidy_is_tidy(text in messy_text()) {
            let spaced = text.split(|c: char| c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            let visible: String = spaced.chars().filter(|c| !super::is_invisible(*c)).collect();
            prop_assert!(!super::is_evidently_tidy(&text) || text == visible.nfc().collect::<String>());
            prop_assert_eq!(super::is_tidy(&text), tidy(&text) == text);
        }

        #[test]
        fn the_form_of_unicode_does_not_matter(text in messy_text()) {
            let (nfc, nfd): (String, String) = (text.nfc().collect(), text.nfd().collect());
            prop_assert_eq!(tidy(&nfc), tidy(&nfd));
            prop_assert_eq!(canonical(&nfc), canonical(&nfd));
        }

        #[test]
        fn each_reading_can_start_from_a_finer_one(text in messy_text()) {
            prop_assert_eq!(canonical(&tidy(&text)), canonical(&text));
            prop_assert_eq!(folded(&canonical(&text)), folded(&text));
        }

        #[test]
        fn folded_text_is_plain_ascii_words(text in messy_text()) {
            let f = folded(&text);
            prop_assert!(f.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ' '));
            prop_assert!(!f.contains("  ") && f.trim() == f);
            prop_assert!(is_unmarked(&f));
        }
    }
}
