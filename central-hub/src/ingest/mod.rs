//! Taking in what provinces send: one session a stream, one journal writer for all of them.

mod service;
mod comparing;
mod session;
mod writer;

pub use service::{Hub, Ingest};
pub use writer::JournalWriter;
