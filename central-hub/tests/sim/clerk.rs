//! What clerks write with plain SQL, and the naive model that is fed with it.
//!
//! Every state that a clerk commits bears a mark of its own in its note, so the model compares marks and needs to know
//! nothing of bytes, versions, clocks, frames or lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Transaction, params};

use super::clock::PROVINCES_MS;

/// Names and dates that collide.
const NAMES: &[&str] = &["Nguyễn Văn Hùng", "Nguyễn Văn Hưng", "Nguyen Van Hung", "Lê Thị Hoà", "Lê Thị Hòa"];
const BORN: &[&str] = &["02.03.1980", "03.02.1980", "1980", "05.1981"];
/// Parts of names that seldom do.
const FAMILIES: &[&str] = &["Trần", "Phạm", "Hoàng", "Đỗ", "Bùi", "Vũ", "Đặng", "Mai"];
const GIVEN: &[&str] =
    &["Bích Liên", "Quốc Tuấn", "Thu Hà", "Minh Đức", "Ngọc Ánh", "Hữu Phước", "Kim Chi", "Xuân Trường"];
/// What no name looks like.
const NO_NAME: &str = "Nguyễn [2] An";
const REGISTERED: &[&str] = &["04.04.2009", "01.06.2009", "02.06.2009"];
/// The Julian day on which 1 January 1970 began.
const JULIAN_DAY_OF_1970: f64 = 2_440_587.5;
const DAY_MS: f64 = 86_400_000.0;

/// One committed state.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) mark: String,
    /// No such entry can be accepted.
    pub(crate) is_poison: bool,
    /// The store went back to where it was before: the nation may have never heard of it.
    pub(crate) is_gone: bool,
}

/// What was written about one entry, in the order of commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    pub(crate) states: Vec<Written>,
    /// States that were written in a copy of the store.
    pub(crate) foreign: BTreeSet<String>,
    /// From which state on the store was ever restored or copied: of these the nation may have any.
    pub(crate) loose_from: Option<usize>,
}

/// What the clerks of a province wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) stories: BTreeMap<i64, Story>,
    /// How often the store was restored, copied, or took a new epoch.
    pub(crate) incidents: usize,
}

impl Book {
    /// How many states of each entry there are now.
    pub(crate) fn lengths(&self) -> BTreeMap<i64, usize> {
        self.stories.iter().map(|(record, story)| (*record, story.states.len())).collect()
    }

    /// The entries that were there then and have changed since.
    pub(crate) fn changed_since(&self, lengths: &BTreeMap<i64, usize>) -> Vec<i64> {
        let has_changed = |(record, length): &(&i64, &usize)| self.stories[record].states.len() > **length;
        lengths.iter().filter(has_changed).map(|(record, _)| *record).collect()
    }

    /// The store went back to where these states stood: the others are gone from it.
    pub(crate) fn go_back(&mut self, lengths: &BTreeMap<i64, usize>) {
        self.loosen(lengths);
        for (record, story) in &mut self.stories {
            let left = lengths.get(record).copied().unwrap_or_default();
            story.states.iter_mut().skip(left).for_each(|state| state.is_gone = true);
        }
    }

    /// The store went back to, or was copied, where these states stood.
    pub(crate) fn loosen(&mut self, lengths: &BTreeMap<i64, usize>) {
        self.incidents += 1;
        for (record, story) in &mut self.stories {
            let from = lengths.get(record).map_or(0, |length| length.saturating_sub(1));
            story.loose_from = Some(story.loose_from.map_or(from, |loose| loose.min(from)));
        }
    }
}

/// A clerk's program at one store.
pub(crate) struct Clerk {
    connection: Connection,
    agent: usize,
    /// The code of the province, as offices bear it.
    code: u8,
    /// Entries that are in the store, with their tables.
    entries: Vec<(i64, &'static str)>,
    /// Entries that are corrected before others: those of which the nation may have another state.
    contested: BTreeSet<i64>,
}

/// Numbers that are given once in a simulation.
#[derive(Default)]
pub(crate) struct Numbers {
    last: i64,
}

impl Numbers {
    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }
}

impl Clerk {
    /// Opens the store, whatever is in it.
    pub(crate) fn open(path: &Path, agent: usize, code: u8) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        let julian_day =
            move |_: &rusqlite::functions::Context<'_>| Ok(PROVINCES_MS[agent]() as f64 / DAY_MS + JULIAN_DAY_OF_1970);
        connection.create_scalar_function("julianday", 1, FunctionFlags::SQLITE_UTF8, julian_day).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let mut entries = Vec::new();
        for table in ["births", "marriages", "deaths"] {
            let mut statement =
                connection.prepare(&format!("SELECT record_id FROM {table} ORDER BY record_id")).unwrap();
            let rows = statement.query_map((), |row| row.get::<_, i64>(0)).unwrap();
            entries.extend(rows.map(|row| (row.unwrap(), table)));
        }
        entries.sort_unstable();
        Self { connection, agent, code, entries, contested: BTreeSet::new() }
    }

    /// Corrects these entries before others from now on.
    pub(crate) fn contest(&mut self, records: impl IntoIterator<Item = i64>) {
        self.contested.extend(records);
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Entries and corrections of one transaction. States that are written in a copy of the store bear its word.
    pub(crate) fn write(
        &mut self,
        chance: &mut ChaCha8Rng,
        numbers: &mut Numbers,
        count: usize,
    ) -> Result<Vec<(i64, Written)>, rusqlite::Error> {
        let mut written = Vec::new();
        let transaction = self.connection.transaction()?;
        let mut fresh = Vec::new();
        for _ in 0..count {
            let mark = format!("{}-{}", self.agent, numbers.next());
            let is_poison = chance.random_ratio(1, 25);
            let mut known: Vec<(i64, &'static str)> = self.entries.iter().chain(&fresh).copied().collect();
            let is_contested = !self.contested.is_empty() && chance.random_ratio(2, 3);
            let is_correction = is_contested || chance.random_ratio(2, 5);
            known.retain(|(record, _)| !is_contested || self.contested.contains(record));
            let record = match known.choose(chance).filter(|_| is_correction) {
                Some((record, table)) => {
                    correct(&transaction, chance, *record, table, &mark, is_poison)?;
                    *record
                }
                None => {
                    let record = numbers.next();
                    let table = enter(&transaction, chance, self.code, record, &mark, is_poison, None)?;
                    fresh.push((record, table));
                    record
                }
            };
            written.push((record, Written { mark, is_poison, is_gone: false }));
        }
        transaction.commit()?;
        self.entries.extend(fresh);
        Ok(written)
    }

    /// An import of a digitised book: many entries of the backlog in one transaction.
    pub(crate) fn import(
        &mut self,
        chance: &mut ChaCha8Rng,
        numbers: &mut Numbers,
        count: usize,
    ) -> Result<Vec<(i64, Written)>, rusqlite::Error> {
        let (mut written, mut fresh) = (Vec::new(), Vec::new());
        let transaction = self.connection.transaction()?;
        for _ in 0..count {
            let (record, mark) = (numbers.next(), format!("{}-{}", self.agent, numbers.next()));
            let table = enter(&transaction, chance, self.code, record, &mark, false, Some(1))?;
            fresh.push((record, table));
            written.push((record, Written { mark, is_poison: false, is_gone: false }));
        }
        transaction.commit()?;
        self.entries.extend(fresh);
        Ok(written)
    }

    /// The incarnation of the store.
    pub(crate) fn epoch(&self) -> u64 {
        let sql = "SELECT value FROM store_state WHERE key = 'epoch'";
        self.connection.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
    }

    /// The mark and status of every entry as they stand in the store.
    pub(crate) fn marks(&self) -> BTreeMap<i64, String> {
        let sql = "SELECT record_id, note FROM births UNION ALL SELECT record_id, note FROM marriages
                   UNION ALL SELECT record_id, note FROM deaths";
        let mut statement = self.connection.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}

/// A name and a date of birth; one in four is one that others have as well.
fn somebody(chance: &mut ChaCha8Rng) -> (String, String) {
    if chance.random_ratio(1, 4) {
        return (pick(chance, NAMES).to_owned(), pick(chance, BORN).to_owned());
    }
    let (day, month, year) = (chance.random_range(1..29), chance.random_range(1..13), chance.random_range(1950..1986));
    (format!("{} {}", pick(chance, FAMILIES), pick(chance, GIVEN)), format!("{day:02}.{month:02}.{year}"))
}

fn pick(chance: &mut ChaCha8Rng, of: &[&'static str]) -> &'static str {
    of.choose(chance).copied().unwrap()
}

/// A new entry; answers its table.
fn enter(
    transaction: &Transaction<'_>,
    chance: &mut ChaCha8Rng,
    code: u8,
    record: i64,
    mark: &str,
    is_poison: bool,
    import: Option<i64>,
) -> rusqlite::Result<&'static str> {
    let number = chance.random_range(1..12).to_string();
    let office = format!("{code:02}.0000{}", chance.random_range(1..3));
    let registered = pick(chance, REGISTERED);
    let (name, born) = somebody(chance);
    let name = if is_poison { NO_NAME } else { &name };
    let event = pick(chance, &["03.03.2008", "04.04.2008"]);
    let (table, columns) = match chance.random_range(0..5) {
        0 => ("deaths", "deceased_name, deceased_birth_date, declarant_name, event_date"),
        1 => ("marriages", "husband_name, husband_birth_date, wife_name, event_date"),
        _ => ("births", "child_name, child_birth_date, mother_name, event_place"),
    };
    let sql = format!(
        "INSERT INTO {table} (record_id, import_id, number, registration_date, authority, note, {columns})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    );
    let (parent, _) = somebody(chance);
    let values = params![record, import, number, registered, office, mark, name, born, parent, event];
    transaction.prepare_cached(&sql)?.execute(values)?;
    Ok(table)
}

/// Another state of an entry.
fn correct(
    transaction: &Transaction<'_>,
    chance: &mut ChaCha8Rng,
    record: i64,
    table: &str,
    mark: &str,
    is_poison: bool,
) -> rusqlite::Result<()> {
    let (name, born) = match table {
        "births" => ("child_name", "child_birth_date"),
        "marriages" => ("husband_name", "husband_birth_date"),
        _ => ("deceased_name", "deceased_birth_date"),
    };
    let (said, date) = somebody(chance);
    let said = if is_poison { NO_NAME } else { &said };
    let status = if !is_poison && chance.random_ratio(1, 8) { "cancelled" } else { "active" };
    let sql = format!("UPDATE {table} SET note = ?2, {name} = ?3, {born} = ?4, status = ?5 WHERE record_id = ?1");
    transaction.prepare_cached(&sql)?.execute(params![record, mark, said, date, status])?;
    Ok(())
}
