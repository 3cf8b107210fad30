//! The mapping file: which column of an outside file holds which field of an entry.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use encoding_rs::Encoding;
use registry_schema::date::DatePattern;
use registry_schema::field::Field;
use registry_schema::kind::Kind;
use registry_schema::layout;
use serde::Deserialize;
use toml::Spanned;

use super::error::ImportError;

/// The longest mapping file, in bytes; a mapping of every field takes a few thousand.
const MAPPING_BYTES_MAX: u64 = 256 * 1024;

/// A mapping whose fields all belong to its kind and whose patterns and labels all mean something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The kind of the entries.
    pub(super) kind: Kind,
    /// The byte between cells; unused for workbooks.
    pub(super) delimiter: u8,
    /// The encoding of the text; unused for workbooks.
    pub(super) encoding: &'static Encoding,
    /// Whether the first row has headings.
    pub(super) has_header: bool,
    /// The columns of each field, joined by a space.
    pub(super) columns: BTreeMap<Field, Vec<ColumnName>>,
    /// What a field says where its columns say nothing.
    pub(super) constants: BTreeMap<Field, String>,
    /// What the file's codes are called here.
    pub(super) values: BTreeMap<Field, BTreeMap<String, String>>,
    /// How the file writes dates.
    pub(super) date_pattern: Option<DatePattern>,
    /// How it writes the dates of some fields.
    pub(super) date_patterns: BTreeMap<Field, DatePattern>,
}

/// A column, by its heading or by its place counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a heading in quotation marks or the number of a column")]
pub(super) enum ColumnName {
    /// Counted from 1.
    Place(usize),
    /// As it stands in the heading row.
    Heading(String),
}

impl Mapping {
    /// Reads a mapping file.
    pub(super) fn load(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAPPING_BYTES_MAX {
            return Err(ImportError::TooLarge { path: path.to_owned(), max: MAPPING_BYTES_MAX, unit: "bytes" });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|message| ImportError::Mapping { path: path.to_owned(), message })
    }

    /// Reads a mapping, or says on which line it is wrong and how to mend it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let door = Door { text, kind: written.kind, has_header: written.has_header };
        Ok(Self {
            kind: written.kind,
            delimiter: door.delimiter(&written.delimiter)?,
            encoding: door.encoding(&written.encoding)?,
            has_header: written.has_header,
            columns: door.fields(written.columns, Door::columns)?,
            constants: door.fields(written.constants, |_, value| Ok(value.into_inner()))?,
            values: door.fields(written.values, |_, value| Ok(value.into_inner()))?,
            date_pattern: written.date_pattern.as_ref().map(|pattern| door.pattern(pattern)).transpose()?,
            date_patterns: door.fields(written.date_patterns, |door, pattern| door.pattern(&pattern))?,
        })
    }
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
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a heading, the number of a column, or a list of them")]
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

    fn columns(&self, columns: Spanned<Columns>) -> Result<Vec<ColumnName>, String> {
        let span = columns.span();
        let names = match columns.into_inner() {
            Columns::One(name) => vec![name],
            Columns::Many(names) => names,
        };
        let message = match names.as_slice() {
            [] => "the list is empty; name a column or leave the field out",
            names if names.contains(&ColumnName::Place(0)) => "columns are counted from 1",
            names if !self.has_header && names.iter().any(|name| matches!(name, ColumnName::Heading(_))) => {
                "with has_header = false, give the number of the column, counted from 1"
            }
            _ => return Ok(names),
        };
        Err(self.wrong(span, message))
    }

    fn delimiter(&self, written: &Spanned<String>) -> Result<u8, String> {
        match written.as_ref().as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
            _ => Err(self.wrong(written.span(), "the delimiter is one character, as \";\" or \"\\t\"")),
        }
    }

    fn encoding(&self, written: &Spanned<String>) -> Result<&'static Encoding, String> {
        Encoding::for_label(written.as_ref().as_bytes()).ok_or_else(|| {
            let message = "no such encoding is known; write for example utf-8, utf-16le, windows-1258 or latin1";
            self.wrong(written.span(), message)
        })
    }

    fn pattern(&self, written: &Spanned<String>) -> Result<DatePattern, String> {
        DatePattern::parse(written.as_ref()).map_err(|error| self.wrong(written.span(), &error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use registry_schema::field::{Attribute, Role};

    use super::*;

    fn check_error(text: &str, line: &str, what: &str) {
        let error = Mapping::parse(text).unwrap_err();
        assert!(error.contains(line) && error.contains(what), "{error}");
        assert!(error.contains('^'), "{error}");
    }

    #[test]
    fn a_mapping_says_where_each_field_stands() {
        let mapping = Mapping::parse(
            "kind = \"birth\"\ndelimiter = \"\\t\"\nencoding = \"latin1\"\nhas_header = false\n\
             [columns]\nchild_name = [3, 4]\nchild_sex = 5\n[values.child_sex]\nM = \"1\"\n",
        )
        .unwrap();
        assert_eq!((mapping.kind, mapping.delimiter, mapping.has_header), (Kind::Birth, b'\t', false));
        assert_eq!(mapping.encoding.name(), "windows-1252");
        let name = Field::new(Role::Child, Attribute::Name);
        assert_eq!(mapping.columns[&name], [ColumnName::Place(3), ColumnName::Place(4)]);
        assert_eq!(mapping.values[&Field::new(Role::Child, Attribute::Sex)]["M"], "1");
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
    }
}
