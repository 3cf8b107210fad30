//! The canonical and folded readings of text in the letters of Vietnamese, in one pass.
//!
//! Nearly every name and place of the nation is written in these letters, so this is the way that is taken; what it
//! does not know goes the general way through Unicode's tables, with the same result (tested).

use std::sync::LazyLock;

use unicode_normalization::char::compose;

use super::{TONE_MARKS, ends_in_lone_y};

/// Each vowel without a tone, then with the five tones of [`TONE_MARKS`].
const VOWELS: [[char; 6]; 12] = [
    ['a', 'à', 'á', 'ã', 'ả', 'ạ'],
    ['ă', 'ằ', 'ắ', 'ẵ', 'ẳ', 'ặ'],
    ['â', 'ầ', 'ấ', 'ẫ', 'ẩ', 'ậ'],
    ['e', 'è', 'é', 'ẽ', 'ẻ', 'ẹ'],
    ['ê', 'ề', 'ế', 'ễ', 'ể', 'ệ'],
    ['i', 'ì', 'í', 'ĩ', 'ỉ', 'ị'],
    ['o', 'ò', 'ó', 'õ', 'ỏ', 'ọ'],
    ['ô', 'ồ', 'ố', 'ỗ', 'ổ', 'ộ'],
    ['ơ', 'ờ', 'ớ', 'ỡ', 'ở', 'ợ'],
    ['u', 'ù', 'ú', 'ũ', 'ủ', 'ụ'],
    ['ư', 'ừ', 'ứ', 'ữ', 'ử', 'ự'],
    ['y', 'ỳ', 'ý', 'ỹ', 'ỷ', 'ỵ'],
];
/// Where the precomposed letters stand: Latin up to Extended-B, and Latin Extended Additional.
const LOW_END: usize = 0x200;
const HIGH_START: usize = 0x1e00;
const HIGH_END: usize = 0x1f00;

/// Text read both ways.
pub(super) struct Readings {
    pub(super) canonical: String,
    pub(super) folded: String,
}

/// Reads tidy text; `None` when it holds anything but ASCII and the letters of Vietnamese, or two tones in a syllable.
pub(super) fn readings(tidy: &str) -> Option<Readings> {
    let letters: &Letters = &LETTERS;
    let mut readings =
        Readings { canonical: String::with_capacity(tidy.len() + 8), folded: String::with_capacity(tidy.len()) };
    let mut syllable = Vec::with_capacity(8);
    let mut tone = None;
    for c in tidy.chars() {
        if c.is_ascii() && !c.is_ascii_alphabetic() {
            readings.finish(&mut syllable, tone.take());
            readings.pass(c);
        } else if TONE_MARKS.contains(&c) {
            if tone.replace(c).is_some() || syllable.is_empty() {
                return None;
            }
        } else {
            let (letter, mark) = letters.get(c)?;
            if mark.is_some() && tone.is_some() {
                return None;
            }
            syllable.push(letter);
            tone = tone.or(mark);
        }
    }
    readings.finish(&mut syllable, tone);
    readings.folded.truncate(readings.folded.trim_end().len());
    Some(readings)
}

impl Readings {
    /// Writes the letters of a syllable and then its tone.
    fn finish(&mut self, letters: &mut Vec<char>, tone: Option<char>) {
        let Some(last) = letters.last().copied() else { return };
        let last = if ends_in_lone_y(letters) { 'i' } else { last };
        letters.pop();
        self.canonical.extend(letters.iter());
        match tone.map(|tone| (with_tone(last, tone), tone)) {
            None => self.canonical.push(last),
            Some((Some(toned), _)) => self.canonical.push(toned),
            Some((None, tone)) => self.canonical.extend([last, tone]),
        }
        letters.push(last);
        letters.iter_mut().for_each(|letter| *letter = without_marks(*letter));
        if ends_in_lone_y(letters) {
            letters.pop();
            letters.push('i');
        }
        self.folded.extend(letters.drain(..));
    }

    /// Writes what is no letter.
    fn pass(&mut self, c: char) {
        self.canonical.push(c);
        if c.is_ascii_digit() {
            self.folded.push(c);
        } else if !self.folded.is_empty() && !self.folded.ends_with(' ') {
            self.folded.push(' ');
        }
    }
}

/// The letters known here, by character: the letter without its tone in lower case, and the tone.
struct Letters {
    low: Vec<Option<(char, Option<char>)>>,
    high: Vec<Option<(char, Option<char>)>>,
}

static LETTERS: LazyLock<Letters> = LazyLock::new(|| {
    let mut letters = Letters { low: vec![None; LOW_END], high: vec![None; HIGH_END - HIGH_START] };
    ('a'..='z').for_each(|letter| letters.put(letter, letter, None));
    for forms in VOWELS {
        letters.put(forms[0], forms[0], None);
        for (form, tone) in forms[1..].iter().zip(TONE_MARKS) {
            letters.put(*form, forms[0], Some(tone));
        }
    }
    // In canonical text the tone stands on the last letter, which may be a consonant.
    for (letter, tone) in ('a'..='z').flat_map(|letter| TONE_MARKS.map(|tone| (letter, tone))) {
        if let Some(form) = compose(letter, tone) {
            letters.put(form, letter, Some(tone));
        }
    }
    // Ð and ð, which old fonts show like Đ and đ.
    ['đ', 'ð'].into_iter().for_each(|form| letters.put(form, 'đ', None));
    letters
});

impl Letters {
    fn put(&mut self, form: char, letter: char, tone: Option<char>) {
        for form in form.to_uppercase().chain([form]) {
            if let Some(place) = self.place(form) {
                *place = Some((letter, tone));
            }
        }
    }

    fn place(&mut self, c: char) -> Option<&mut Option<(char, Option<char>)>> {
        let at = c as usize;
        if at < LOW_END { self.low.get_mut(at) } else { self.high.get_mut(at.checked_sub(HIGH_START)?) }
    }

    fn get(&self, c: char) -> Option<(char, Option<char>)> {
        let at = c as usize;
        *(if at < LOW_END { self.low.get(at) } else { self.high.get(at.checked_sub(HIGH_START)?) })?
    }
}

/// A vowel or consonant with a tone as one character, where there is one.
fn with_tone(letter: char, tone: char) -> Option<char> {
    let at = TONE_MARKS.iter().position(|mark| *mark == tone)?;
    let vowel = VOWELS.iter().find(|forms| forms[0] == letter);
    vowel.map_or_else(|| compose(letter, tone), |forms| Some(forms[at + 1]))
}

/// The letter of `a` to `z` that is left of a letter without tone.
const fn without_marks(letter: char) -> char {
    match letter {
        'ă' | 'â' => 'a',
        'ê' => 'e',
        'ô' | 'ơ' => 'o',
        'ư' => 'u',
        'đ' => 'd',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::super::{general_canonical, general_folded, tidy};
    use super::*;

    fn check(text: &str) {
        let read = readings(text).unwrap();
        assert_eq!(read.canonical, general_canonical(text), "{text:?}");
        assert_eq!(read.folded, general_folded(&read.canonical), "{text:?}");
    }

    #[test]
    fn every_letter_and_every_tone_reads_as_in_general() {
        for form in VOWELS.into_iter().flatten().chain(['đ', 'Đ', 'ð', 'Ð']) {
            for text in [form.to_string(), form.to_uppercase().collect(), format!("q{form}"), format!("h{form}m")] {
                check(&text.nfc().collect::<String>());
            }
        }
        for (letter, tone) in ('a'..='z').flat_map(|letter| TONE_MARKS.map(|tone| (letter, tone))) {
            check(&format!("ho{letter}{tone} x").nfc().collect::<String>());
        }
    }

    #[test]
    fn names_are_read_in_one_pass() {
        for name in ["Nguyễn Thị Quý", "K'Brêp Y-Ban", "LÊ VĂN ĐỨC", "Hoàng nguyêñ", "Số 12, ngõ 3 - Hà Nội", "Qưy", ""]
        {
            check(name);
        }
    }

    #[test]
    fn what_is_not_known_is_left_to_the_general_way() {
        for text in ["王小明", "José Müller", "\u{301}a", "Łukasz", "hòá"] {
            assert!(readings(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_read_in_one_pass_reads_as_in_general(
            text in proptest::collection::vec(
                prop_oneof![
                    6 => proptest::sample::select("aăâeêioôơuưyqhngctpmlxđĐÐYÝỹớàÀẬệñńṭ '’.-12\u{303}\u{309}".chars().collect::<Vec<_>>()),
                    1 => any::<char>(),
                ],
                0..20,
            ),
        ) {
            let text = tidy(&String::from_iter(text));
            if let Some(read) = readings(&text) {
                prop_assert_eq!(&read.canonical, &general_canonical(&text));
                prop_assert_eq!(&read.folded, &general_folded(&read.canonical));
            }
        }
    }
}
