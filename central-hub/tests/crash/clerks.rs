//! Clerks of one province, who go on writing whatever dies around them, and remember what they wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::Connection;

use super::books::Books;

/// How long a clerk waits for another program's lock.
const BUSY: Duration = Duration::from_secs(60);
/// Entries of clerks have keys from here on, so that none is that of an imported one.
const FIRST_RECORD: i64 = 1_000;
/// Numbers of people from here on are mothers, and from there on the dead of imported files.
const FIRST_MOTHER: i64 = 1 << 40;
const FIRST_DEAD: i64 = 1 << 50;

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
    /// Corrections of such deaths.
    corrected: usize,
}

impl Clerks {
    pub(crate) fn new(store: &str, office: &str, seed: u64) -> Self {
        let chance = StdRng::seed_from_u64(seed);
        Self {
            store: store.into(),
            office: office.to_owned(),
            chance,
            written: BTreeMap::new(),
            imported: 0,
            corrected: 0,
        }
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
        let (child, mother) = (Somebody::number(id), Somebody::number(FIRST_MOTHER + id));
        let (day, month, year) = (child.day, child.month, 1990 + child.year);
        let (note, office) = (format!("state {id} of 1"), &self.office);
        let sex = if self.chance.random_bool(0.05) { "x" } else { "1" };
        let sql = format!(
            "INSERT INTO births (record_id, number, book, registration_date, authority, child_name, child_sex,
               child_birth_date, mother_name, note)
             VALUES ({id}, '{id}', '01/{year}', '30.12.{year}', '{office}', '{}', '{sex}', '{day:02}.{month:02}.{year}',
               '{}', '{note}')",
            child.name, mother.name
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
        // The first file is of another time, so that nothing that comes later touches its entries.
        let (since, died) = if self.imported == 0 { (1850, 1931) } else { (1920, 1999) };
        for row in self.imported..self.imported + rows {
            let Somebody { name, day, month, year } = Somebody::number(FIRST_DEAD + row as i64);
            let (office, year) = (&self.office, since + year);
            csv.push_str(&format!("{row},05.03.{died},{office},{name},{day:02}.{month:02}.{year},04.03.{died}\n"));
        }
        std::fs::write(&file, csv).expect("a file");
        self.imported += rows;
        file.display().to_string()
    }

    /// Corrects an entry of the first file.
    pub(crate) fn correct_imported(&mut self, row: usize) {
        self.corrected += 1;
        let note = format!("correction {}", self.corrected);
        let sql = "UPDATE deaths SET note = ?1 WHERE import_id = 1 AND number = ?2";
        assert_eq!(open(&self.store).execute(sql, (note, row.to_string())), Ok(1), "a clerk corrects");
    }

    /// The committed states of all entries.
    pub(crate) fn states(&self) -> usize {
        self.imported + self.corrected + self.written.values().map(|entry| entry.versions as usize).sum::<usize>()
    }

    /// Every state is in the nation once, and the last one stands.
    pub(crate) fn check(&self, books: &Books, origin: u16) {
        let count = |table: &str| books.number(&format!("SELECT count(*) FROM {table} WHERE origin = {origin}"));
        let states = count("past") + count("record");
        assert_eq!(usize::try_from(states), Ok(self.states()), "states in the nation, and states that were committed");
        let present: BTreeMap<i64, (i64, Vec<u8>)> =
            books.entries(origin).into_iter().map(|(id, version, canonical)| (id, (version, canonical))).collect();
        for (id, written) in &self.written {
            let (version, canonical) = present.get(id).expect("it is in the nation");
            assert_eq!(*version, i64::from(written.versions), "entry {id}");
            let note = written.note.as_bytes();
            assert!(
                canonical.windows(note.len()).any(|window| window == note),
                "entry {id} is not what was written last"
            );
        }
    }
}

/// A person of a number, the same one in every province; persons of two numbers are hardly ever alike, so that cases grow
/// with the entries and not with their square.
struct Somebody {
    name: String,
    day: u64,
    month: u64,
    /// Years since the first.
    year: u64,
}

impl Somebody {
    fn number(number: i64) -> Self {
        const FAMILIES: [&str; 8] = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi"];
        const SYLLABLES: [&str; 16] = [
            "An", "Bình", "Cường", "Dũng", "Giang", "Hà", "Khoa", "Lâm", "Minh", "Nam", "Phúc", "Quang", "Sơn", "Tuấn",
            "Vinh", "Xuân",
        ];
        let mut chance = StdRng::seed_from_u64(number.cast_unsigned());
        let family = FAMILIES[chance.random_range(0..FAMILIES.len())];
        let given: [&str; 3] = std::array::from_fn(|_| SYLLABLES[chance.random_range(0..SYLLABLES.len())]);
        let name = format!("{family} {}", given.join(" "));
        let (day, month, year) = (chance.random_range(1..29), chance.random_range(1..13), chance.random_range(0..30));
        Self { name, day, month, year }
    }
}

/// A connection as any program opens it.
pub(crate) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    connection.busy_timeout(BUSY).expect("sets");
    connection.pragma_update(None, "synchronous", "FULL").expect("sets");
    connection
}
