//! The entries of a case side by side, and in what they differ.

use registry_schema::date::PartialDate;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field};
use registry_schema::sex::Sex;
use registry_schema::text;
use serde::Serialize;

/// Words of two texts that are aligned one by one, as a product: longer texts are marked as a whole.
const ALIGNED_WORDS_MAX: usize = 250_000;

/// A field in each of the entries of a case.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The field.
    pub field: String,
    /// How the entries agree in it.
    pub mark: Mark,
    /// What each entry says, in the order of the case's records.
    pub values: Vec<Option<String>>,
    /// Where values differ: each of them in pieces, in the order of the case's records. Empty where none differ.
    pub diff: Vec<Vec<Span>>,
}

/// How entries agree in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// To the letter.
    Equal,
    /// In substance: case, place of tone marks, form of a date, leading zeros of a number.
    Same,
    /// They say different things.
    Differs,
    /// Not every entry says something, and those that do agree.
    OneSided,
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The piece.
    pub text: String,
    /// Whether the other entry says something else here.
    pub differs: bool,
}

/// Compares every field that one of the entries has, in the order of the book. An entry that cannot be read says nothing.
pub(super) fn compare(drafts: &[Option<Draft>]) -> Vec<Comparison> {
    let mut fields: Vec<Field> =
        drafts.iter().flatten().flat_map(|draft| draft.iter().map(|(field, _)| field)).collect();
    fields.sort_unstable();
    fields.dedup();
    let value = |draft: &Option<Draft>, field: Field| draft.as_ref()?.get(field).map(str::to_owned);
    let values = |field: Field| drafts.iter().map(|draft| value(draft, field)).collect();
    fields.into_iter().map(|field| compare_field(field, values(field))).collect()
}

fn compare_field(field: Field, values: Vec<Option<String>>) -> Comparison {
    let mark = mark(field, &values);
    let diff = if mark == Mark::Differs { diffs(&values) } else { Vec::new() };
    Comparison { field: field.name(), mark, values, diff }
}

fn mark(field: Field, values: &[Option<String>]) -> Mark {
    let said: Vec<&String> = values.iter().flatten().collect();
    let substance: Vec<String> = said.iter().map(|value| substance(field, value)).collect();
    if substance.windows(2).any(|pair| pair[0] != pair[1]) {
        Mark::Differs
    } else if said.len() < values.len() {
        Mark::OneSided
    } else if said.windows(2).any(|pair| pair[0] != pair[1]) {
        Mark::Same
    } else {
        Mark::Equal
    }
}

/// The value without what makes no difference.
fn substance(field: Field, value: &str) -> String {
    let name = field.attribute().map_or("", Attribute::name);
    let read = match field.attribute() {
        Some(Attribute::Sex) => Sex::parse(value).map(|sex| sex.code().to_owned()),
        Some(Attribute::Number) => Some(value.trim_start_matches('0').to_owned()),
        Some(_) if name.ends_with("date") || name.ends_with("_on") => {
            PartialDate::parse(value).ok().map(|date| date.to_string())
        }
        _ => None,
    };
    read.unwrap_or_else(|| text::canonical(value))
}

/// Each value against the first one, and the first one against the next that is there.
fn diffs(values: &[Option<String>]) -> Vec<Vec<Span>> {
    let said: Vec<&String> = values.iter().flatten().collect();
    let (Some(first), Some(second)) = (said.first(), said.get(1)) else { return Vec::new() };
    let mut is_first = true;
    let spans = |value: &Option<String>| match value {
        None => Vec::new(),
        Some(_) if std::mem::take(&mut is_first) => diff(first, second).0,
        Some(value) => diff(first, value).1,
    };
    values.iter().map(spans).collect()
}

/// The pieces of two texts: words that both have, in order, and what stands between them, narrowed to characters.
fn diff(one: &str, other: &str) -> (Vec<Span>, Vec<Span>) {
    let (a, b): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), other.split(' ').collect());
    let (mut left, mut right) = (Pieces::default(), Pieces::default());
    let (mut at_a, mut at_b) = (0, 0);
    for (next_a, next_b) in aligned(&a, &b).into_iter().chain([(a.len(), b.len())]) {
        narrow(&a[at_a..next_a].join(" "), &b[at_b..next_b].join(" "), &mut left, &mut right);
        if let (Some(word_a), Some(word_b)) = (a.get(next_a), b.get(next_b)) {
            left.word(word_a, "", "");
            right.word(word_b, "", "");
        }
        (at_a, at_b) = (next_a + 1, next_b + 1);
    }
    (left.0, right.0)
}

/// The longest common sequence of words, as pairs of places.
fn aligned(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    if a.len() * b.len() > ALIGNED_WORDS_MAX {
        return Vec::new();
    }
    let canonical = |words: &[&str]| words.iter().map(|word| text::canonical(word)).collect::<Vec<_>>();
    let (a, b) = (canonical(a), canonical(b));
    let mut longest = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for at in (0..a.len()).rev() {
        for bt in (0..b.len()).rev() {
            let same = a[at] == b[bt];
            let skip = longest[at + 1][bt].max(longest[at][bt + 1]);
            longest[at][bt] = if same { longest[at + 1][bt + 1] + 1 } else { skip };
        }
    }
    let (mut at, mut bt, mut pairs) = (0, 0, Vec::new());
    while at < a.len() && bt < b.len() {
        if a[at] == b[bt] {
            pairs.push((at, bt));
            (at, bt) = (at + 1, bt + 1);
        } else if longest[at + 1][bt] >= longest[at][bt + 1] {
            at += 1;
        } else {
            bt += 1;
        }
    }
    pairs
}

/// What differs, without the characters that both begin and end with, where those are at least half of it: in texts that
/// have less in common a letter that agrees does so by chance.
fn narrow(a: &str, b: &str, left: &mut Pieces, right: &mut Pieces) {
    let same = |(one, other): &(char, char)| one == other || one.to_lowercase().eq(other.to_lowercase());
    let (a_chars, b_chars): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let prefix = a_chars.iter().copied().zip(b_chars.iter().copied()).take_while(same).count();
    let rest = a_chars.len().min(b_chars.len()) - prefix;
    let backwards = a_chars.iter().rev().copied().zip(b_chars.iter().rev().copied());
    let suffix = backwards.take_while(same).take(rest).count();
    let alike = 2 * (prefix + suffix) >= a_chars.len().max(b_chars.len());
    let (prefix, suffix) = if alike { (prefix, suffix) } else { (0, 0) };
    for (chars, pieces) in [(a_chars, left), (b_chars, right)] {
        if !chars.is_empty() {
            let text = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
            let end = chars.len() - suffix;
            pieces.word(&text(0, prefix), &text(prefix, end), &text(end, chars.len()));
        }
    }
}

/// Pieces of a text; neighbours of one sort are one piece.
#[derive(Default)]
struct Pieces(Vec<Span>);

impl Pieces {
    /// Adds words, of which the middle differs, behind a space.
    fn word(&mut self, before: &str, middle: &str, after: &str) {
        if !self.0.is_empty() {
            self.push(" ", false);
        }
        self.push(before, false);
        self.push(middle, true);
        self.push(after, false);
    }

    fn push(&mut self, text: &str, differs: bool) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.differs == differs => last.text.push_str(text),
            _ => self.0.push(Span { text: text.to_owned(), differs }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bracketed(spans: &[Span]) -> String {
        spans.iter().map(|span| if span.differs { format!("[{}]", span.text) } else { span.text.clone() }).collect()
    }

    fn check(field: &str, values: [&str; 2], mark: Mark, shown: &[&str]) {
        let values = values.map(|value| (!value.is_empty()).then(|| value.to_owned())).to_vec();
        let comparison = compare_field(Field::parse(field).expect("a field"), values);
        assert_eq!(comparison.mark, mark, "{comparison:?}");
        assert_eq!(comparison.diff.iter().map(|spans| bracketed(spans)).collect::<Vec<_>>(), shown);
    }

    #[test]
    fn what_makes_no_difference_is_the_same() {
        check("child_name", ["Lê Thị Hòa", "Lê Thị Hòa"], Mark::Equal, &[]);
        check("child_name", ["Lê Thị Hòa", "Lê Thị Hoà"], Mark::Same, &[]);
        check("child_name", ["Lê Thị Hòa", "LÊ THỊ HOA\u{300}"], Mark::Same, &[]);
        check("child_birth_date", ["02.03.1990", "1990-03-02"], Mark::Same, &[]);
        check("annulled_on", ["2.3.1990", "02/03/1990"], Mark::Same, &[]);
        check("number", ["007", "7"], Mark::Same, &[]);
        check("child_name", ["Lê Thị Hòa", ""], Mark::OneSided, &[]);
    }

    #[test]
    fn what_differs_is_marked_to_the_letter() {
        let differs = |field, one, other, shown: [&str; 2]| check(field, [one, other], Mark::Differs, &shown);
        differs("child_name", "Nguyễn Văn Hùng", "NGUYỄN VĂN HƯNG", ["Nguyễn Văn H[ù]ng", "NGUYỄN VĂN H[Ư]NG"]);
        differs("child_name", "Lê Thị Hoà An", "Trần Thị Hòa", ["[Lê] Thị Hoà [An]", "[Trần] Thị Hòa"]);
        differs("child_birth_date", "02.03.1990", "02.08.1990", ["02.0[3].1990", "02.0[8].1990"]);
        differs("child_name", "Lê An", "Lê Văn", ["Lê [An]", "Lê [Văn]"]);
        differs("book", "01/1999", "01/1999 A", ["01/1999", "01/1999 [A]"]);
        differs("child_name", "An An", "An", ["An [An]", "An"]);
    }

    #[test]
    fn a_third_value_is_held_against_the_first() {
        let values = vec![Some("An".to_owned()), None, Some("Ân".to_owned()), Some("Anh".to_owned())];
        let comparison = compare_field(Field::parse("child_name").expect("a field"), values);
        let shown: Vec<String> = comparison.diff.iter().map(|spans| bracketed(spans)).collect();
        assert_eq!(shown, ["[A]n", "", "[Â]n", "An[h]"]);
    }

    proptest! {
        #[test]
        fn the_pieces_make_the_text_and_nothing_differs_in_one_text(one in "[ab ]{0,12}", other in "[abA ]{0,12}") {
            let whole = |spans: Vec<Span>| spans.into_iter().map(|span| span.text).collect::<String>();
            let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let (one, other) = (tidy(&one), tidy(&other));
            let (left, right) = diff(&one, &other);
            prop_assert_eq!((whole(left), whole(right)), (one.clone(), other));
            prop_assert!(diff(&one, &one).0.iter().all(|span| !span.differs));
        }
    }
}
