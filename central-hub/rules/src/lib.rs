//! The judgement: pure, deterministic, and blind to the order in which entries arrive.
//!
//! The modules follow the way of a batch: arrivals and verdicts come in, a [`Context`] is gathered by keys, [`decide`]
//! turns both into a [`Plan`], and the store commits the plan. Nothing here knows a clock, a database or a socket.

pub mod arrival;
pub mod verdict;
pub mod node;
pub mod reading;
pub mod keys;
pub mod matching;
pub mod finding;
pub mod policy;
pub mod context;
pub mod persons;
pub mod bulk;
pub mod rule;
pub mod digests;
pub mod plan;
pub mod changes;
pub mod words;
pub mod life;
mod decide;
pub mod islands;
pub mod memory;

pub use arrival::{Arrival, State};
pub use context::{Context, Request};
pub use decide::{Batch, Inquiry, decide, missing};
pub use node::{Membership, Node};
pub use plan::Plan;

#[cfg(test)]
mod scenario;
