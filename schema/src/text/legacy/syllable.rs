//! Which words are Vietnamese: the letters, the syllables that can be, and those that names are made of.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The vowels without a tone, and with each tone: ngang, huyền, sắc, hỏi, ngã, nặng.
pub(super) const VOWELS: [(char, [char; 6]); 12] = [
    ('a', ['a', 'à', 'á', 'ả', 'ã', 'ạ']),
    ('ă', ['ă', 'ằ', 'ắ', 'ẳ', 'ẵ', 'ặ']),
    ('â', ['â', 'ầ', 'ấ', 'ẩ', 'ẫ', 'ậ']),
    ('e', ['e', 'è', 'é', 'ẻ', 'ẽ', 'ẹ']),
    ('ê', ['ê', 'ề', 'ế', 'ể', 'ễ', 'ệ']),
    ('i', ['i', 'ì', 'í', 'ỉ', 'ĩ', 'ị']),
    ('o', ['o', 'ò', 'ó', 'ỏ', 'õ', 'ọ']),
    ('ô', ['ô', 'ồ', 'ố', 'ổ', 'ỗ', 'ộ']),
    ('ơ', ['ơ', 'ờ', 'ớ', 'ở', 'ỡ', 'ợ']),
    ('u', ['u', 'ù', 'ú', 'ủ', 'ũ', 'ụ']),
    ('ư', ['ư', 'ừ', 'ứ', 'ử', 'ữ', 'ự']),
    ('y', ['y', 'ỳ', 'ý', 'ỷ', 'ỹ', 'ỵ']),
];
/// What a syllable may begin with.
const ONSETS: &str = " b c ch d đ g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x";
/// How a syllable may go on, without its tone.
const RHYMES: &str = "a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây \
    e ec em en eng eo ep et ê êch êm ên ênh êp êt êu i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu \
    y ych yên yêng yêt yêu yêm ynh yt o oc oi om on ong op ot oa oac oach oai oam oan oang oanh oao oap oat oay \
    oăc oăm oăn oăng oăt oe oen oeo oet oong ooc ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt u uc ui um un ung up ut \
    ua uân uâng uât uây uê uêch uênh uôc uôi uôm uôn uông uôt uơ uy uya uych uynh uyt uyn uyêt uyên uyu uyp \
    ư ưa ưc ưi ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu";
/// The syllables of names and places with their counts in a list of names, and as many for words of addresses.
const COUNTED: &str = include_str!("../../../data/syllables.csv");
/// The longest syllable is `nghiêng`; a longer word is none.
const LETTERS_MAX: usize = 8;
/// The bits that a syllable costs which no name of the list has.
pub(super) const LEGAL_BITS: i64 = 14;

/// What a word is, when it is a Vietnamese syllable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In the list: the logarithm of how rare it is, in bits.
    Known(i64),
    /// It can be written, and no name of the list has it.
    Legal,
}

/// What a word is; `None` when it is no Vietnamese syllable. Case does not matter, nor on which vowel the tone stands.
pub(super) fn standing(word: &str) -> Option<Standing> {
    let (letters, tone) = read(word)?;
    let is_stopped = *LEGAL.get(&letters)?;
    // Syllables that end in a stop have the tones sắc and nặng only.
    if is_stopped && !matches!(tone, 2 | 5) {
        return None;
    }
    Some(KNOWN.get(&(letters, tone)).map_or(Standing::Legal, |bits| Standing::Known(*bits)))
}

/// The vowel without its tone and the tone, `(letter, 0)` for other letters. The letter is in lower case.
pub(super) fn split(letter: char) -> (char, usize) {
    let toned =
        |(plain, forms): &(char, [char; 6])| forms.iter().position(|form| *form == letter).map(|tone| (*plain, tone));
    if letter.is_ascii() { (letter, 0) } else { VOWELS.iter().find_map(toned).unwrap_or((letter, 0)) }
}

/// The letters of a word, packed, and its tone.
fn read(word: &str) -> Option<(u64, usize)> {
    let (mut letters, mut tone, mut count) = (0, 0, 0);
    for c in word.chars() {
        let mut lower = c.to_lowercase();
        let (plain, of) = split(lower.next().filter(|_| lower.len() == 0)?);
        count += 1;
        if count > LETTERS_MAX || (of != 0 && tone != 0) {
            return None;
        }
        tone = tone.max(of);
        letters = (letters << 6) | code(plain)?;
    }
    Some((letters, tone))
}

/// A letter in six bits.
fn code(letter: char) -> Option<u64> {
    let own = || "ăâđêôơư".chars().position(|other| other == letter).map(|place| place + 26);
    let place = if letter.is_ascii_lowercase() { Some(letter as usize - 'a' as usize) } else { own() };
    place.map(|place| place as u64 + 1)
}

/// Every syllable without its tone, and whether it ends in a stop.
static LEGAL: LazyLock<BTreeMap<u64, bool>> = LazyLock::new(|| {
    let mut legal = BTreeMap::new();
    for onset in ONSETS.split(' ') {
        for rhyme in RHYMES.split(' ').filter(|rhyme| fits(onset, rhyme)) {
            if let Some((letters, _)) = read(&format!("{onset}{rhyme}")) {
                legal.insert(letters, rhyme.ends_with(['c', 'p', 't']) || rhyme.ends_with("ch"));
            }
        }
    }
    legal
});

static KNOWN: LazyLock<BTreeMap<(u64, usize), i64>> = LazyLock::new(|| {
    let counted = || COUNTED.lines().skip(1).filter_map(|line| line.split_once(','));
    let count = |text: &str| text.trim().parse::<u64>().ok().filter(|count| *count > 0);
    let sum: u64 = counted().filter_map(|(_, text)| count(text)).sum();
    let bits = |text: &str| Some(i64::from((sum / count(text)?).ilog2()).min(LEGAL_BITS));
    counted().filter_map(|(word, text)| Some((read(word)?, bits(text)?))).collect()
});

/// Whether an onset and a rhyme are written together: k, gh and ngh before e, ê and i only, and so on.
fn fits(onset: &str, rhyme: &str) -> bool {
    let is_front = rhyme.starts_with(['e', 'ê', 'i', 'y']);
    match onset {
        "" => !rhyme.starts_with("iê"),
        "k" | "gh" | "ngh" => is_front,
        "c" | "ng" => !is_front,
        "g" => !is_front || rhyme.starts_with('i'),
        "gi" => !rhyme.starts_with(['i', 'y']),
        "qu" => !rhyme.starts_with(['o', 'u', 'ư']),
        _ => !matches!(rhyme, "ych" | "ynh" | "yt" | "yên" | "yêng" | "yêt" | "yêu" | "yêm"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every known syllable that can be written, in lower case.
    pub(in crate::text::legacy) fn known() -> Vec<&'static str> {
        let words = COUNTED.lines().skip(1).filter_map(|line| line.split_once(','));
        words.map(|(word, _)| word).filter(|word| standing(word).is_some()).collect()
    }

    /// Every letter with a mark, lower case and upper case.
    pub(in crate::text::legacy) fn marked_letters() -> Vec<char> {
        let lower = VOWELS.iter().flat_map(|(_, forms)| forms).copied().chain(['đ']);
        lower.filter(|c| !c.is_ascii()).flat_map(|c| [c].into_iter().chain(c.to_uppercase())).collect()
    }

    fn check(words: &str, is_syllable: bool) {
        for word in words.split(' ') {
            assert_eq!(standing(word).is_some(), is_syllable, "{word}");
        }
    }

    #[test]
    fn syllables_are_told_from_other_words() {
        check("nguyễn NGHIÊNG Hoà Hòa quý quốc gì gìn giếng thuở khuya Út y yến huỳnh Đoọng xoong", true);
        check("niê brêp ksor lắk kơ nguyôn cing gham nguyen2 quoc học1 híng hế̀ nghiêngx José müller", false);
        assert!(matches!(standing("Nguyễn"), Some(Standing::Known(1..=4))));
        assert_eq!(standing("nguễn"), None);
        assert_eq!(standing("khuỷu"), Some(Standing::Legal));
    }

    #[test]
    fn the_list_is_made_of_syllables() {
        let lines = COUNTED.lines().count() - 1;
        assert!(known().len() * 100 >= lines * 97, "{} of {lines}", known().len());
        assert_eq!(marked_letters().len(), 134);
    }
}
