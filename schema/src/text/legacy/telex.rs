//! Telex: keystrokes that no input method turned into letters.

use std::borrow::Cow;

use super::syllable::{Standing, VOWELS, split, standing};

/// The keys of the tones, from huyền to nặng, in the order of [`VOWELS`].
const TONE_KEYS: [char; 5] = ['f', 's', 'r', 'x', 'j'];

pub(super) fn decode(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut start = 0;
    while let Some(found) = text[start..].find(char::is_alphabetic) {
        let from = start + found;
        let end = text[from..].find(|c: char| !c.is_alphabetic()).map_or(text.len(), |length| from + length);
        if let Some((word, _)) = word(&text[from..end]) {
            out.push_str(&text[done..from]);
            out.push_str(&word);
            done = end;
        }
        start = end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// The syllable that a word of ASCII letters was typed for; `None` when its keys make none or change nothing.
pub(super) fn word(typed: &str) -> Option<(String, Standing)> {
    if typed.len() < 2 || typed.len() > 2 * 8 || !typed.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let (mut letters, tone) = strike(typed)?;
    let read = |letters: &[char]| {
        let word = with_tone(letters, tone);
        standing(&word).map(|standing| (word, standing))
    };
    read(&letters).or_else(|| {
        // One w after uo makes ươ, unless uơ is meant as in thuở.
        let lower = |c: &char| c.to_lowercase().next();
        let u = letters.windows(2).position(|pair| lower(&pair[0]) == Some('u') && lower(&pair[1]) == Some('ơ'))?;
        letters[u] = like('ư', letters[u]);
        read(&letters)
    })
}

/// Whether a word of ASCII letters has a key of Telex behind its first vowel.
pub(super) fn has_keys(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let first = lower.find(is_plain_vowel).unwrap_or(lower.len());
    let behind = lower[first..].contains(|c| TONE_KEYS.contains(&c) || c == 'w' || c == 'z');
    behind || ["aa", "ee", "oo", "dd"].iter().any(|double| lower.contains(double))
}

fn is_plain_vowel(c: char) -> bool {
    "aeiouy".contains(c.to_ascii_lowercase())
}

/// The letters without a tone, and the tone; `None` when no key changed anything or one cannot be meant.
fn strike(typed: &str) -> Option<(Vec<char>, usize)> {
    let mut letters: Vec<char> = Vec::with_capacity(typed.len());
    let (mut tone, mut changed) = (0, false);
    for key in typed.chars() {
        let lower = key.to_ascii_lowercase();
        let has_vowel = letters.iter().any(|c| !c.is_ascii() || is_plain_vowel(*c));
        let target = match lower {
            _ if has_vowel && TONE_KEYS.contains(&lower) => {
                if tone != 0 {
                    return None;
                }
                tone = TONE_KEYS.iter().position(|of| *of == lower)? + 1;
                continue;
            }
            'w' => Some(letters.iter().rposition(|c| "aouAOU".contains(*c))?),
            'a' | 'e' | 'o' => doubled(&letters, lower),
            'd' if letters.len() == 1 || has_vowel => letters.first().filter(|c| "dD".contains(**c)).map(|_| 0),
            _ => None,
        };
        let Some(place) = target else {
            letters.push(key);
            continue;
        };
        changed = true;
        let plain = letters[place].to_ascii_lowercase();
        let marked = match (plain, lower) {
            ('a', 'w') => 'ă',
            ('o', 'w') => 'ơ',
            ('u', 'w') => 'ư',
            ('a', _) => 'â',
            ('e', _) => 'ê',
            ('o', _) => 'ô',
            _ => 'đ',
        };
        letters[place] = like(marked, letters[place]);
    }
    (changed || tone != 0).then_some((letters, tone))
}

/// The vowel that a second stroke of its key is for: just before it, or before the consonants that end the syllable.
fn doubled(letters: &[char], key: char) -> Option<usize> {
    let place = letters.iter().rposition(|c| !c.is_ascii() || is_plain_vowel(*c))?;
    letters.get(place).filter(|c| c.to_ascii_lowercase() == key).map(|_| place)
}

/// A letter in the case of another.
fn like(letter: char, other: char) -> char {
    if other.is_uppercase() { letter.to_uppercase().next().unwrap_or(letter) } else { letter }
}

/// The syllable with its tone mark where it is written: on the vowel with another mark, else on the second of two
/// vowels before a consonant and of three, else on the first.
fn with_tone(letters: &[char], tone: usize) -> String {
    let lower: Vec<char> = letters.iter().flat_map(|c| c.to_lowercase()).collect();
    let is_vowel = |c: &char| VOWELS.iter().any(|(vowel, _)| vowel == c);
    let mut from = lower.iter().position(is_vowel).unwrap_or(0);
    let next_is_vowel = lower.get(from + 1).is_some_and(is_vowel);
    if next_is_vowel && (lower.starts_with(&['q', 'u']) || lower.starts_with(&['g', 'i'])) {
        from += 1;
    }
    let vowels = lower[from..].iter().take_while(|c| is_vowel(c)).count();
    let marked = lower[from..from + vowels].iter().rposition(|c| !c.is_ascii());
    let ends_in_vowel = from + vowels == lower.len();
    let place = from + marked.unwrap_or(usize::from(vowels > 2 || (vowels == 2 && !ends_in_vowel)));
    let mark = |(at, c): (usize, &char)| {
        let forms = VOWELS.iter().find(|(vowel, _)| at == place && lower[at] == *vowel).map(|(_, forms)| forms);
        forms.map_or(*c, |forms| like(forms[tone], *c))
    };
    letters.iter().enumerate().map(mark).collect()
}

/// Whether a syllable has a tone mark.
pub(super) fn has_tone(word: &str) -> bool {
    word.chars().flat_map(char::to_lowercase).any(|c| split(c).1 != 0)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::syllable::tests::{known, marked_letters};
    use super::*;

    /// The keystrokes for a text: marks beside their vowels, the tone behind the word.
    pub(in crate::text::legacy) fn encode(text: &str) -> String {
        text.split(' ').map(encode_word).collect::<Vec<_>>().join(" ")
    }

    fn encode_word(word: &str) -> String {
        let (mut keys, mut tone) = (String::new(), 0);
        for c in word.chars() {
            let (plain, of) = split(c.to_lowercase().next().unwrap_or(c));
            tone = tone.max(of);
            let strokes = match plain {
                'ă' => "aw",
                'â' => "aa",
                'đ' => "dd",
                'ê' => "ee",
                'ô' => "oo",
                'ơ' => "ow",
                'ư' => "uw",
                _ => &plain.to_string(),
            };
            keys.extend(strokes.chars().map(|key| like(key, c)));
        }
        let key = tone.checked_sub(1).map(|place| TONE_KEYS[place]);
        let is_capital = word.chars().count() > 1 && word.chars().all(char::is_uppercase);
        keys.extend(key.map(|key| if is_capital { key.to_ascii_uppercase() } else { key }));
        keys
    }

    #[track_caller]
    fn check(typed: &str, restored: &str) {
        assert_eq!(decode(typed), restored);
    }

    #[test]
    fn keystrokes_become_syllables() {
        check("Nguyeenx Vawn Hungf", "Nguyễn Văn Hùng");
        check("Nguyeexn Vanw Hufng", "Nguyễn Văn Hùng");
        check("DDOOX THIJ HUOWNGF", "ĐỖ THỊ HƯỜNG");
        check("Dinhd Thuowr Nguwowif", "Đinh Thuở Người");
        check("Hoaf, Thuys; Quys-Giaf Gif", "Hòa, Thúy; Quý-Già Gì");
        check("Toanf Khuyar Huynhf", "Toàn Khuỷa Huỳnh");
    }

    #[test]
    fn what_makes_no_syllable_stays() {
        for text in ["Nguyen Van Hung", "James Lewis Johnson", "H'Hen Niê Ksor", "Nguyễnx", "Hassf", "w s", ""] {
            check(text, text);
        }
    }

    #[test]
    fn every_letter_is_typed_in_some_syllable() {
        for letter in marked_letters() {
            let tail = ["", "t", "n", "m", "ng", "nh", "i", "iêt"];
            let heads = ["", "h", "qu", "th", "N"];
            let words = heads.iter().flat_map(|head| tail.map(|tail| format!("{head}{letter}{tail}")));
            let mut syllables = words.filter(|word| standing(word).is_some()).peekable();
            assert!(syllables.peek().is_some(), "{letter}");
            syllables.for_each(|word| check(&encode(&word), &word));
        }
    }

    proptest! {
        #[test]
        fn names_come_back_from_the_keys(words in proptest::collection::vec(proptest::sample::select(known()), 1..6)) {
            let text = words.join(" ");
            for text in [text.to_uppercase(), text] {
                let restored = decode(&encode(&text)).into_owned();
                prop_assert_eq!(crate::text::canonical(&restored), crate::text::canonical(&text));
            }
        }
    }
}
