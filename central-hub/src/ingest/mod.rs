//! Taking in what provinces send: one session a stream, one journal writer for all of them.

mod enrolment;
mod evidence;
mod service;
mod comparing;
mod ending;
mod allowance;
mod session;
mod writer;

pub use enrolment::Enrolment;
pub use evidence::Keys;
pub use service::{Hub, Ingest};
pub use writer::JournalWriter;
