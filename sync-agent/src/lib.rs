//! The provincial agent: takes what clerks' programs write into a provincial store to the national registry.
//!
//! Modules follow the way of an entry. A writer's triggers, or the import of a backlog, log a change; sealing gives it
//! its bytes and its place; [`uplink`] sends it; [`notices`] keeps what the centre answered. The time, the network and
//! the randomness of the daemon are arguments, so that a simulation can run it.

pub mod exit;
mod error_chain;
pub mod config;
pub mod identity;
pub mod credentials;
pub mod telemetry;
pub mod store;
pub mod backlog;
mod capture;
mod seal;
pub mod change_log;
mod holdings;
pub mod resync;
pub mod pace;
pub mod uplink;
pub mod enrolment;
pub mod notices;
pub mod daemon;
pub mod status;
pub mod cli;
