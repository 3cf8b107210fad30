//! What a provincial agent and the national hub say to each other, and in what order.
//!
//! This crate is pure: it is handed bytes and the time, and knows no clock, no randomness, no environment, no files,
//! threads or sockets. [`sender`] and [`receiver`] are the two halves of the protocol as machines; [`frame`] is what
//! passes between them.

pub mod v1;
pub mod position;
pub mod convert;
pub mod frame;
pub mod signature;
pub mod sender;
pub mod receiver;
pub mod resync;

/// The most bytes of one message, either way: the default limit of gRPC libraries, and more than any frame takes.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most notices in one batch: with a few hundred bytes each they stay far below [`MESSAGE_BYTES_MAX`].
pub const NOTICES_MAX: usize = 1_000;
