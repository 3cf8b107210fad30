#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use proptest::prelude::*;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::holdings::{Held, SKETCH_CELLS};
use registry_schema::ids::{Epoch, Lane, RecordId, RecordKey, Seq, Version};
use registry_schema::kind::Kind;

use super::*;
use crate::v1::resync_ask::Question;

type Rows = BTreeMap<i64, u32>;

fn key() -> HoldingsKey {
    HoldingsKey::from_bytes([5; 32])
}

fn holding(rows: &Rows, cells: usize, of: &[Bucket]) -> Holding {
    let mut holding = Holding::with_cells(cells);
    for (id, version) in rows {
        let record = RecordKey { origin: "01@2008".parse().unwrap(), id: RecordId::from_number(*id).unwrap() };
        let bucket = Bucket::new(Kind::ALL[(id % 3) as usize], 1900 + (id % 50) as i16);
        let content = Hash256([*version as u8; 32]);
        let held = Held { version: Version(*version), clock: Hlc::from_number(1), content, bucket };
        if of.is_empty() || of.contains(&bucket) {
            holding.add(&key(), record, &held);
        }
    }
    holding
}

fn offer(holding: &Holding, of: &[Bucket]) -> Offer {
    let offer = Offer {
        id: 3,
        epoch: Epoch(7),
        applied: Lane::ALL.map(|lane| (lane, Seq(4))).into(),
        root: holding.root(),
        key: key().id(),
        cells: holding.sketch.cells(),
        of: of.to_vec(),
        deep: false,
        dry_run: false,
        repairs_max: 5,
        wanted: Vec::new(),
    };
    let wire = v1::ResyncOffer::from(&offer);
    assert_eq!(Offer::try_from(wire).unwrap(), offer);
    offer
}

/// Plays a comparison to its end; answers what differs, and how many questions that took.
fn compare(here: &Rows, there: &Rows) -> (BTreeMap<i64, (bool, bool)>, usize) {
    let mut hub = holding(there, SKETCH_CELLS, &[]);
    let own = holding(here, SKETCH_CELLS, &[]);
    let (mut comparison, mut step) = Comparison::begin(offer(&hub, &[]), key(), own);
    let mut asked = 0;
    loop {
        let question = match step {
            Step::Ask(question) => question,
            Step::Equal => return (BTreeMap::new(), asked),
            Step::Found(found) => {
                let mut sides: BTreeMap<i64, (bool, bool)> = BTreeMap::new();
                found.only_here.iter().for_each(|item| sides.entry(item.record.number()).or_default().0 = true);
                found.only_there.iter().for_each(|item| sides.entry(item.record.number()).or_default().1 = true);
                return (sides, asked);
            }
            Step::Failed(why) => panic!("{why}"),
        };
        asked += 1;
        assert!(asked < 20, "it never ends");
        step = match question {
            Question::Cells(v1::ResyncCells { start: 0, .. }) => comparison.block(&hub.sketch.opening()),
            Question::Cells(cells) => comparison.block(&hub.sketch.block(cells.start as usize..cells.end as usize)),
            Question::Buckets(_) => comparison.buckets(&hub.buckets),
            Question::Wide(wide) => {
                let of = buckets_in(&wide.of, "of").unwrap();
                hub = holding(there, wide.cells as usize, &of);
                let own = holding(here, wide.cells as usize, &of);
                let (next, step) = Comparison::begin(offer(&hub, &of), key(), own);
                comparison = next;
                step
            }
            Question::Records(_) => panic!("no states are asked for here"),
        };
    }
}

fn rows(count: i64) -> Rows {
    (1..=count).map(|id| (id * 7, 1)).collect()
}

fn check(here: &Rows, there: &Rows) -> usize {
    let (found, asked) = compare(here, there);
    let ids = here.keys().chain(there.keys());
    let expected = ids.filter(|id| here.get(id) != there.get(id));
    let expected: BTreeMap<_, _> = expected.map(|id| (*id, (here.contains_key(id), there.contains_key(id)))).collect();
    assert_eq!(found, expected);
    asked
}

#[test]
fn equal_holdings_need_no_question() {
    assert_eq!(check(&rows(900), &rows(900)), 0);
    assert_eq!(check(&Rows::new(), &Rows::new()), 0);
}

#[test]
fn few_differences_are_named_with_one_or_two_questions() {
    let (here, mut there) = (rows(5_000), rows(5_000));
    there.insert(14, 2);
    there.remove(&21);
    there.insert(1, 1);
    assert_eq!(check(&here, &there), 1);
    (1..200).for_each(|id| _ = there.insert(id * 7, 3));
    assert!(check(&here, &there) <= 3);
}

#[test]
fn more_than_the_kept_cells_can_name_takes_a_finer_comparison_of_the_corners_that_differ() {
    let (here, mut there) = (rows(30_000), rows(30_000));
    (1..6_000).for_each(|id| _ = there.insert(id * 7, 3));
    assert!(check(&here, &there) <= 7);
    assert!(check(&here, &Rows::new()) <= 7, "nothing there at all");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_is_found_is_the_difference_of_the_sets(
        here in prop::collection::btree_map(1_i64..400, 1_u32..4, 0..300),
        there in prop::collection::btree_map(1_i64..400, 1_u32..4, 0..300),
    ) {
        check(&here, &there);
    }
}
