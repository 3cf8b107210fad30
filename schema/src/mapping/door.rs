//! Where a mapping file is read and judged, line by line.

use std::collections::BTreeMap;
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use serde::Deserialize;
use toml::Spanned;

use super::{ColumnName, EvaluateColumns, LegacyText, Mapping, Piece};
use crate::date::DatePattern;
use crate::field::Field;
use crate::kind::Kind;
use crate::layout;
use crate::text::legacy::Legacy;

pub(super) fn read(text: &str) -> Result<Mapping, String> {
    let written: Written = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let door = Door { text, kind: written.kind, has_header: written.has_header };
    let (encoding, legacy_text) = door.encoding(&written.encoding)?;
    Ok(Mapping {
        kind: written.kind,
        delimiter: door.delimiter(&written.delimiter)?,
        encoding,
        legacy_text: written.legacy_text.as_ref().map_or(Ok(legacy_text), |form| door.legacy_text(form))?,
        has_header: written.has_header,
        columns: door.fields(written.columns, Door::pieces)?,
        constants: door.fields(written.constants, |_, value| Ok(value.into_inner()))?,
        values: door.fields(written.values, |_, value| Ok(value.into_inner()))?,
        date_pattern: written.date_pattern.as_ref().map(|pattern| door.pattern(pattern)).transpose()?,
        date_patterns: door.fields(written.date_patterns, |door, pattern| door.pattern(&pattern))?,
        evaluate: written.evaluate.map(|evaluate| door.evaluate(evaluate)).transpose()?,
    })
}

type Table<T> = BTreeMap<Spanned<String>, Spanned<T>>;

/// The file as it is written, before anything in it is judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    #[serde(default = "comma")]
    delimiter: Spanned<String>,
    #[serde(default = "utf_8")]
    encoding: Spanned<String>,
    legacy_text: Option<Spanned<String>>,
    #[serde(default = "yes")]
    has_header: bool,
    date_pattern: Option<Spanned<String>>,
    columns: Table<Columns>,
    #[serde(default)]
    constants: Table<String>,
    #[serde(default)]
    values: Table<BTreeMap<String, String>>,
    #[serde(default)]
    date_patterns: Table<String>,
    evaluate: Option<WrittenEvaluate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvaluate {
    record_id: Option<Spanned<ColumnName>>,
    truth: Option<Spanned<ColumnName>>,
    group: Option<Spanned<Columns>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a heading, the number of a column, a list of them, or a text such as \"{a} {b}\"")]
enum Columns {
    One(ColumnName),
    Many(Vec<ColumnName>),
}

fn comma() -> Spanned<String> {
    Spanned::new(0..0, ",".into())
}

fn utf_8() -> Spanned<String> {
    Spanned::new(0..0, "utf-8".into())
}

const fn yes() -> bool {
    true
}

/// What the parts of a mapping are judged by.
struct Door<'a> {
    text: &'a str,
    kind: Kind,
    has_header: bool,
}

impl Door<'_> {
    fn wrong(&self, at: Range<usize>, message: &str) -> String {
        let line = self.text[..at.start].matches('\n').count() + 1;
        let start = self.text[..at.start].rfind('\n').map_or(0, |end| end + 1);
        let written = self.text[start..].lines().next().unwrap_or_default();
        let indent = " ".repeat(self.text[start..at.start].chars().count());
        let carets = "^".repeat(self.text[at].lines().next().map_or(1, |text| text.chars().count().max(1)));
        format!("line {line}: {message}\n  {written}\n  {indent}{carets}")
    }

    /// A table by field: every key is a field of the kind.
    fn fields<T, U>(
        &self,
        table: Table<T>,
        read: impl Fn(&Self, Spanned<T>) -> Result<U, String>,
    ) -> Result<BTreeMap<Field, U>, String> {
        let read = |(name, value): (Spanned<String>, Spanned<T>)| Ok((self.field(&name)?, read(self, value)?));
        table.into_iter().map(read).collect()
    }

    fn field(&self, name: &Spanned<String>) -> Result<Field, String> {
        let known = Field::parse(name.as_ref());
        known.filter(|field| layout::columns(self.kind).any(|column| column.field == *field)).ok_or_else(|| {
            let names: Vec<_> = layout::columns(self.kind).map(|column| column.field.name()).collect();
            let what = if known.is_some() { "does not belong to" } else { "is not a field of" };
            let message = format!("{} {what} a {}; its fields are: {}", name.as_ref(), self.kind, names.join(", "));
            self.wrong(name.span(), &message)
        })
    }

    /// What makes the text of a field: one column, several joined by a space, or a template.
    fn pieces(&self, columns: Spanned<Columns>) -> Result<Vec<Piece>, String> {
        let span = columns.span();
        let mut pieces = Vec::new();
        match columns.into_inner() {
            Columns::One(ColumnName::Heading(template)) if template.contains('{') && template.contains('}') => {
                pieces = template_pieces(&template, self.has_header).map_err(|what| self.wrong(span.clone(), what))?;
            }
            Columns::One(name) => pieces.push(Piece::Column(name)),
            Columns::Many(names) => {
                for name in names {
                    if !pieces.is_empty() {
                        pieces.push(Piece::Literal(" ".into()));
                    }
                    pieces.push(Piece::Column(name));
                }
            }
        }
        let names = pieces.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name),
            Piece::Literal(_) => None,
        });
        self.check(names, span)?;
        Ok(pieces)
    }

    fn check<'a>(&self, names: impl Iterator<Item = &'a ColumnName>, span: Range<usize>) -> Result<(), String> {
        let mut is_empty = true;
        for name in names {
            is_empty = false;
            let message = match name {
                ColumnName::Place(0) => "columns are counted from 1",
                ColumnName::Heading(_) if !self.has_header => {
                    "with has_header = false, give the number of the column, counted from 1"
                }
                _ => continue,
            };
            return Err(self.wrong(span, message));
        }
        if is_empty {
            return Err(self.wrong(span, "the list is empty; name a column or leave the field out"));
        }
        Ok(())
    }

    fn evaluate(&self, written: WrittenEvaluate) -> Result<EvaluateColumns, String> {
        let one = |name: Option<Spanned<ColumnName>>| {
            let checked = name.map(|name| {
                self.check(std::iter::once(name.as_ref()), name.span())?;
                Ok::<_, String>(name.into_inner())
            });
            checked.transpose()
        };
        let mut group = Vec::new();
        if let Some(columns) = written.group {
            let span = columns.span();
            group = match columns.into_inner() {
                Columns::One(name) => vec![name],
                Columns::Many(names) => names,
            };
            self.check(group.iter(), span)?;
        }
        Ok(EvaluateColumns { record_id: one(written.record_id)?, truth: one(written.truth)?, group })
    }

    fn delimiter(&self, written: &Spanned<String>) -> Result<u8, String> {
        match written.as_ref().as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
            _ => Err(self.wrong(written.span(), "the delimiter is one character, as \";\" or \"\\t\"")),
        }
    }

    /// The encoding of the bytes and the form of the letters. A form is an encoding too: the fonts were used with
    /// Windows-1252, and keystrokes are ASCII.
    fn encoding(&self, written: &Spanned<String>) -> Result<(&'static Encoding, LegacyText), String> {
        match Legacy::parse(written.as_ref()) {
            Some(legacy @ Legacy::Telex) => return Ok((UTF_8, LegacyText::Decode(legacy))),
            Some(legacy) => return Ok((WINDOWS_1252, LegacyText::Decode(legacy))),
            None => {}
        }
        let encoding = Encoding::for_label(written.as_ref().as_bytes()).ok_or_else(|| {
            let message = "no such encoding is known; write for example utf-8, utf-16le, windows-1258, latin1, tcvn3 \
                           or vni";
            self.wrong(written.span(), message)
        })?;
        Ok((encoding, LegacyText::Auto))
    }

    fn legacy_text(&self, written: &Spanned<String>) -> Result<LegacyText, String> {
        match written.as_ref().as_str() {
            "auto" => Ok(LegacyText::Auto),
            "none" => Ok(LegacyText::Keep),
            name => Legacy::parse(name)
                .map(LegacyText::Decode)
                .ok_or_else(|| self.wrong(written.span(), "legacy_text is auto, none, tcvn3, vni or telex")),
        }
    }

    fn pattern(&self, written: &Spanned<String>) -> Result<DatePattern, String> {
        DatePattern::parse(written.as_ref()).map_err(|error| self.wrong(written.span(), &error.to_string()))
    }
}

/// The pieces of a template such as `{surname} {given_name}`.
fn template_pieces(template: &str, has_header: bool) -> Result<Vec<Piece>, &'static str> {
    const BRACES: &str = "write each column of a template between braces, as \"{surname} {given_name}\"";
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').ok_or(BRACES)?;
        let name = name.trim();
        if name.is_empty() || name.contains('{') || literal.contains('}') {
            return Err(BRACES);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        let number = if has_header { None } else { name.parse().ok() };
        pieces.push(Piece::Column(number.map_or_else(|| ColumnName::Heading(name.to_owned()), ColumnName::Place)));
        rest = behind;
    }
    if rest.contains('}') {
        return Err(BRACES);
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::field::{Attribute, Role};

    fn check_error(text: &str, line: &str, what: &str) {
        let error = Mapping::parse(text).unwrap_err().to_string();
        assert!(error.contains(line) && error.contains(what), "{error}");
        assert!(error.contains('^'), "{error}");
    }

    fn column(name: ColumnName) -> Piece {
        Piece::Column(name)
    }

    #[test]
    fn a_mapping_says_where_each_field_stands() {
        let mapping = Mapping::parse(
            "kind = \"birth\"\ndelimiter = \"\\t\"\nencoding = \"latin1\"\nhas_header = false\n\
             [columns]\nchild_name = [3, 4]\nchild_sex = 5\nmother_name = \"{6}, {7}\"\n[values.child_sex]\nM = \"1\"\n",
        )
        .unwrap();
        assert_eq!((mapping.kind, mapping.delimiter, mapping.has_header), (Kind::Birth, b'\t', false));
        assert_eq!((mapping.encoding.name(), mapping.evaluate), ("windows-1252", None));
        let joined = |a, joint: &str, b| {
            [column(ColumnName::Place(a)), Piece::Literal(joint.into()), column(ColumnName::Place(b))]
        };
        assert_eq!(mapping.columns[&Field::new(Role::Child, Attribute::Name)], joined(3, " ", 4));
        assert_eq!(mapping.columns[&Field::new(Role::Mother, Attribute::Name)], joined(6, ", ", 7));
        assert_eq!(mapping.values[&Field::new(Role::Child, Attribute::Sex)]["M"], "1");
    }

    #[test]
    fn a_form_of_letters_is_an_encoding_and_an_option() {
        let of = |options: &str| {
            let mapping = Mapping::parse(&format!("kind = \"death\"\n{options}[columns]\n")).unwrap();
            (mapping.encoding.name(), mapping.legacy_text)
        };
        assert_eq!(of(""), ("UTF-8", LegacyText::Auto));
        assert_eq!(of("encoding = \"TCVN3\"\n"), ("windows-1252", LegacyText::Decode(Legacy::Tcvn3)));
        assert_eq!(of("encoding = \"telex\"\n"), ("UTF-8", LegacyText::Decode(Legacy::Telex)));
        assert_eq!(of("legacy_text = \"vni\"\n"), ("UTF-8", LegacyText::Decode(Legacy::Vni)));
        assert_eq!(of("encoding = \"vni\"\nlegacy_text = \"none\"\n"), ("windows-1252", LegacyText::Keep));
        check_error("kind = \"death\"\nlegacy_text = \"viqr\"\n[columns]\n", "line 2", "tcvn3, vni or telex");
    }

    #[test]
    fn a_table_for_evaluation_names_columns_and_none_of_them_is_needed() {
        let of = |table: &str| Mapping::parse(&format!("kind = \"death\"\n[columns]\n[evaluate]\n{table}")).unwrap();
        let heading = |name: &str| ColumnName::Heading(name.into());
        assert_eq!(of("").evaluate, Some(EvaluateColumns::default()));
        let all = of("record_id = \"id\"\ntruth = 2\ngroup = [\"office\", \"book\"]\n").evaluate.unwrap();
        assert_eq!((all.record_id, all.truth), (Some(heading("id")), Some(ColumnName::Place(2))));
        assert_eq!(all.group, [heading("office"), heading("book")]);
    }

    #[test]
    fn every_mistake_is_shown_with_its_line() {
        let columns = "[columns]\ndeceased_name = \"N\"\n";
        check_error("kind = \"wedding\"\n[columns]\n", "line 1", "wedding");
        check_error("kind = \"death\"\ndelimiter = \";", "line 2", "delimiter");
        check_error("kind = \"death\"\ndelimitre = \";\"\n[columns]\n", "line 2", "delimitre");
        check_error("kind = \"death\"\ndelimiter = \"ab\"\n[columns]\n", "line 2", "one character");
        check_error("kind = \"death\"\nencoding = \"tcvn\"\n[columns]\n", "line 2", "windows-1258");
        check_error(
            &format!("kind = \"death\"\n{columns}child_name = \"K\"\n"),
            "line 4",
            "does not belong to a death",
        );
        check_error(&format!("kind = \"death\"\n{columns}deceased_hat = \"K\"\n"), "line 4", "is not a field");
        check_error(&format!("kind = \"death\"\n{columns}event_date = []\n"), "line 4", "list is empty");
        check_error(&format!("kind = \"death\"\n{columns}event_date = 0\n"), "line 4", "counted from 1");
        check_error(&format!("kind = \"death\"\n{columns}event_date = true\n"), "line 4", "the number of a column");
        check_error(&format!("kind = \"death\"\nhas_header = false\n{columns}"), "line 4", "has_header = false");
        check_error(&format!("kind = \"death\"\ndate_pattern = \"dd/mm\"\n{columns}"), "line 2", "yyyy");
        check_error(&format!("kind = \"death\"\n{columns}[constants]\nmother_name = \"x\"\n"), "line 5", "mother_name");
        for template in ["{a} {}", "}{a}", "{a{b}", "{a} b}"] {
            check_error(&format!("kind = \"death\"\n{columns}number = \"{template}\"\n"), "line 4", "between braces");
        }
        check_error(&format!("kind = \"death\"\n{columns}[evaluate]\nright = 1\n"), "line 5", "right");
        check_error(&format!("kind = \"death\"\n{columns}[evaluate]\ngroup = [0]\n"), "line 5", "counted from 1");
        check_error(&format!("kind = \"death\"\n{columns}[matching]\n"), "line 4", "matching");
    }
}
