//! Text in letters from before Unicode: in which form each book of a file was written, and its decoding.
//!
//! A first pass over the file lets the texts of each book vote, and the books together; the second pass decodes. The
//! decision depends on the file and its mapping alone, so that a file that comes again makes the same entries.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use registry_schema::field::{Attribute, Field};
use registry_schema::text::legacy::{Legacy, Teller, Vote, decode};
use sha2::{Digest as _, Sha256};

use super::error::ImportError;
use super::plan::FilePlan;
use super::report::Decoded;
use super::row::{Row, RowSource};

/// The most books of one file that vote on their own, 10 MB of votes; a file with more votes as one. Backlogs come by
/// commune and year, with a few books in a file.
const BOOKS_MAX: usize = 64 * 1024;

/// The name of a book in its file: a hash of the cells that name it and its office.
type Book = [u8; 16];

/// What a file was written in, book by book.
#[derive(Default)]
pub(super) struct Decoding {
    places: Places,
    books: BTreeMap<Book, Legacy>,
    /// The form of rows whose book is not listed.
    others: Option<Legacy>,
    counts: BTreeMap<Legacy, (u64, BTreeSet<Book>)>,
}

/// Where rows have text, and what names their book.
#[derive(Default)]
struct Places {
    text: BTreeSet<usize>,
    book: Vec<usize>,
}

impl Decoding {
    /// All text of the file is in one form.
    pub(super) fn always(plan: &FilePlan, legacy: Legacy) -> Self {
        Self { places: Places::of(plan), others: Some(legacy), ..Self::default() }
    }

    /// What the rest of a file says, and `row` when it is an entry.
    pub(super) fn vote(
        plan: &FilePlan,
        source: &mut dyn RowSource,
        mut row: Row,
        mut is_read: bool,
    ) -> Result<Self, ImportError> {
        let places = Places::of(plan);
        let (mut file, mut books) = (Vote::default(), BTreeMap::<Book, Vote>::new());
        let mut teller = Teller::default();
        let mut is_one = places.book.is_empty();
        while is_read || source.next_row(&mut row)? {
            is_read = false;
            plan.check_width(&mut row, source.leaves_out_blanks());
            if row.flaw.is_some() {
                continue;
            }
            let mut vote = Vote::default();
            places.text.iter().for_each(|place| teller.count(row.cell(*place), &mut vote));
            file.absorb(&vote);
            if !is_one {
                books.entry(places.book_of(&row)).or_default().absorb(&vote);
                is_one = books.len() > BOOKS_MAX;
            }
        }
        if is_one {
            return Ok(Self { places, others: file.decide(), ..Self::default() });
        }
        let decided = books.into_iter().filter_map(|(book, vote)| Some((book, vote.decide_within(&file)?)));
        Ok(Self { places, books: decided.collect(), ..Self::default() })
    }

    /// Decodes the text of a row; counts the row when it is one of this run.
    pub(super) fn decode(&mut self, row: &mut Row, is_of_this_run: bool) {
        if self.others.is_none() && self.books.is_empty() {
            return;
        }
        let book = self.places.book_of(row);
        let Some(legacy) = self.books.get(&book).copied().or(self.others) else { return };
        // Where the cells of a row stand in the wrong columns, text may be anywhere.
        let is_text = |place| row.flaw.is_some() || self.places.text.contains(&place);
        let cells = row.cells().enumerate();
        let decoded =
            cells.map(|(place, cell)| if is_text(place) { decode(cell, legacy) } else { Cow::Borrowed(cell) });
        let decoded: Vec<_> = decoded.collect();
        if decoded.iter().map(AsRef::as_ref).eq(row.cells()) {
            return;
        }
        let decoded: Vec<String> = decoded.into_iter().map(Cow::into_owned).collect();
        row.replace(&decoded);
        if is_of_this_run {
            let (rows, books) = self.counts.entry(legacy).or_default();
            *rows += 1;
            books.extend((!self.books.is_empty()).then_some(book));
        }
    }

    /// What was decoded in this run.
    pub(super) fn counted(&self) -> Vec<Decoded> {
        let one = |(legacy, (rows, books)): (&Legacy, &(u64, BTreeSet<Book>))| Decoded {
            legacy: *legacy,
            rows: *rows,
            books: books.len() as u64,
        };
        self.counts.iter().map(one).collect()
    }
}

impl Places {
    fn of(plan: &FilePlan) -> Self {
        let has_book = plan.places(Field::entry(Attribute::Book)).next().is_some();
        let names = [Attribute::Book, Attribute::Authority].into_iter().filter(|_| has_book);
        let book = names.flat_map(|attribute| plan.places(Field::entry(attribute))).collect();
        Self { text: plan.text_places(), book }
    }

    fn book_of(&self, row: &Row) -> Book {
        let mut hasher = Sha256::new();
        for place in &self.book {
            let cell = row.cell(*place).trim();
            hasher.update((cell.len() as u64).to_be_bytes());
            hasher.update(cell);
        }
        let mut book = Book::default();
        book.copy_from_slice(&hasher.finalize()[..16]);
        book
    }
}
