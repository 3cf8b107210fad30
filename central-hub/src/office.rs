//! Who gives a command, whether they may, and that it is written down before it is done.

use std::path::Path;

use hub_store::ledger::{Act, Deed, Grant, Verb};
use hub_store::{NationalStore, StoreError};
use thiserror::Error;

use crate::clock::now_ms;
use crate::pki::{Bearer, Folder, PkiError, identify};
use crate::role::{Post, Role};

/// The longest reason, in bytes: a paragraph.
const REASON_BYTES_MAX: usize = 2_000;
/// How often a command is decided again because somebody's role changed while it was decided. Each time somebody else got
/// what they wanted, and a ministry has tens of operators, not thousands who are given roles in the same second.
const DECISIONS_MAX: usize = 100;
/// Where this system names its users (passwd(5)).
const USERS: &str = "/etc/passwd";

/// Why a command is not carried out.
#[derive(Debug, Error)]
pub enum OfficeError {
    /// The role does not allow it.
    #[error(
        "{who} has the role `{}`, and this needs `{}`; an administrator gives roles with `central-hub operators grant`",
        .role.name(), Role::for_verb(*.verb).name()
    )]
    NotAllowed {
        /// Who.
        who: String,
        /// Their role.
        role: Role,
        /// What they tried.
        verb: Verb,
    },
    /// Somebody signs with another's name.
    #[error(
        "--operator is {signed}, and the command is given by {who}; leave it out, or give the command --as {signed}"
    )]
    NotYou {
        /// Who gives the command.
        who: String,
        /// Whose name they sign with.
        signed: String,
    },
    /// Nobody said why.
    #[error("say why with --why: who looks at a person's entries leaves a reason")]
    NoReason,
    /// The words are too long.
    #[error("a reason has at most {REASON_BYTES_MAX} bytes")]
    TooLong,
    /// The roles would leave nobody who can give roles.
    #[error("{0}")]
    Locked(&'static str),
    /// Roles change faster than anything can be decided.
    #[error("somebody's role changed each of the {DECISIONS_MAX} times that this was decided; give the command again")]
    Restless,
    /// The certificate of an operator cannot be used.
    #[error(transparent)]
    Identity(#[from] PkiError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator at work. What they may do is looked up at each act, for a role may be taken between two.
#[derive(Debug, Clone)]
pub struct Office {
    who: String,
    /// What they had when they came.
    post: Post,
    /// Nobody had a role when they came: a trial, in which everybody may do everything, under any name.
    is_open: bool,
}

impl Office {
    /// Finds out who gives a command: the bearer of a certificate, else the user of this machine.
    ///
    /// # Errors
    /// The certificate is not genuine, or the store cannot be read.
    pub async fn enter<S: NationalStore>(
        store: &S,
        identity: Option<&Path>,
        pki: Option<&Path>,
        now_ms: i64,
    ) -> Result<Self, OfficeError> {
        let who = match identity {
            None => user(),
            Some(file) => {
                let folder = pki.map(Folder::new).ok_or_else(|| {
                    PkiError::Refused("--as needs --pki FOLDER, against which the certificate is checked".to_owned())
                })?;
                match identify(file, &folder, now_ms)? {
                    Bearer::Operator(name) => name,
                    Bearer::Province(origin) => {
                        return Err(PkiError::Refused(format!("this is the certificate of province {origin}")).into());
                    }
                }
            }
        };
        let grants = store.grants().await?;
        Ok(Self { post: post_of(&who, &grants), who, is_open: grants.is_empty() })
    }

    /// Whose name stands under a decision.
    ///
    /// # Errors
    /// It would be another's.
    pub fn signs(&self, signed: Option<String>) -> Result<String, OfficeError> {
        match signed {
            None => Ok(self.who.clone()),
            Some(signed) if self.is_open || signed == self.who => Ok(signed),
            Some(signed) => Err(OfficeError::NotYou { who: self.who.clone(), signed }),
        }
    }

    /// Lets somebody look at what is about people; that they looked is written down first.
    ///
    /// # Errors
    /// They may not, say no reason, or it cannot be written down.
    pub async fn look<S: NationalStore>(&self, store: &S, object: &str, why: &str) -> Result<(), OfficeError> {
        if why.trim().is_empty() && !self.is_open {
            return Err(OfficeError::NoReason);
        }
        self.act(store, Verb::Look, object, why).await
    }

    /// Lets somebody act; what they are about to do is written down first, also when they may not.
    ///
    /// # Errors
    /// They may not, or it cannot be written down.
    pub async fn act<S: NationalStore>(
        &self,
        store: &S,
        verb: Verb,
        object: &str,
        reason: &str,
    ) -> Result<(), OfficeError> {
        self.decide(store, verb, object, reason, |_| Ok(None)).await
    }

    /// Gives an operator a role, or takes it.
    ///
    /// # Errors
    /// The giver may not, or nobody would be left who may.
    pub async fn grant<S: NationalStore>(
        &self,
        store: &S,
        name: &str,
        post: impl Into<Post>,
        reason: &str,
    ) -> Result<(), OfficeError> {
        let post = post.into();
        let gives = |grants: &[Grant]| {
            let is_administrator = |grant: &Grant| {
                Post::parse(&grant.role).is_some_and(|post| post.role == Role::Administrator) && grant.name != name
            };
            if post.role != Role::Administrator && !grants.iter().any(is_administrator) {
                let first = "the first role given is `administrator`, for otherwise nobody could give another";
                let last = "this is the last administrator; give that role to somebody else first";
                return Err(OfficeError::Locked(if grants.is_empty() { first } else { last }));
            }
            Ok(Some(Grant { name: name.to_owned(), role: post.name(), granted_ms: now_ms() }))
        };
        self.decide(store, Verb::Grant, &format!("{name} {}", post.name()), reason, gives).await
    }

    /// Notes an act, and gives the role that comes with it, under the roles that it was decided under: of two who take
    /// each other's role at once, the second finds that it has none. Who may not hears that, and it is noted, whatever else
    /// is wrong with what they tried.
    async fn decide<S: NationalStore>(
        &self,
        store: &S,
        verb: Verb,
        object: &str,
        reason: &str,
        gives: impl Fn(&[Grant]) -> Result<Option<Grant>, OfficeError> + Send,
    ) -> Result<(), OfficeError> {
        if reason.len() > REASON_BYTES_MAX {
            return Err(OfficeError::TooLong);
        }
        for _ in 0..DECISIONS_MAX {
            let under = store.grants().await?;
            let role = post_of(&self.who, &under).role;
            let act = |verb, object| {
                let reason = reason.to_owned();
                Act { at_ms: now_ms(), who: self.who.clone(), verb, object, reason }
            };
            let (deed, allowed) = if role.may(verb) {
                let gives = gives(&under)?;
                (Deed { act: act(verb, object.to_owned()), gives, under }, Ok(()))
            } else {
                let tried = format!("{} {object}", verb.name());
                let refused = OfficeError::NotAllowed { who: self.who.clone(), role, verb };
                (Deed { act: act(Verb::Refuse, tried), gives: None, under }, Err(refused))
            };
            if store.perform(deed).await? {
                return allowed;
            }
        }
        Err(OfficeError::Restless)
    }

    /// Whether sensitive fields are shown to whom gives the command.
    #[must_use]
    pub const fn sees_sensitive(&self) -> bool {
        self.post.sees_sensitive
    }

    /// Who gives the command.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }
}

/// What an operator has where these roles stand; where there are none, everybody has everything.
fn post_of(who: &str, grants: &[Grant]) -> Post {
    if grants.is_empty() {
        return Post { role: Role::Administrator, sees_sensitive: true };
    }
    let given = grants.iter().find(|grant| grant.name == who).and_then(|grant| Post::parse(&grant.role));
    given.unwrap_or(Role::Nobody.into())
}

/// The user of this process, by the number that the kernel knows; the environment could say anything.
fn user() -> String {
    let number = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        (uid.parse() == Ok(number)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("uid-{number}"))
}

#[cfg(test)]
mod tests;
