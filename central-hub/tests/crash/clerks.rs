//! Clerks of one province, who go on writing whatever dies around them, and remember what they wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::Connection;

/// How long a clerk waits for another program's lock.
const BUSY: Duration = Duration::from_secs(60);
/// Entries of clerks have keys from here on, so that none is that of an imported one.
const FIRST_RECORD: i64 = 1_000;

/// What a clerk wrote last about an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// Its committed states.
    pub(crate) versions: u32,
    /// The note of the last.
    pub(crate) note: String,
}

/// The clerks of one province.
pub(crate) struct Clerks {
    store: PathBuf,
    office: String,
    chance: StdRng,
    /// Every entry that was committed.
    pub(crate) written: BTreeMap<i64, Written>,
    /// Deaths in imported files.
    pub(crate) imported: usize,
}

impl Clerks {
    pub(crate) fn new(store: &str, office: &str, seed: u64) -> Self {
        let chance = StdRng::seed_from_u64(seed);
        Self { store: store.into(), office: office.to_owned(), chance, written: BTreeMap::new(), imported: 0 }
    }

    /// Writes some entries and corrections, each in a transaction of its own.
    pub(crate) fn write(&mut self, steps: usize) {
        let connection = open(&self.store);
        for _ in 0..steps {
            let known = i64::try_from(self.written.len()).expect("few");
            if known == 0 || self.chance.random_bool(0.6) {
                self.insert(&connection, FIRST_RECORD + known);
            } else {
                let id = FIRST_RECORD + self.chance.random_range(0..known);
                self.correct(&connection, id);
            }
        }
    }

    fn insert(&mut self, connection: &Connection, id: i64) {
        let (day, year, note) = (1 + id % 28, 1990 + id % 30, format!("state {id} of 1"));
        let name = name(id);
        let sex = if self.chance.random_bool(0.05) { "x" } else { "1" };
        let sql = format!(
            "INSERT INTO births (record_id, number, book, registration_date, authority, child_name, child_sex,
               child_birth_date, mother_name, note)
             VALUES ({id}, '{id}', '01/{year}', '05.12.{year}', '{}', 'Nguyễn {name}', '{sex}', '{day:02}.03.{year}',
               'Lê Thị Mai', '{note}')",
            self.office
        );
        connection.execute(&sql, ()).expect("a clerk writes");
        self.written.insert(id, Written { versions: 1, note });
    }

    fn correct(&mut self, connection: &Connection, id: i64) {
        let entry = self.written.get_mut(&id).expect("it was written");
        let note = format!("state {id} of {}", entry.versions + 1);
        connection.execute("UPDATE births SET note = ?1 WHERE record_id = ?2", (&note, id)).expect("a clerk corrects");
        *entry = Written { versions: entry.versions + 1, note };
    }

    /// A backlog of deaths that nobody else resembles, as a file.
    pub(crate) fn backlog(&mut self, folder: &Path, rows: usize) -> String {
        let file = folder.join(format!("backlog-{}.csv", self.imported));
        let mut csv = String::from("number,registration_date,authority,deceased_name,deceased_birth_date,event_date\n");
        // The first file is of another time and family, so that nothing that comes later touches its entries.
        let (family, since, died) = if self.imported == 0 { ("Đặng", 1850, 1931) } else { ("Trần", 1920, 1999) };
        for row in self.imported..self.imported + rows {
            let (day, month, year) = (1 + row % 28, 1 + row / 28 % 12, since + row / 336 % 60);
            let (name, office) = (name(row as i64), &self.office);
            csv.push_str(&format!(
                "{row},05.03.{died},{office},{family} {name},{day:02}.{month:02}.{year},04.03.{died}\n"
            ));
        }
        std::fs::write(&file, csv).expect("a file");
        self.imported += rows;
        file.display().to_string()
    }

    /// The committed states of all entries.
    pub(crate) fn states(&self) -> usize {
        self.imported + self.written.values().map(|entry| entry.versions as usize).sum::<usize>()
    }

    /// Every state is in the nation once, and the last one stands.
    pub(crate) fn check(&self, national: &Path, origin: u16) {
        let connection = open(national);
        let number = |sql: &str| connection.query_row(sql, [origin], |row| row.get::<_, i64>(0)).expect("reads");
        let past = number("SELECT count(*) FROM past WHERE origin = ?1");
        let states = past + number("SELECT count(*) FROM record WHERE origin = ?1");
        assert_eq!(usize::try_from(states), Ok(self.states()), "states in the nation, and states that were committed");
        let sql = "SELECT version, canonical FROM record WHERE origin = ?1 AND record_id = ?2";
        for (id, written) in &self.written {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?));
            let (version, canonical) = connection.query_row(sql, (origin, id), read).expect("it is in the nation");
            assert_eq!(version, written.versions, "entry {id}");
            let note = written.note.as_bytes();
            assert!(
                canonical.windows(note.len()).any(|window| window == note),
                "entry {id} is not what was written last"
            );
        }
    }
}

/// One of four thousand given names; entries of one number in two provinces are of one child.
fn name(number: i64) -> String {
    const SYLLABLES: [&str; 16] = [
        "An", "Bình", "Cường", "Dũng", "Giang", "Hà", "Khoa", "Lâm", "Minh", "Nam", "Phúc", "Quang", "Sơn", "Tuấn",
        "Vinh", "Xuân",
    ];
    let at = |part: i64| SYLLABLES[usize::try_from(number / part % 16).unwrap_or_default()];
    format!("{} {} {}", at(1), at(16), at(256))
}

/// A connection as any program opens it.
pub(crate) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    connection.busy_timeout(BUSY).expect("sets");
    connection.pragma_update(None, "synchronous", "FULL").expect("sets");
    connection
}
