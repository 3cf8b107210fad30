//! The nation's memory: one trait, and a store for each database behind it.
//!
//! A store has verbs, not opinions: it appends to the journal, answers a [`Request`] by key, and carries out a [`Plan`]
//! to the letter. What an entry means is decided in `hub-rules`, so a new rule adds nothing here.

pub mod error;
pub mod model;
pub mod holdings;
pub mod ledger;
pub mod lineage;
pub mod national;
pub mod sqlite;
pub mod postgres;
pub mod any;
#[cfg(feature = "conformance")]
pub mod conformance;

pub use any::AnyStore;
pub use error::StoreError;
pub use ledger::Ledger;
pub use lineage::Lineage;
pub use national::{Cases, Holdings, Journal, NationalStore, Registry};

#[cfg(doc)]
use hub_rules::{Plan, Request};
