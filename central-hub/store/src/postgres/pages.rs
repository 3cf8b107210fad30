//! Blocks as pages: who stood in them when the registry was judged at once, some sixteen stands a row.
//!
//! A row for each stand takes a hundred bytes of table and index, which is more than half of a registry. The high bits of
//! a block, as many as there are pages, say which page it is in, so a look-up goes by key. Pages are written in bulk and
//! only ever lose: who comes later has a row in `block`, and a look-up asks both. A block in which too many stand has
//! rows alone, since all of a page is read at once.

use std::collections::{BTreeMap, BTreeSet};

use hub_rules::node::Node;
use registry_schema::field::Role;
use registry_schema::ids::{Origin, RecordId, RecordKey};
use tokio_postgres::Row;

use super::codec::{get, origin_number};
use super::error::{Fault, Outcome};
use super::pool::Connection;
use super::statements;

/// Stands of one page at most on average, and half as many at least: half a kilobyte, which is read for each key.
const STANDS_MEAN_MAX: u64 = 16;
/// Bits of a block: a block is never negative.
const BLOCK_BITS: u32 = 63;
/// Bits of a block that its page leaves out at most: a page has blocks of one [`high_byte`].
const SHIFT_MAX: u32 = BLOCK_BITS - 8;
const STAND_BYTES: usize = 19;

/// Who stands where: a block and a participant.
pub type Stand = (i64, Node);

/// The highest eight bits of a block. Whoever has everybody in blocks with the same ones has whole pages.
#[must_use]
pub fn high_byte(block: i64) -> u8 {
    u8::try_from(block >> SHIFT_MAX).unwrap_or_default()
}

/// Which page a block is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    /// How many low bits are left out.
    pub(super) shift: i16,
}

impl Paging {
    /// For so many stands.
    pub(super) fn of(stands: u64) -> Self {
        let pages = stands.div_ceil(STANDS_MEAN_MAX).next_power_of_two();
        let shift = BLOCK_BITS.saturating_sub(pages.trailing_zeros()).min(SHIFT_MAX);
        Self { shift: i16::try_from(shift).unwrap_or_default() }
    }

    pub(super) const fn page(self, block: i64) -> i64 {
        block >> self.shift
    }
}

/// The bytes of some stands, which are in the order of blocks.
pub(super) fn encode<'s>(stands: impl IntoIterator<Item = &'s Stand>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (block, Node { key, role }) in stands {
        bytes.extend(block.to_be_bytes());
        bytes.extend(origin_number(key.origin).to_be_bytes());
        bytes.extend(key.id.number().to_be_bytes());
        bytes.push(role.code());
    }
    bytes
}

/// A page as it is stored.
pub(super) struct Page<'r> {
    page: i64,
    paging: Paging,
    stands: &'r [[u8; STAND_BYTES]],
}

impl<'r> Page<'r> {
    /// The page of a row of [`statements::BLOCK_PAGES`].
    pub(super) fn read(row: &'r Row) -> Outcome<Self> {
        Self::of(get(row, 0)?, Paging { shift: get(row, 1)? }, get(row, 2)?)
    }

    fn of(page: i64, paging: Paging, bytes: &'r [u8]) -> Outcome<Self> {
        match bytes.as_chunks() {
            (stands, []) if (0..=63).contains(&paging.shift) => Ok(Self { page, paging, stands }),
            _ => Err(Fault::Damaged("a page of blocks")),
        }
    }

    /// Who stands in those of the wanted blocks that are in this page.
    pub(super) fn of_blocks(&self, wanted: &BTreeSet<i64>) -> Outcome<Vec<Stand>> {
        let mut found = Vec::new();
        let here =
            wanted.range(self.page << self.paging.shift..).take_while(|block| self.paging.page(**block) == self.page);
        for block in here {
            let from = self.stands.partition_point(|stand| block_of(stand) < *block);
            for stand in self.stands[from..].iter().take_while(|stand| block_of(stand) == *block) {
                found.push(read(stand)?);
            }
        }
        Ok(found)
    }

    /// What is left without some stands; `None` where none of them is here.
    fn without(&self, gone: &BTreeSet<Stand>) -> Outcome<Option<Vec<u8>>> {
        let stands = self.stands.iter().map(read).collect::<Outcome<Vec<Stand>>>()?;
        let left: Vec<&Stand> = stands.iter().filter(|stand| !gone.contains(stand)).collect();
        Ok((left.len() < stands.len()).then(|| encode(left)))
    }
}

/// Takes whoever left their blocks out of these pages.
pub(super) async fn leave(connection: &Connection, pages: &[Row], gone: &[Stand]) -> Outcome<()> {
    let gone: BTreeSet<Stand> = gone.iter().copied().collect();
    let mut left = BTreeMap::new();
    for row in pages {
        let page = Page::read(row)?;
        left.extend(page.without(&gone)?.map(|bytes| (page.page, bytes)));
    }
    let (pages, stands): (Vec<i64>, Vec<Vec<u8>>) = left.into_iter().unzip();
    connection.query_if(!pages.is_empty(), statements::BLOCK_PAGE_PUT, [&pages, &stands]).await.map(drop)
}

fn block_of(stand: &[u8; STAND_BYTES]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *stand;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn read(stand: &[u8; STAND_BYTES]) -> Outcome<Stand> {
    let [_, _, _, _, _, _, _, _, o, p, a, b, c, d, e, f, g, h, role] = *stand;
    let origin = Origin::from_number(u16::from_be_bytes([o, p]));
    let id = RecordId::from_number(i64::from_be_bytes([a, b, c, d, e, f, g, h]));
    let key = origin.zip(id).map(|(origin, id)| RecordKey { origin, id });
    let node = key.zip(Role::from_code(role)).map(|(key, role)| Node::new(key, role));
    node.map(|node| (block_of(stand), node)).ok_or(Fault::Damaged("a stand in a page of blocks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(block: i64, id: i64, role: Role) -> Stand {
        let key = format!("79@2008/{id}").parse().unwrap();
        (block, Node::new(key, role))
    }

    #[test]
    fn a_page_holds_as_much_as_it_says_whatever_the_size_of_the_nation() {
        assert_eq!(Paging::of(0).shift, 55, "a nation of nobody has 256 pages at most");
        for stands in [1, 4_096, 4_097, 123_000_000, 1_200_000_000, 1 << 40_u64] {
            let Paging { shift } = Paging::of(stands);
            let pages = 1_u64 << (63 - shift);
            assert!(stands <= pages * STANDS_MEAN_MAX, "{stands} stands in {pages} pages");
            assert!(pages == 256 || stands > pages * STANDS_MEAN_MAX / 2, "{stands} stands in {pages} pages");
        }
        assert_eq!((high_byte(0), high_byte((1 << 55) - 1), high_byte(1 << 55), high_byte(i64::MAX)), (0, 0, 1, 255));
        let last = Paging::of(123_000_000);
        assert_eq!((last.page(0), last.page(i64::MAX)), (0, (1 << (63 - last.shift)) - 1));
    }

    #[test]
    fn who_was_put_in_is_found_and_who_was_taken_out_is_not() {
        let paging = Paging { shift: 40 };
        let base = 7_i64 << 40;
        let stands = [
            stand(base, 1, Role::Child),
            stand(base + 5, 2, Role::Mother),
            stand(base + 5, 3, Role::Child),
            stand(base + 9, i64::MAX, Role::Deceased),
        ];
        let bytes = encode(&stands);
        let page = Page::of(7, paging, &bytes).unwrap();
        let wanted = BTreeSet::from([0, base + 4, base + 5, base + 9, base + (1 << 40)]);
        assert_eq!(page.of_blocks(&wanted).unwrap(), stands[1..]);
        assert_eq!(page.without(&BTreeSet::from([stand(base + 5, 2, Role::Father)])).unwrap(), None);
        let left = page.without(&BTreeSet::from([stands[1], stands[3]])).unwrap().unwrap();
        let left = Page::of(7, paging, &left).unwrap();
        assert_eq!(left.of_blocks(&wanted).unwrap(), stands[2..3]);
        assert_eq!(left.of_blocks(&BTreeSet::from([base])).unwrap(), stands[..1]);
    }

    #[test]
    fn what_is_no_page_is_damage_and_no_panic() {
        let bytes = encode(&[stand(3, 4, Role::Child)]);
        assert!(Page::of(0, Paging { shift: 55 }, &bytes[1..]).is_err());
        assert!(Page::of(0, Paging { shift: -1 }, &bytes).is_err());
        assert!(Page::of(0, Paging { shift: 64 }, &bytes).is_err());
        for at in 8..STAND_BYTES {
            let mut damaged = bytes.clone();
            damaged[at] = 0xff;
            if let Ok(page) = Page::of(0, Paging { shift: 55 }, &damaged) {
                let _ = page.of_blocks(&BTreeSet::from([3]));
            }
        }
        let mut damaged = bytes;
        damaged[STAND_BYTES - 1] = 0xff;
        assert!(Page::of(0, Paging { shift: 55 }, &damaged).unwrap().of_blocks(&BTreeSet::from([3])).is_err());
    }
}
