//! Step four: the judgement itself, batch by batch, by the very functions of the daily path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hub_rules::policy::Policy;
use hub_rules::{Arrival, Batch, Context, Inquiry, Node, Plan};
use hub_store::model::{Applied, JournalId, Queue};
use hub_store::{NationalStore, StoreError};
use tokio::sync::mpsc;

use super::apart::on_a_thread;
use super::deal::Dealt;
use super::items::{Beside, Numbered};
use super::spool::PARTS;
use super::{BulkError, Step, Watch};
use crate::clock::now_ms;
use crate::underway::{self, Underway};

/// A batch with everything that is known of it beforehand.
struct Prepared {
    batch: Batch,
    context: Context,
    states: u64,
}

/// Judges everything; answers with the blocks in which too many stand.
pub(super) async fn judge<S: NationalStore + Clone + 'static>(
    registry: &S,
    policy: &Arc<Policy>,
    dealt: Dealt,
    watch: &Watch<'_>,
) -> Result<Vec<i64>, BulkError> {
    let voids: Vec<i64> = dealt.voids.iter().copied().collect();
    let (ready, mut prepared) = mpsc::channel(1);
    let rules = Arc::clone(policy);
    let preparer = tokio::spawn(on_a_thread(move || prepare(dealt, &rules, &ready)));
    let (mut judged, mut before) = (0, None);
    while let Some(Prepared { batch, context, states }) = prepared.recv().await {
        let mut inquiry = Inquiry::of(&batch);
        let context = underway::inquire(registry, &mut inquiry, context, &mut before).await?;
        let plan = inquiry.decide(&context);
        carried_out(before).await?;
        before = Some(Underway::begin(registry.clone(), found(plan), nowhere(), &context));
        judged += states;
        watch.tell(Step::Judge, judged)?;
    }
    carried_out(before).await?;
    preparer.await.map_err(|_| BulkError::Interrupted)??;
    Ok(voids)
}

async fn carried_out(plan: Option<Underway>) -> Result<(), StoreError> {
    match plan {
        Some(mut plan) => plan.carried_out().await,
        None => Ok(()),
    }
}

/// What the judgement found of a plan: what is known of records alone was poured in before.
fn found(plan: Plan) -> Plan {
    Plan {
        records: Vec::new(),
        past: Vec::new(),
        keys_added: Vec::new(),
        voids_added: Vec::new(),
        held: Vec::new(),
        ..plan
    }
}

/// No queue of the journal moves until everything is judged.
fn nowhere() -> Applied {
    Applied { queue: Queue::Backlog, journal: JournalId::default(), lanes: BTreeMap::new(), now_ms: now_ms() }
}

fn prepare(mut dealt: Dealt, policy: &Arc<Policy>, ready: &mpsc::Sender<Prepared>) -> Result<(), BulkError> {
    for part in 0..PARTS {
        let (mut states, mut beside) = (dealt.states.consume(part)?, dealt.beside.consume(part)?);
        states.sort_by_key(|state| state.number);
        beside.sort_by_key(|beside| beside.batch);
        let mut beside = beside.as_slice();
        for of_batch in states.chunk_by(|one, other| one.number == other.number) {
            let number = of_batch[0].number;
            let known = beside.partition_point(|beside| beside.batch <= number);
            let (of_this, rest) = beside.split_at(known);
            beside = rest;
            let verdicts = dealt.verdicts.remove(&number).unwrap_or_default().into_iter().map(Arrival::Verdict);
            let prepared = one(of_batch, of_this, verdicts, &dealt.voids, policy);
            ready.blocking_send(prepared).map_err(|_| BulkError::Interrupted)?;
        }
    }
    // Verdicts about records that never came, in a nation without records.
    for verdicts in dealt.verdicts.into_values() {
        let prepared = one(&[], &[], verdicts.into_iter().map(Arrival::Verdict), &dealt.voids, policy);
        ready.blocking_send(prepared).map_err(|_| BulkError::Interrupted)?;
    }
    Ok(())
}

fn one(
    states: &[Numbered],
    beside: &[Beside],
    verdicts: impl Iterator<Item = Arrival>,
    voids: &BTreeSet<i64>,
    policy: &Arc<Policy>,
) -> Prepared {
    let of_records = states.iter().map(|state| Arrival::State(state.arrived.key, state.arrived.state.clone()));
    let batch: Batch = of_records.chain(verdicts).collect();
    let mut blocks: BTreeMap<i64, Vec<Node>> = BTreeMap::new();
    for beside in beside {
        blocks.entry(beside.block).or_default().push(beside.node);
    }
    let context = Context::of_settled(Arc::clone(policy), &batch, &blocks, |block| voids.contains(&block));
    Prepared { batch, context, states: states.len() as u64 }
}
