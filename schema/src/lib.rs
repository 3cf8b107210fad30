//! What a civil-status record is: its fields, its normal form, its identities and its hashes.
//!
//! This crate is pure: it knows no clock, no randomness, no environment, no files, threads or sockets. The modules
//! follow the way of an entry: text becomes values, values a draft, a draft canonical bytes and a valid record.

pub mod sensitive;
pub mod text;
pub mod name;
pub mod sex;
pub mod date;
pub mod personal_number;
pub mod place;
pub mod ids;
pub mod clock;
pub mod kind;
pub mod field;
pub mod layout;
pub mod draft;
pub mod canonical;
pub mod digest;
pub mod violation;
pub mod mapping;
mod reader;
pub mod birth;
pub mod marriage;
pub mod death;
pub mod record;
pub mod natural_key;
pub mod holdings;
pub mod sql;
