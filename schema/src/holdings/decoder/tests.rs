#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::holdings::item::splitmix64;
use crate::holdings::tests::{altered, item, key, random_item};
use crate::holdings::{SKETCH_CELLS, Sketch};

fn block(start: usize, cells: &[Cell]) -> Block {
    let total = i64::from(cells.first().map_or(0, |cell| cell.count.cast_signed()));
    Block { start, total, cells: cells.to_vec(), probes: Vec::new() }
}

/// A cell in which an item stands alone, wherever it belongs.
fn lone(item: Item, side: Side) -> Cell {
    let mut cell = Cell::default();
    cell.put(item, key().code(item).check, side);
    cell
}

/// The cells of a set of differences.
fn cells_of(differences: &Differences, cells: usize) -> Vec<Cell> {
    let mut sketch = Sketch::with_cells(cells);
    differences.only_here.iter().for_each(|item| sketch.add(*item, &key()));
    differences.only_there.iter().for_each(|item| sketch.remove(*item, &key()));
    sketch.block(0..cells).cells
}

/// Pushes the cells in blocks of the given length, and checks what must hold of any cells whatever.
fn check_bounded(cells: &[Cell], block_cells: usize) -> Result<Progress, DecodeError> {
    let mut decoder = Decoder::new(key(), SKETCH_CELLS);
    let total = block(0, cells).total;
    let mut last = Ok(Progress::NeedMore { cells: 1 });
    for (at, part) in cells.chunks(block_cells).enumerate() {
        last = decoder.push(&Block { total, ..block(at * block_cells, part) });
        // The step that is one too many is counted before it is refused, as are those of one appended cell.
        let steps_max = STEPS_BASE + STEPS_PER_CELL_MAX * decoder.cells.len() as u64 + decoder.placed.len() as u64 + 1;
        assert!(decoder.steps <= steps_max, "{} steps", decoder.steps);
        assert!(decoder.placed.len() <= decoder.cells.len());
        assert!(decoder.upcoming.len() == decoder.placed.len());
        match &last {
            Ok(Progress::NeedMore { cells: wanted }) => assert!(*wanted > decoder.cells()),
            // Whoever sent the cells: what is found explains every one of them.
            Ok(Progress::Done(found)) => assert_eq!(cells_of(found, decoder.cells()), cells[..decoder.cells()]),
            Err(_) => break,
        }
    }
    last
}

/// Cells of a peer that knows the key and means harm: some real, some random, many with a check that fits.
fn hostile_cells(random: &mut u64) -> Vec<Cell> {
    let (here, there) = altered((splitmix64(random) % 20) as usize, random);
    let length = 1 + (splitmix64(random) % 32) as usize;
    let mut cells = here.minus_block(&there.block(0..length)).unwrap().cells;
    let familiar = [random_item(random), item(1, 0), item(1, 1), item(i64::MAX, u64::MAX)];
    for _ in 0..splitmix64(random) % 12 {
        let at = (splitmix64(random) % length as u64) as usize;
        let other = (splitmix64(random) % length as u64) as usize;
        let familiar = familiar[(splitmix64(random) % 4) as usize];
        let side = if splitmix64(random).is_multiple_of(2) { Side::Here } else { Side::There };
        match splitmix64(random) % 6 {
            0 => cells[at] = lone(random_item(random), side),
            1 => cells[at] = lone(familiar, side),
            2 => cells[at] = cells[at].plus(lone(familiar, side)),
            3 => cells[at] = cells[other],
            4 => cells[at].count = splitmix64(random) as u8,
            _ => cells[at].checks = cells[at].item().map_or(0, |item| key().code(item).check),
        }
    }
    cells
}

#[test]
fn twenty_thousand_hostile_streams_end_within_their_bounds() {
    let mut random = 1;
    let (mut done, mut hostile) = (0, 0);
    for _ in 0..20_000 {
        let cells = hostile_cells(&mut random);
        match check_bounded(&cells, 1 + (splitmix64(&mut random) % 32) as usize) {
            Ok(Progress::Done(_)) => done += 1,
            Err(DecodeError::Hostile) => hostile += 1,
            _ => {}
        }
    }
    // The streams reach every end, so the bounds are tried and not only the door.
    assert!(done > 500 && hostile > 500, "{done} done, {hostile} hostile");
}

#[test]
fn every_cell_with_a_lone_item_of_its_own_ends_as_well() {
    let mut random = 2;
    for side in [Side::Here, Side::There] {
        let cells: Vec<Cell> = (0..SKETCH_CELLS).map(|_| lone(random_item(&mut random), side)).collect();
        assert!(matches!(check_bounded(&cells, SKETCH_CELLS), Err(DecodeError::Hostile | DecodeError::TooMany { .. })));
    }
}

/// The item's cells up to a length.
fn own_cells(item: Item, length: usize) -> Vec<usize> {
    key().code(item).indexes().take_while(|index| *index < length as u64).map(|index| index as usize).collect()
}

#[test]
fn an_item_in_a_cell_that_is_not_its_own_is_not_believed() {
    let stranger = (1..).map(|number| item(number, 0)).find(|item| !own_cells(*item, 9).contains(&8)).unwrap();
    let mut cells = vec![Cell::default(); 9];
    cells[8] = lone(stranger, Side::Here);
    assert_eq!(check_bounded(&cells, 9), Err(DecodeError::Hostile));
    // Without an empty first cell to prove it wrong, it is a mixture that nothing explains.
    cells[0].count = 2;
    assert!(matches!(check_bounded(&cells, 9), Ok(Progress::NeedMore { .. })));
}

#[test]
fn an_item_is_never_found_twice() {
    let check = |cells: &[Cell]| {
        let mut decoder = Decoder::new(key(), SKETCH_CELLS);
        assert_eq!(decoder.push(&block(0, cells)), Err(DecodeError::Hostile));
        assert_eq!(decoder.placed.len(), 1);
    };
    // Taken out of cells that never held it, the item shows there again, on the other side, for ever.
    let own = own_cells(item(5, 5), 64);
    let mut cells = vec![Cell::default(); 64];
    cells[own[own.len() - 1]] = lone(item(5, 5), Side::Here);
    cells[0].count = 7;
    check(&cells);
    // Two states of one record on one side.
    let two = Differences { only_here: vec![item(5, 1), item(5, 2)], only_there: Vec::new() };
    check(&cells_of(&two, 64));
}

#[test]
fn a_total_that_the_items_do_not_make_up_is_refused() {
    let one = Differences { only_here: vec![item(5, 1)], only_there: Vec::new() };
    let mut lie = block(0, &cells_of(&one, 16));
    assert_eq!(Decoder::new(key(), 64).push(&lie), Ok(Progress::Done(one)));
    lie.total = 257;
    assert!(Decoder::new(key(), 1024).push(&lie).is_err());
}

#[test]
fn a_block_out_of_step_is_asked_for_again_and_a_refusal_stays() {
    let (here, there) = altered(200, &mut 4);
    let mut decoder = Decoder::new(key(), SKETCH_CELLS);
    let part = |range| here.minus_block(&there.block(range)).unwrap();
    let out_of_step = |expected| Err(DecodeError::OutOfStep { expected });
    assert_eq!(decoder.push(&part(1..9)), out_of_step(0));
    assert!(matches!(decoder.push(&part(0..128)), Ok(Progress::NeedMore { .. })));
    for wrong in [part(0..128), part(129..200), part(128..128), Block { total: 1, ..part(128..200) }] {
        assert_eq!(decoder.push(&wrong), out_of_step(128));
    }
    assert!(matches!(decoder.push(&part(128..1024)), Ok(Progress::Done(_))));
    let garbage = Block { total: 0, ..block(1024, &[lone(item(5, 5), Side::Here)]) };
    assert_eq!(decoder.push(&garbage), Err(DecodeError::Hostile));
    assert_eq!(decoder.push(&part(1025..1030)), Err(DecodeError::Hostile));
}

#[test]
fn cells_beyond_those_it_may_ask_for_are_not_looked_at() {
    let (here, there) = altered(40, &mut 4);
    let mut decoder = Decoder::new(key(), 64);
    let beyond = here.minus_block(&there.block(0..512)).unwrap();
    let refused = decoder.push(&beyond);
    assert!(matches!(refused, Err(DecodeError::TooMany { .. })));
    assert_eq!(decoder.cells(), 64);
    assert_eq!(decoder.push(&beyond), refused);
}

#[test]
fn honest_cells_stay_far_below_the_bound_on_steps() {
    for (records, cells) in [(1_000, 3_200), (30_000, 1 << 17)] {
        let mut random = 6;
        let mut difference = Sketch::with_cells(cells);
        for _ in 0..records {
            let state = random_item(&mut random);
            difference.add(state, &key());
            difference.remove(Item { prefix: splitmix64(&mut random), ..state }, &key());
        }
        let mut decoder = Decoder::new(key(), cells);
        assert!(matches!(decoder.push(&difference.block(0..cells)), Ok(Progress::Done(_))));
        let bound = STEPS_BASE + STEPS_PER_CELL_MAX * cells as u64;
        assert!(decoder.steps * 3 < bound * 2, "{} steps of {bound}", decoder.steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cells_in_blocks_of_any_length_say_the_same(seed: u64, records in 0_usize..60, block_cells in 1_usize..200) {
        let (here, there) = altered(records, &mut { seed });
        let cells = here.minus_block(&there.block(0..400)).unwrap().cells;
        let whole = check_bounded(&cells, 400);
        prop_assert!(matches!(&whole, Ok(Progress::Done(found)) if found.only_here.len() == records));
        prop_assert_eq!(check_bounded(&cells, block_cells), whole);
    }

    #[test]
    fn cells_of_any_kind_are_bounded(bytes in prop::collection::vec(any::<u8>(), 0..800), block_cells in 1_usize..40) {
        let cells: Vec<Cell> = bytes.chunks_exact(4).map(|chunk| {
            let side = if chunk[0] < 128 { Side::Here } else { Side::There };
            let one = lone(item(i64::from(chunk[1] % 8) + 1, u64::from(chunk[2] % 2)), side);
            if chunk[3] < 200 { one } else { one.plus(lone(item(i64::from(chunk[3]), 0), side)) }
        }).collect();
        let _ends = check_bounded(&cells, block_cells);
    }
}
