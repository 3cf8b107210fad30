//! Completeness: which numbers are missing in the books, office by office and year by year.
//!
//! Reads every record in force once, page by page. Extracts fill no gap: the entry behind one may never have come.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hub_rules::reading::{Entry, Reading};
use hub_rules::rule::extract_as_entry::kept_elsewhere;
use hub_rules::rule::number_gap::Series;
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Origin, RecordKey};
use registry_schema::kind::Kind;
use registry_schema::natural_key::NaturalKey;
use serde::Serialize;

/// Records of a page.
const PAGE_RECORDS: usize = 2_000;
/// Missing runs that a report names for one book; the number of all missing entries is told in any case.
const GAPS_NAMED_MAX: usize = 20;

/// Which books are asked for; what is not set holds for all.
#[derive(Debug, Clone, Copy, Default)]
pub struct BooksFilter {
    /// The province that keeps the books.
    pub province: Option<Origin>,
    /// The kind of entries.
    pub kind: Option<Kind>,
    /// The year of registration.
    pub year: Option<i16>,
    /// Books in which nothing is amiss, too.
    pub complete_too: bool,
}

/// How complete the books are.
#[derive(Debug, Serialize)]
pub struct CompletenessReport {
    /// Books in which a number is missing or repeated (or all, if asked for), by province, office, kind and year.
    pub books: Vec<BookReport>,
    /// Books that were counted.
    pub books_counted: usize,
    /// Numbers that are missing in all of them.
    pub missing: u64,
    /// Records whose place in the books is not noted, or is no number.
    pub uncounted: u64,
}

/// The book of one office, kind and year.
#[derive(Debug, Serialize)]
pub struct BookReport {
    /// The province that keeps it.
    pub province: Origin,
    /// The office, as code or in words.
    pub office: String,
    /// The kind of entries.
    pub kind: Kind,
    /// The year.
    pub year: i16,
    /// The greatest number.
    pub greatest: u32,
    /// Numbers that are there.
    pub present: u64,
    /// Numbers below the greatest that are not.
    pub missing: u64,
    /// Entries under a number that another entry bears.
    pub repeated: u64,
    /// The first missing runs.
    pub gaps: Vec<Gap>,
}

/// A run of missing numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The first.
    pub from: u32,
    /// The last.
    pub to: u32,
}

/// Province, office, kind and year.
type Book = (Origin, String, Kind, i16);

/// Counts what is missing.
///
/// # Errors
/// The store cannot be read.
pub async fn completeness<S: NationalStore>(
    store: &S,
    filter: BooksFilter,
    mut progress: impl FnMut(u64),
) -> Result<CompletenessReport, StoreError> {
    let mut books: BTreeMap<Book, Series> = BTreeMap::new();
    let (mut read, mut uncounted) = (0, 0);
    let mut after: Option<RecordKey> = None;
    loop {
        let page = store.entries(after, PAGE_RECORDS).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        read += page.len() as u64;
        for (key, state) in page {
            if filter.province.is_none_or(|province| province == key.origin) {
                uncounted += u64::from(!count(&mut books, filter, key, &Reading::of(key, state)));
            }
        }
        progress(read);
    }
    let (books_counted, missing) = (books.len(), books.values().map(Series::missing).sum());
    let amiss = |book: &BookReport| filter.complete_too || book.missing > 0 || book.repeated > 0;
    let books = books.into_iter().map(report).filter(amiss).collect();
    Ok(CompletenessReport { books, books_counted, missing, uncounted })
}

/// Notes a record in its book; false when it has none to be noted in.
fn count(books: &mut BTreeMap<Book, Series>, filter: BooksFilter, key: RecordKey, reading: &Reading) -> bool {
    let Some(record) = reading.in_force() else { return true };
    let is_extract = record.registration.is_extract || kept_elsewhere(Entry { key, record });
    if is_extract || filter.kind.is_some_and(|kind| kind != record.kind()) {
        return true;
    }
    let Some(natural) = NaturalKey::of(record, key.origin) else {
        // Whoever asks for one year is not told of entries that have none.
        return filter.year.is_some();
    };
    if filter.year.is_some_and(|year| year != natural.year()) {
        return true;
    }
    let Some(number) = natural.counted_number() else { return false };
    let book = (key.origin, natural.authority().to_owned(), natural.kind(), natural.year());
    books.entry(book).or_default().add(number);
    true
}

fn report(((province, office, kind, year), series): (Book, Series)) -> BookReport {
    let gap = |run: RangeInclusive<u32>| Gap { from: *run.start(), to: *run.end() };
    BookReport {
        province,
        office,
        kind,
        year,
        greatest: series.greatest(),
        present: series.present(),
        missing: series.missing(),
        repeated: series.repeated(),
        gaps: series.gaps().map(gap).take(GAPS_NAMED_MAX).collect(),
    }
}

impl BookReport {
    /// The missing runs in words, as `2, 5-9`; ends with `...` where more are missing than are named.
    #[must_use]
    pub fn gaps_in_words(&self) -> String {
        let run =
            |gap: &Gap| if gap.from == gap.to { gap.from.to_string() } else { format!("{}-{}", gap.from, gap.to) };
        let mut words: Vec<String> = self.gaps.iter().map(run).collect();
        let named: u64 = self.gaps.iter().map(|gap| u64::from(gap.to - gap.from) + 1).sum();
        if named < self.missing {
            words.push("...".to_owned());
        }
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use hub_rules::{Arrival, Batch, Context, State, decide};
    use hub_store::Registry as _;
    use hub_store::model::{Applied, JournalId, Queue};
    use hub_store::sqlite::Sqlite;
    use registry_schema::canonical;
    use registry_schema::clock::Hlc;
    use registry_schema::draft::Draft;
    use registry_schema::field::{Attribute, Field, Role};
    use registry_schema::ids::Version;
    use registry_schema::kind::Status;

    use super::*;

    /// A nation of deaths, each a line `KEY OFFICE NUMBER DATE NOTE`.
    async fn nation(lines: &str) -> (tempfile::TempDir, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("national.db")).unwrap();
        let arrival = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut draft = Draft::new(Kind::Death).with(Field::new(Role::Deceased, Attribute::Name), words[0]);
            let fields = [Attribute::Authority, Attribute::Number, Attribute::RegistrationDate, Attribute::Note];
            for (attribute, word) in fields.into_iter().zip(&words[1..]) {
                draft.set(Field::entry(attribute), word);
            }
            draft.set(Field::new(Role::Deceased, Attribute::Name), "Lê An");
            let bytes = canonical::encode(&draft, Status::Active);
            Arrival::State(words[0].parse().unwrap(), State::new(Version(1), Hlc::from_number(1), bytes))
        };
        let batch: Batch = lines.lines().filter(|line| !line.trim().is_empty()).map(arrival).collect();
        let context = crate::reconcile::gather(&store, &batch, Context::default()).await.unwrap();
        let applied = Applied { queue: Queue::Live, journal: JournalId(1), lanes: BTreeMap::new(), now_ms: 0 };
        store.commit(decide(&context, &batch), applied).await.unwrap();
        (folder, store)
    }

    async fn check(filter: BooksFilter, expected: &str) {
        let (_folder, store) = nation(
            "01@2008/1 01.00001 1 1999
             01@2008/2 01.00001 4 05.1999
             01@2008/3 01.00001 04 1999
             01@2008/4 01.00001 2 2000
             01@2008/5 01.00002 1 1999
             01@2008/6 01.00001 3 1999 trích_lục
             79@2008/1 79.00001 12a 1999
             79@2008/2 79.00001 7",
        )
        .await;
        let report = completeness(&store, filter, |_| {}).await.unwrap();
        let mut lines: Vec<String> = report
            .books
            .iter()
            .map(|book| {
                let (present, missing, repeated) = (book.present, book.missing, book.repeated);
                format!("{} {} {present} {missing} {repeated} [{}]", book.office, book.year, book.gaps_in_words())
            })
            .collect();
        lines.push(format!("uncounted {}", report.uncounted));
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(lines, expected);
    }

    #[tokio::test]
    async fn every_book_is_counted_for_itself() {
        check(
            BooksFilter { complete_too: true, ..BooksFilter::default() },
            "01.00001@2008 1999 2 2 1 [2-3]
             01.00001@2008 2000 1 1 0 [1]
             01.00002@2008 1999 1 0 0 []
             uncounted 2",
        )
        .await;
    }

    #[tokio::test]
    async fn a_filter_leaves_the_other_books_out() {
        let year = BooksFilter { year: Some(2000), ..BooksFilter::default() };
        check(year, "01.00001@2008 2000 1 1 0 [1]\nuncounted 0").await;
        let province = BooksFilter { province: "79@2008".parse().ok(), ..BooksFilter::default() };
        check(province, "uncounted 2").await;
        let births = BooksFilter { kind: Some(Kind::Birth), ..BooksFilter::default() };
        check(births, "uncounted 0").await;
    }
}
