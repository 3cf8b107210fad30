//! Rows that the registry lost, or that were altered in it, are brought back, and whoever was judged without them is judged
//! again: the registry is a function of what arrived, whatever happened to its rows meanwhile.

use registry_schema::ids::RecordKey;

use super::merge::Batch;
use crate::arrival::State;
use crate::reading::Reading;

impl Batch {
    /// A batch that brings back rows with those states of this one that `is_damaged` names. Each must be its record's present
    /// state, known to every sum: it is written over whatever stands there, and no sum of states or records moves.
    #[must_use]
    pub fn mending(&self, is_damaged: impl Fn(RecordKey, &State) -> bool) -> Self {
        let states = self.states.iter().flat_map(|(key, states)| states.iter().map(|reading| (*key, reading)));
        let damaged = states.filter(|(key, reading)| reading.is_valid() && is_damaged(*key, &reading.state));
        let mended = damaged.map(|(key, reading)| (key, Reading::of(key, reading.state.clone()))).collect();
        let mut mending = Self::default();
        mending.mended = mended;
        mending
    }

    /// The records whose rows are brought back, with their present states.
    pub fn mended(&self) -> impl ExactSizeIterator<Item = (RecordKey, &Reading)> {
        self.mended.iter().map(|(key, reading)| (*key, reading))
    }

    /// Whether a record's row is brought back.
    pub(super) fn mends(&self, key: RecordKey) -> bool {
        self.mended.contains_key(&key)
    }
}

#[cfg(test)]
mod tests {
    use crate::arrival::{Arrival, State};
    use crate::decide::Batch;
    use crate::memory::Memory;
    use crate::scenario::{key, parse, transcript};

    const HUNG: &str = "registration_date=05.03.1990; child_name=Nguyễn Văn Hùng; child_sex=1; \
                        child_birth_date=02.03.1990; mother_name=Lê Thị Mai; mother_birth_date=05.06.1962";

    /// The row of 01/1 is harmed before the last entry of the script is judged, and mended after it: as if nothing had been.
    fn check(script: &str, harm: fn(&mut Memory)) {
        let arrivals = parse(script);
        let (last, first) = arrivals.split_last().unwrap();
        let (mut calm, mut harmed) = (Memory::default(), Memory::default());
        calm.take(first.to_vec());
        harmed.take(first.to_vec());
        let state = harmed.records[&key("01/1")].clone();
        harm(&mut harmed);
        calm.take([last.clone()]);
        harmed.take([last.clone()]);
        assert_ne!(transcript(&harmed), transcript(&calm), "the harm changes nothing:{script}");
        let again: Batch = [Arrival::State(key("01/1"), state)].into_iter().collect();
        for time in ["once", "twice"] {
            harmed.judge(&again.mending(|record, _| record == key("01/1")));
            assert_eq!(transcript(&harmed), transcript(&calm), "mended {time}:{script}");
            assert_eq!(harmed.digests, calm.digests, "mended {time}:{script}");
            assert_eq!((&harmed.records, &harmed.members), (&calm.records, &calm.members), "mended {time}:{script}");
        }
    }

    fn lose(memory: &mut Memory) {
        memory.records.remove(&key("01/1")).unwrap();
    }

    /// The row says what another one says.
    fn alter(memory: &mut Memory) {
        let other = memory.records[&key("01/9")].clone();
        let row = memory.records.get_mut(&key("01/1")).unwrap();
        *row = State { canonical: other.canonical, ..row.clone() };
    }

    #[test]
    fn whoever_came_while_a_row_was_missing_is_judged_with_it() {
        check(&format!("01/1 birth number=1; {HUNG}\n79/1 birth number=9; {HUNG}"), lose);
        check(&format!("01/1 birth number=1; {HUNG}\n79/1 birth number=9; {HUNG}\n79/1 birth note=x"), lose);
        let tam = "marriage husband_name=Bùi Văn Tám; husband_personal_number=001060123456";
        let first = "wife_name=Lê Thị Tư; wife_personal_number=001162000001; event_date=01.01.1990";
        let second = "wife_name=Ngô Thị Năm; event_date=01.01.2000";
        let marriages = format!("01/1 {tam}; {first}\n79/1 {tam}; {second}");
        check(&marriages, lose);
        let child = first.replace("wife_personal_number=001162000001", "wife_birth_date=01.01.1980");
        check(&format!("01/1 {tam}; {child}\n79/1 {tam}; {second}"), lose);
        let death = "deceased_name=Lê Thị Tư; deceased_personal_number=001162000001; event_date=05.06.1998";
        check(&format!("{marriages}\n40/1 death {death}"), lose);
        check(
            "01/1 death number=7; registration_date=05.03.1999; deceased_name=Trần Văn Lan; deceased_birth_date=1930
               01/2 death number=7; registration_date=05.03.1999; deceased_name=Vũ Quốc Hùng; deceased_birth_date=1951",
            lose,
        );
    }

    #[test]
    fn whoever_was_judged_by_an_altered_row_is_judged_anew() {
        let other = "registration_date=07.08.1999; child_name=Phạm Thị Lan; child_sex=2; child_birth_date=01.08.1999; \
                     mother_name=Đỗ Thị Hoa; mother_birth_date=09.10.1970";
        let both = format!("01/1 birth number=1; {HUNG}\n01/9 birth number=9; {other}");
        check(&format!("{both}\n79/1 birth number=9; {HUNG}"), alter);
        check(&format!("{both}\n79/1 birth number=9; {HUNG}\n79/1 birth note=x"), alter);
    }
}
