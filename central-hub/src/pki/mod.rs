//! Certificates: who may be let in, and as whom.
//!
//! A folder holds what the hub shows and trusts. It may hold a small authority of its own, for pilots; where a country has
//! an authority already, the folder holds that one's certificates and its revocation list, and no key to issue with.

mod folder;
mod bearer;
mod issued;
mod authority;
mod token;
mod trust;
mod identify;

pub use authority::{Authority, Settings};
pub use bearer::{Bearer, Certificate};
pub(crate) use folder::OF_HANDSHAKES;
pub use folder::{Folder, PkiError};
pub use identify::identify;
pub use issued::Issued;
pub use token::{TOKEN_HOURS_MAX, TokenFile};
pub(crate) use trust::Trust;
