//! The nation: takes in what the provinces send, judges it, and answers operators.
//!
//! The modules follow the way of a frame: who comes ([`door`]) and calls ([`identity`]), whether it may ([`admission`]), what it brings
//! ([`ingest`]), what it means ([`reconcile`]), and what operators see of it ([`operator`]).

pub mod config;
pub mod telemetry;
pub mod exit;
pub mod clock;
pub mod surroundings;
pub mod spreadsheet;
pub mod drawing;
pub mod open;
pub mod pki;
pub mod door;
pub mod identity;
pub mod admission;
pub mod resync;
pub mod ingest;
pub mod arrivals;
mod underway;
pub mod reconcile;
pub mod bulk;
pub mod ruling;
pub mod rebuild;
pub mod audit;
pub mod backup;
pub mod serve;
pub mod role;
pub mod office;
pub mod operator;
pub mod evaluate;
pub mod cli;
