//! From arrivals and context to a plan, in four steps: merge the states, find who is who, judge, and write down what
//! differs from before. Every step is a function of sets, so the order of arrivals cannot matter.

mod merge;
mod crowds;
mod reach;
mod judge;
mod difference;

use crate::arrival::Arrival;
use crate::context::{Context, Request};
use crate::plan::Plan;
pub use merge::Batch;

/// What must still be loaded before the batch can be judged; empty when nothing is.
#[must_use]
pub fn missing(context: &Context, batch: &Batch) -> Request {
    reach::Reach::of(context, batch).request
}

/// Judges a batch. The context must hold everything that [`missing`] asked for.
#[must_use]
pub fn decide(context: &Context, batch: &Batch) -> Plan {
    let merged = batch.merge(context);
    let reach = reach::Reach::of(context, batch);
    let judged = judge::judge(context, &merged, &reach);
    difference::plan(context, &merged, &reach, &judged)
}

impl FromIterator<Arrival> for Batch {
    fn from_iter<I: IntoIterator<Item = Arrival>>(arrivals: I) -> Self {
        let mut batch = Self::default();
        arrivals.into_iter().for_each(|arrival| batch.push(arrival));
        batch
    }
}
