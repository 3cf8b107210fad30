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
    let (mut canonical, mut folded) = (Canonical::of(tidy), Folded::of(tidy));
    walk(tidy, |step| {
        canonical.take(step);
        folded.take(step);
    })?;
    Some(Readings { canonical: canonical.text, folded: folded.finish() })
}

/// The folded reading alone; `None` as for both.
pub(super) fn folded(tidy: &str) -> Option<String> {
    let mut folded = Folded::of(tidy);
    walk(tidy, |step| folded.take(step))?;
    Some(folded.finish())
}

/// What stands next in a text.
#[derive(Clone, Copy)]
enum Step {
    /// A letter without its tone, in lower case.
    Letter(char),
    /// The end of some letters, with the tone that one of them had.
    End(Option<char>),
    /// ASCII that is no letter.
    Other(char),
}

fn walk(tidy: &str, mut take: impl FnMut(Step)) -> Option<()> {
    let letters: &Letters = &LETTERS;
    let (mut is_inside, mut tone) = (false, None);
    for c in tidy.chars() {
        if c.is_ascii_alphabetic() {
            is_inside = true;
            take(Step::Letter(c.to_ascii_lowercase()));
        } else if c.is_ascii() {
            if std::mem::take(&mut is_inside) {
                take(Step::End(tone.take()));
            }
            take(Step::Other(c));
        } else if TONE_MARKS.contains(&c) {
            if tone.replace(c).is_some() || !is_inside {
                return None;
            }
        } else {
            let (letter, mark) = letters.get(c)?;
            if mark.is_some() && tone.is_some() {
                return None;
            }
            (is_inside, tone) = (true, tone.or(mark));
            take(Step::Letter(letter));
        }
    }
    if is_inside {
        take(Step::End(tone));
    }
    Some(())
}

/// The canonical reading, as far as it is written.
struct Canonical {
    text: String,
    /// Where the letters begin that are written now.
    begin: usize,
}

impl Canonical {
    fn of(tidy: &str) -> Self {
        Self { text: String::with_capacity(tidy.len() + 8), begin: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Letter(letter) => self.text.push(letter),
            Step::Other(c) => {
                self.text.push(c);
                self.begin = self.text.len();
            }
            Step::End(tone) => {
                respell_lone_y(&mut self.text, self.begin);
                let toned = tone.and_then(|tone| with_tone(self.text.chars().next_back()?, tone));
                if toned.is_some() {
                    self.text.pop();
                }
                self.text.extend(toned.or(tone));
            }
        }
    }
}

/// The folded reading, as far as it is written.
struct Folded {
    text: String,
    /// Where the letters begin that are written now.
    begin: usize,
}

impl Folded {
    fn of(tidy: &str) -> Self {
        Self { text: String::with_capacity(tidy.len()), begin: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Letter(letter) => self.text.push(without_marks(letter)),
            Step::End(_) => respell_lone_y(&mut self.text, self.begin),
            Step::Other(c) => {
                if c.is_ascii_digit() {
                    self.text.push(c);
                } else if !self.text.is_empty() && !self.text.ends_with(' ') {
                    self.text.push(' ');
                }
                self.begin = self.text.len();
            }
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

/// Writes i for a y that is the only vowel of the letters from `begin` on, and the last of them.
fn respell_lone_y(text: &mut String, begin: usize) {
    if text.ends_with('y') && ends_in_lone_y(text[begin..].chars()) {
        text.pop();
        text.push('i');
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
        assert_eq!(folded(text), Some(read.folded), "{text:?}");
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
            assert!(readings(text).is_none() && folded(text).is_none(), "{text:?}");
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
            let read = readings(&text);
            prop_assert_eq!(folded(&text), read.as_ref().map(|read| read.folded.clone()));
            if let Some(read) = read {
                prop_assert_eq!(&read.canonical, &general_canonical(&text));
                prop_assert_eq!(&read.folded, &general_folded(&read.canonical));
            }
        }
    }
}
