//! Who gives a command, whether they may, and that it is written down before it is done.

use std::path::Path;

use hub_store::ledger::{Act, Grant, Verb};
use hub_store::{NationalStore, StoreError};
use thiserror::Error;

use crate::clock::now_ms;
use crate::pki::{Bearer, Folder, PkiError, identify};
use crate::role::{Post, Role};

/// The longest reason, in bytes: a paragraph.
const REASON_BYTES_MAX: usize = 2_000;
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
    /// The certificate of an operator cannot be used.
    #[error(transparent)]
    Identity(#[from] PkiError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator at work.
#[derive(Debug, Clone)]
pub struct Office {
    who: String,
    post: Post,
    /// Nobody was given a role yet: a trial, in which everybody may do everything, under any name.
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
        let is_open = grants.is_empty();
        let given = grants.iter().find(|grant| grant.name == who).and_then(|grant| Post::parse(&grant.role));
        let all = Post { role: Role::Administrator, sees_sensitive: true };
        let post = if is_open { all } else { given.unwrap_or(Role::Nobody.into()) };
        Ok(Self { who, post, is_open })
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
        if reason.len() > REASON_BYTES_MAX {
            return Err(OfficeError::TooLong);
        }
        let (who, at_ms) = (self.who.clone(), now_ms());
        if !self.post.role.may(verb) {
            let object = format!("{} {object}", verb.name());
            store.note(Act { at_ms, who, verb: Verb::Refuse, object, reason: reason.to_owned() }).await?;
            return Err(OfficeError::NotAllowed { who: self.who.clone(), role: self.post.role, verb });
        }
        store.note(Act { at_ms, who, verb, object: object.to_owned(), reason: reason.to_owned() }).await?;
        Ok(())
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
        let (post, grants) = (post.into(), store.grants().await?);
        let is_administrator = |grant: &&Grant| {
            Post::parse(&grant.role).is_some_and(|post| post.role == Role::Administrator) && grant.name != name
        };
        // Who may not give roles hears that, and it is written down, whatever they tried to give.
        let may_give = self.post.role.may(Verb::Grant);
        if may_give && post.role != Role::Administrator && !grants.iter().any(|grant| is_administrator(&grant)) {
            let first = "the first role given is `administrator`, for otherwise nobody could give another";
            let last = "this is the last administrator; give that role to somebody else first";
            return Err(OfficeError::Locked(if grants.is_empty() { first } else { last }));
        }
        self.act(store, Verb::Grant, &format!("{name} {}", post.name()), reason).await?;
        let grant = Grant { name: name.to_owned(), role: post.name(), granted_ms: now_ms() };
        Ok(store.grant(grant).await?)
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
mod tests {
    use hub_store::Ledger as _;
    use hub_store::sqlite::Sqlite;

    use super::*;

    async fn enter(store: &Sqlite) -> Office {
        Office::enter(store, None, None, 0).await.unwrap()
    }

    #[tokio::test]
    async fn roles_are_in_force_from_the_first_one_on() {
        let scratch = tempfile::tempdir().unwrap();
        let store = &Sqlite::open(&scratch.path().join("national.db")).unwrap();
        let office = enter(store).await;
        let me = office.who().to_owned();
        assert_eq!(office.signs(Some("lan".to_owned())).unwrap(), "lan");
        assert!(office.sees_sensitive(), "a trial");
        office.look(store, "person P1", "").await.unwrap();
        assert!(matches!(office.grant(store, "lan", Role::Viewer, "").await, Err(OfficeError::Locked(_))));
        office.grant(store, "lan", Role::Administrator, "appointed").await.unwrap();
        let stranger = enter(store).await;
        let refused = stranger.act(store, Verb::Resolve, "case 1", "book seen").await.unwrap_err().to_string();
        assert!(refused.contains("`none`") && refused.contains("`registrar`"), "{refused}");
        assert!(matches!(stranger.signs(Some("lan".to_owned())), Err(OfficeError::NotYou { .. })));
        office.grant(store, &me, Role::Viewer, "a helper").await.unwrap();
        let viewer = enter(store).await;
        assert!(matches!(viewer.look(store, "person P1", " ").await, Err(OfficeError::NoReason)));
        viewer.look(store, "person P1", "letter 12").await.unwrap();
        assert!(viewer.act(store, Verb::Revoke, "01@2008", "").await.is_err());
        let tried = viewer.grant(store, "lan", Role::Nobody, "a coup").await;
        assert!(matches!(tried, Err(OfficeError::NotAllowed { .. })), "who may not is told that, and it is noted");
        assert!(!viewer.sees_sensitive());
        office.grant(store, &me, Post { role: Role::Viewer, sees_sensitive: true }, "statistics").await.unwrap();
        assert!(enter(store).await.sees_sensitive());
        assert!(matches!(office.grant(store, "lan", Role::Nobody, "left").await, Err(OfficeError::Locked(_))));
        use Verb::{Grant, Look, Refuse};
        let verbs: Vec<_> = store.acts(0, 100).await.unwrap().into_iter().map(|row| row.act.verb).collect();
        assert_eq!(verbs, [Look, Grant, Refuse, Grant, Look, Refuse, Refuse, Grant]);
    }
}
