//! Reads what a logged change says: the row as it stands, or the image that a later change left behind.

use registry_schema::canonical::{self, CANONICAL_BYTES_MAX};
use registry_schema::draft::{Draft, FIELD_BYTES_MAX};
use registry_schema::field::Field;
use registry_schema::kind::{Kind, Status};
use registry_schema::layout;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row};

use crate::store::StoreError;

/// The most bytes of one column that are looked at; [`Draft`] cuts far earlier and reports the field as too long.
const COLUMN_BYTES_MAX: usize = FIELD_BYTES_MAX * 5;
/// Fields up to this length are kept when an entry as a whole is too long: 64 of them fit many times.
const SHORT_FIELD_BYTES: usize = 200;

/// Reads entries of every kind by the columns of the layouts; columns that a province added are not seen.
#[derive(Debug)]
pub(crate) struct Capture {
    readers: [KindReader; 3],
}

#[derive(Debug)]
struct KindReader {
    kind: Kind,
    /// Selects status and every field of one entry, in the order of `fields`.
    select: String,
    fields: Vec<(Field, String)>,
}

impl Capture {
    /// Prepares the statements' texts.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { readers: Kind::ALL.map(KindReader::new) }
    }

    /// The canonical bytes of the entry as its table has it now.
    ///
    /// A row that is gone, which only a program that drops triggers can bring about, reads as an entry that says
    /// nothing: the centre rejects that by name, and the changes behind it go on.
    pub(crate) fn row(&self, connection: &Connection, kind: Kind, record_id: i64) -> Result<Vec<u8>, StoreError> {
        let reader = self.reader(kind);
        reader.row(&mut connection.prepare_cached(&reader.select)?, record_id)
    }

    /// The same for many entries.
    pub(crate) fn rows<'c>(&'c self, connection: &'c Connection) -> Result<Rows<'c>, StoreError> {
        let read = |reader: &'c KindReader| Ok((reader, connection.prepare_cached(&reader.select)?));
        Ok(Rows { readers: self.readers.iter().map(read).collect::<rusqlite::Result<_>>()? })
    }

    /// The canonical bytes of an image: the JSON object that a trigger made of an overtaken state.
    ///
    /// What cannot be read says nothing, and the centre rejects the entry for what it then lacks.
    pub(crate) fn image(&self, kind: Kind, image: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(image);
        let values: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
        let text = |name: &str| values.get(name).and_then(serde_json::Value::as_str);
        let mut draft = Draft::new(kind);
        for (field, name) in &self.reader(kind).fields {
            if let Some(value) = text(name) {
                draft.set(*field, value);
            }
        }
        encode(&draft, text("status"))
    }

    fn reader(&self, kind: Kind) -> &KindReader {
        let found = self.readers.iter().find(|reader| reader.kind == kind);
        found.expect("there is a reader for every kind")
    }
}

/// Entries as their tables have them now.
pub(crate) struct Rows<'c> {
    readers: Vec<(&'c KindReader, CachedStatement<'c>)>,
}

impl Rows<'_> {
    /// As [`Capture::row`].
    pub(crate) fn get(&mut self, kind: Kind, record_id: i64) -> Result<Vec<u8>, StoreError> {
        let found = self.readers.iter_mut().find(|(reader, _)| reader.kind == kind);
        let (reader, statement) = found.expect("there is a reader for every kind");
        reader.row(statement, record_id)
    }
}

impl KindReader {
    fn new(kind: Kind) -> Self {
        let mut fields: Vec<_> = layout::columns(kind).map(|column| (column.field, column.field.name())).collect();
        // A draft that is written in order moves nothing.
        fields.sort_unstable_by_key(|(field, _)| *field);
        let names: Vec<_> = fields.iter().map(|(_, name)| name.as_str()).collect();
        let select = format!("SELECT status, {} FROM {} WHERE record_id = ?1", names.join(", "), kind.table());
        Self { kind, select, fields }
    }

    fn row(&self, statement: &mut CachedStatement<'_>, record_id: i64) -> Result<Vec<u8>, StoreError> {
        let found = statement.query_row([record_id], |row| self.read(row)).optional()?;
        Ok(found.unwrap_or_else(|| canonical::encode(&Draft::new(self.kind), Status::Active)))
    }

    fn read(&self, row: &Row<'_>) -> rusqlite::Result<Vec<u8>> {
        let mut draft = Draft::new(self.kind);
        for (at, (field, _)) in self.fields.iter().enumerate() {
            if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(at + 1)? {
                let bytes = &bytes[..bytes.len().min(COLUMN_BYTES_MAX)];
                match std::str::from_utf8(bytes) {
                    Ok(text) => draft.set(*field, text),
                    Err(_) => draft.set(*field, &String::from_utf8_lossy(bytes)),
                }
            }
        }
        let status = row.get_ref(0)?.as_str().ok();
        Ok(encode(&draft, status))
    }
}

/// Writes the canonical bytes. An entry that is longer than an entry can be keeps its short fields only, and its
/// longest field one byte past the bound of a field: so the centre names that field when it rejects the entry.
fn encode(draft: &Draft, status: Option<&str>) -> Vec<u8> {
    let status = status.and_then(Status::parse).unwrap_or(Status::Active);
    let bytes = canonical::encode(draft, status);
    if bytes.len() <= CANONICAL_BYTES_MAX {
        return bytes;
    }
    let mut short = Draft::new(draft.kind());
    for (field, value) in draft.iter().filter(|(_, value)| value.len() <= SHORT_FIELD_BYTES) {
        short.set(field, value);
    }
    if let Some((field, _)) = draft.iter().max_by_key(|(_, value)| value.len()) {
        short.set(field, &"…".repeat(FIELD_BYTES_MAX / "…".len() + 1));
    }
    canonical::encode(&short, status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use registry_schema::field::{Attribute, Role};
    use registry_schema::record::Record;

    use super::*;
    use crate::store::tests::scratch;

    const NAME: Field = Field::new(Role::Child, Attribute::Name);

    #[test]
    fn an_image_and_a_row_of_the_same_state_have_the_same_bytes() {
        let (_folder, mut store) = scratch();
        let connection = store.connection();
        let insert = "INSERT INTO births (record_id, number, child_name, note)
                      VALUES (5, '  7', 'Trần \"Ba\" Lý', 'x' || char(10) || 'y')";
        connection.execute_batch(insert).unwrap();
        let row = Capture::new().row(connection, Kind::Birth, 5).unwrap();
        connection.execute_batch("UPDATE births SET status = 'cancelled', child_name = 'Trần Tư'").unwrap();
        let image: String = connection
            .query_row("SELECT image FROM change_log WHERE operation = 'insert'", (), |row| row.get(0))
            .unwrap();
        assert_eq!(Capture::new().image(Kind::Birth, image.as_bytes()), row);
        let (draft, status) = canonical::decode(&row).unwrap();
        assert_eq!((draft.get(NAME), status), (Some("Trần \"Ba\" Lý"), Status::Active));
    }

    #[test]
    fn a_column_of_the_provinces_own_and_broken_text_do_no_harm() {
        let (_folder, mut store) = scratch();
        let connection = store.connection();
        connection
            .execute_batch(
                "ALTER TABLE births ADD COLUMN shelf TEXT;
                 INSERT INTO births (record_id, child_name, shelf) VALUES (5, CAST(x'41ff42' AS TEXT), 'B4');",
            )
            .unwrap();
        let (draft, _) = canonical::decode(&Capture::new().row(connection, Kind::Birth, 5).unwrap()).unwrap();
        assert_eq!((draft.get(NAME), draft.len()), (Some("A\u{fffd}B"), 1));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let (_folder, mut store) = scratch();
        let nothing = canonical::encode(&Draft::new(Kind::Death), Status::Active);
        assert_eq!(Capture::new().row(store.connection(), Kind::Death, 99).unwrap(), nothing);
        assert_eq!(Capture::new().image(Kind::Death, b"{\"number\": "), nothing);
        assert_eq!(Capture::new().image(Kind::Death, b"\xff"), nothing);
    }

    #[test]
    fn an_entry_that_is_too_long_as_a_whole_still_travels_and_is_rejected_by_name() {
        let mut draft = Draft::new(Kind::Birth);
        for column in layout::columns(Kind::Birth) {
            draft.set(column.field, &"a".repeat(3_000));
        }
        draft.set(NAME, "Trần Ba");
        draft.set(Field::entry(Attribute::Note), &"b".repeat(3_500));
        let (short, _) = canonical::decode(&encode(&draft, None)).unwrap();
        assert_eq!(short.get(NAME), Some("Trần Ba"));
        let violations = Record::validate(&short).unwrap_err();
        assert!(violations.iter().any(|violation| violation.field == Field::entry(Attribute::Note)));
    }
}
