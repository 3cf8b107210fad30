//! What a plan changes of the answers to requests: whoever asks about nothing of it need not wait until it is carried out.

use registry_schema::ids::RecordKey;
use rustc_hash::FxHashSet;

use crate::context::{Context, Request};
use crate::plan::Plan;

/// The keys under which a registry answers otherwise once a plan is carried out. They are looked up and never walked
/// through, so their order reaches nothing.
#[derive(Debug, Default)]
pub struct Changes {
    records: FxHashSet<RecordKey>,
    blocks: FxHashSet<i64>,
    voids: bool,
    clusters: FxHashSet<i64>,
    scopes: FxHashSet<i64>,
}

impl Changes {
    /// What a plan changes. The context is the one from which it was decided.
    #[must_use]
    pub fn of(plan: &Plan, context: &Context) -> Self {
        let mut changes =
            Self { voids: !(plan.voids_added.is_empty() && plan.voids_removed.is_empty()), ..Self::default() };
        changes.records.extend(plan.records.iter().map(|row| row.key));
        changes.records.extend(plan.past.iter().map(|row| row.key));
        changes.records.extend(plan.verdicts.iter().flat_map(|verdict| verdict.records.iter().copied()));
        changes.blocks.extend(plan.keys_added.iter().chain(&plan.keys_removed).map(|(block, _)| *block));
        for node in plan.members_put().map(|(node, _)| node).chain(&plan.members_removed) {
            changes.records.insert(node.key);
            changes.clusters.extend(context.membership(*node).map(|before| before.cluster));
        }
        changes.clusters.extend(plan.members_put().map(|(_, after)| after.cluster));
        changes.scopes.extend(plan.findings_put.iter().map(|finding| finding.scope));
        let moved: FxHashSet<_> =
            plan.findings_put.iter().map(|finding| finding.id).chain(plan.findings_removed.iter().copied()).collect();
        let before = context.findings.values().flatten().filter(|finding| moved.contains(&finding.id));
        changes.scopes.extend(before.map(|finding| finding.scope));
        changes
    }

    /// Takes from a request what may be answered otherwise once the plan is carried out.
    #[must_use]
    pub fn take_from(&self, request: &mut Request) -> Request {
        let Request { records, histories, blocks, nodes_per_block_max, voids, clusters, scopes } = request;
        let taken = Request {
            records: records.extract_if(.., |key| self.records.contains(key)).collect(),
            histories: histories.extract_if(.., |key| self.records.contains(key)).collect(),
            blocks: blocks.extract_if(.., |block| self.blocks.contains(block)).collect(),
            nodes_per_block_max: *nodes_per_block_max,
            voids: *voids && self.voids,
            clusters: clusters.extract_if(.., |cluster| self.clusters.contains(cluster)).collect(),
            scopes: scopes.extract_if(.., |scope| self.scopes.contains(scope)).collect(),
        };
        *voids &= !self.voids;
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::arrival::Arrival;
    use crate::decide::{Batch, Inquiry};
    use crate::memory::Memory;
    use crate::scenario::parse;

    /// Entries of a few people who meet again and again, known by a number, and by their names alone.
    const SCRIPTS: [&str; 2] = [
        "01/1 birth number=1; registration_date=02.01.2000; child_name=Nguyễn Văn An; child_personal_number=001200000001
         02/1 birth number=9; registration_date=02.01.2001; child_name=Nguyễn Văn An; child_personal_number=001200000001
         01/2 birth number=1; registration_date=02.01.2000; child_name=Nguyễn Văn An; child_personal_number=001200000001
         answer double_registration 01/1 02/1 different
         05/1 birth number=9; registration_date=02.01.2003; child_name=Nguyễn Văn An; child_personal_number=001200000001
         01/1 cancel
         06/1 birth number=9; registration_date=02.01.2004; child_name=Nguyễn Văn An; child_personal_number=001200000001
         02/1 birth number=9; registration_date=02.01.2001; child_name=Nguyễn Văn Ân; child_personal_number=001200000001
         01/2 birth number=4; registration_date=02.01.2000; child_name=Nguyễn Văn An; child_personal_number=001200000001",
        "01/1 birth number=1; registration_date=02.01.2000; child_name=Nguyễn Văn An; child_sex=1; child_birth_date=01.01.2000
         02/1 birth number=9; registration_date=02.01.2001; child_name=Nguyễn Văn An; child_sex=1; child_birth_date=01.01.2000
         03/1 birth number=1; registration_date=05.01.2000; child_name=Lê Thị Hoa; child_sex=2; child_birth_date=04.01.2000
         01/2 birth number=1; registration_date=02.01.2000; child_name=Nguyễn Văn An; child_sex=1; child_birth_date=01.01.2000
         answer double_registration 01/1 02/1 different
         03/2 birth number=2; registration_date=05.01.2000; child_name=Lê Thị Hoa; child_sex=2; child_birth_date=04.01.2000
         01/1 cancel
         04/1 birth number=3; registration_date=05.01.2002; child_name=Lê Thị Hoà; child_sex=2; child_birth_date=04.01.2000
         02/1 birth number=9; registration_date=02.01.2001; child_name=Nguyễn Văn Ân; child_sex=1; child_birth_date=01.01.2000",
    ];

    fn answer(memory: &Memory, request: &Request) -> String {
        let mut context = Context::under(Arc::default());
        memory.load(request.clone(), &mut context);
        format!("{context:?}")
    }

    #[test]
    fn who_is_not_concerned_hears_the_same_before_and_after() {
        let (mut concerned, mut free) = (0, 0);
        for (script, size) in SCRIPTS.iter().flat_map(|script| (1..4).map(move |size| (script, size))) {
            let batches: Vec<Vec<Arrival>> = parse(script).chunks(size).map(<[Arrival]>::to_vec).collect();
            let mut memory = Memory::default();
            for (at, arrived) in batches.iter().enumerate() {
                let batch: Batch = arrived.iter().cloned().collect();
                let (mut context, mut inquiry) = (Context::under(Arc::default()), Inquiry::of(&batch));
                let mut asked = Vec::new();
                loop {
                    let request = inquiry.missing(&context);
                    if request.is_empty() {
                        break;
                    }
                    memory.load(request.clone(), &mut context);
                    asked.push(request);
                }
                let plan = inquiry.decide(&context);
                let changes = Changes::of(&plan, &context);
                let later = batches[at + 1..].iter().flat_map(|later| requests(&memory, later));
                let all: Vec<Request> =
                    asked.into_iter().chain(later).flat_map(|request| one_by_one(&request)).collect();
                let before: Vec<String> = all.iter().map(|request| answer(&memory, request)).collect();
                memory.commit(plan);
                for (request, before) in all.iter().zip(before) {
                    let after = answer(&memory, request);
                    let mut rest = request.clone();
                    let taken = changes.take_from(&mut rest);
                    assert!(if taken.is_empty() { rest == *request } else { rest.is_empty() && taken == *request });
                    assert!(!taken.is_empty() || after == before, "{request:?}");
                    *(if taken.is_empty() { &mut free } else { &mut concerned }) += 1;
                }
            }
        }
        assert!(concerned > 10 && free > 10, "{concerned} and {free}");
    }

    /// A request for each key of a request.
    fn one_by_one(request: &Request) -> Vec<Request> {
        let empty = Request { nodes_per_block_max: request.nodes_per_block_max, ..Request::default() };
        let records = request.records.iter().map(|key| {
            let histories = request.histories.get(key).copied().into_iter().collect();
            Request { records: [*key].into(), histories, ..empty.clone() }
        });
        let blocks = request.blocks.iter().map(|block| Request { blocks: [*block].into(), ..empty.clone() });
        let clusters = request.clusters.iter().map(|cluster| Request { clusters: [*cluster].into(), ..empty.clone() });
        let scopes = request.scopes.iter().map(|scope| Request { scopes: [*scope].into(), ..empty.clone() });
        records.chain(blocks).chain(clusters).chain(scopes).collect()
    }

    /// What a batch would ask now.
    fn requests(memory: &Memory, arrived: &[Arrival]) -> Vec<Request> {
        let batch: Batch = arrived.iter().cloned().collect();
        let (mut context, mut inquiry, mut asked) = (Context::under(Arc::default()), Inquiry::of(&batch), Vec::new());
        loop {
            let request = inquiry.missing(&context);
            if request.is_empty() {
                return asked;
            }
            memory.load(request.clone(), &mut context);
            asked.push(request);
        }
    }
}
