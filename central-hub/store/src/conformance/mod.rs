//! What every national store must do, as one suite: the same world, the same judgement, the same digest.
//!
//! A store's test calls each check with a fresh store. [`Memory`] is the measure: it means what a plan says in the
//! plainest code.

mod world;
mod order;
mod journal;
mod holdings;
mod ledger;
mod lineage;

use hub_rules::memory::Memory;
use hub_rules::{Arrival, Batch, Context, decide, missing};

use crate::model::{Applied, JournalId, Queue};
use crate::national::NationalStore;

pub use holdings::{a_lost_row_is_mended, resyncs_move_from_state_to_state, sums_follow_what_is_heard};
pub use journal::{
    an_incarnation_that_was_given_up_does_not_come_back, big_frame, cursors_move_with_the_journal, origin,
    outrun_frames_are_not_taken, the_first_incarnation_stands, the_journal_gives_back_what_it_took,
};
pub use ledger::{
    a_deed_is_done_under_the_roles_it_was_decided_under, a_new_key_retires_the_old_one, acts_are_chained,
    answers_are_named_in_the_ledger, of_two_who_take_each_others_role_one_does, the_last_role_stands,
};
pub use lineage::a_nation_that_came_back_is_another_one;
pub use order::{any_order_gives_one_nation, notices_are_told_once, pages_give_every_record_in_force};
pub use world::{Schedule, World};

/// Judges arrivals on a store, batch by batch.
///
/// # Panics
/// The store fails.
pub async fn play<S: NationalStore>(store: &S, batches: &[Vec<Arrival>]) {
    play_from(store, 0, batches).await;
}

/// Judges arrivals on a store that has judged `first` batches before.
///
/// # Panics
/// The store fails.
pub async fn play_from<S: NationalStore>(store: &S, first: usize, batches: &[Vec<Arrival>]) {
    for (at, arrivals) in (first..).zip(batches) {
        judge(store, &arrivals.iter().cloned().collect(), applied(at + 1)).await;
    }
}

/// Judges one batch on a store.
async fn judge<S: NationalStore>(store: &S, batch: &Batch, applied: Applied) {
    let mut context = Context::default();
    loop {
        let request = missing(&context, batch);
        if request.is_empty() {
            break;
        }
        context = store.load(request, context).await.expect("the store loads");
    }
    store.commit(decide(&context, batch), applied).await.expect("the store commits");
}

/// Up to an entry of the backlog.
fn applied(at: usize) -> Applied {
    let journal = JournalId(i64::try_from(at).expect("few batches"));
    Applied { queue: Queue::Backlog, journal, lanes: std::collections::BTreeMap::new(), now_ms: 0 }
}

/// Judges arrivals in memory, batch by batch.
#[must_use]
pub fn play_in_memory(batches: &[Vec<Arrival>]) -> Memory {
    let mut memory = Memory::default();
    batches.iter().for_each(|batch| memory.take(batch.iter().cloned()));
    memory
}
