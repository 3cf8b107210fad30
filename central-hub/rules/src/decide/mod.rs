//! From arrivals and context to a plan, in four steps: merge the states, find who is who, judge, and write down what
//! differs from before. Every step is a function of sets, so the order of arrivals cannot matter.

mod merge;
mod mending;
mod crowds;
mod compare;
mod neighbours;
mod reach;
mod judge;
mod difference;

use crate::arrival::Arrival;
use crate::context::{Context, Request};
use crate::plan::Plan;
pub(crate) use crowds::BLOCK_NODES_MAX;
pub use merge::Batch;

/// A batch that is asked about while its context grows: what follows from the batch alone is worked out once.
#[derive(Debug)]
pub struct Inquiry<'b> {
    batch: &'b Batch,
    ground: Option<reach::Ground>,
}

impl<'b> Inquiry<'b> {
    /// An inquiry about a batch, of which nothing is known yet.
    #[must_use]
    pub const fn of(batch: &'b Batch) -> Self {
        Self { batch, ground: None }
    }

    /// What must still be loaded before the batch can be judged; empty when nothing is. The context is the same each
    /// time, and only more is added to it.
    #[must_use]
    pub fn missing(&mut self, context: &Context) -> Request {
        reach::Reach::of(context, self.batch, &mut self.ground).request
    }

    /// Judges the batch. The context must hold everything that was missing.
    #[must_use]
    pub fn decide(mut self, context: &Context) -> Plan {
        let merged = self.batch.merge(context);
        let reach = reach::Reach::of(context, self.batch, &mut self.ground);
        let judged = judge::judge(context, &merged, &reach);
        difference::plan(context, &merged, &reach, &judged)
    }
}

/// What must still be loaded before the batch can be judged; empty when nothing is.
#[must_use]
pub fn missing(context: &Context, batch: &Batch) -> Request {
    Inquiry::of(batch).missing(context)
}

/// Judges a batch. The context must hold everything that [`missing`] asked for.
#[must_use]
pub fn decide(context: &Context, batch: &Batch) -> Plan {
    Inquiry::of(batch).decide(context)
}

impl FromIterator<Arrival> for Batch {
    fn from_iter<I: IntoIterator<Item = Arrival>>(arrivals: I) -> Self {
        let mut batch = Self::default();
        arrivals.into_iter().for_each(|arrival| batch.push(arrival));
        batch
    }
}
