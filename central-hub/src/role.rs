//! What operators may do: one table.

use hub_store::ledger::Verb;

/// What an operator is there for; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing any more.
    Nobody,
    /// Looks, with a reason.
    Viewer,
    /// Answers cases, compares provinces with the nation.
    Registrar,
    /// Agrees to large repairs, enrols, revokes, gives roles.
    Administrator,
}

impl Role {
    /// Every role, from the least.
    pub const ALL: [Self; 4] = [Self::Nobody, Self::Viewer, Self::Registrar, Self::Administrator];

    /// The stored word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::Viewer => "viewer",
            Self::Registrar => "registrar",
            Self::Administrator => "administrator",
        }
    }

    /// The role of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == word)
    }

    /// The least role that may do this.
    #[must_use]
    pub const fn for_verb(verb: Verb) -> Self {
        match verb {
            Verb::Look => Self::Viewer,
            Verb::Resolve | Verb::Undo | Verb::Compare | Verb::Answer => Self::Registrar,
            Verb::Approve
            | Verb::Enrol
            | Verb::Issue
            | Verb::Revoke
            | Verb::Trust
            | Verb::Grant
            | Verb::Rebuild
            | Verb::Export
            | Verb::Backup
            | Verb::Restore => Self::Administrator,
            // A refusal is noted about anybody.
            Verb::Refuse => Self::Nobody,
        }
    }

    /// Whether this role may do this.
    #[must_use]
    pub fn may(self, verb: Verb) -> bool {
        self >= Self::for_verb(verb)
    }
}

/// What stands behind a role whose bearer is also shown sensitive fields.
const SENSITIVE: &str = "+sensitive";

/// What an operator was given: a role, and whether sensitive fields are shown (ethnic origin, cause of death: Law
/// 91/2025/QH15). No role brings that along, since hardly any decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Post {
    /// The role.
    pub role: Role,
    /// Whether sensitive fields are shown.
    pub sees_sensitive: bool,
}

impl Post {
    /// The stored words.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}{}", self.role.name(), if self.sees_sensitive { SENSITIVE } else { "" })
    }

    /// The post of stored words.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        let plain = words.strip_suffix(SENSITIVE);
        Some(Self { role: Role::parse(plain.unwrap_or(words))?, sees_sensitive: plain.is_some() })
    }
}

impl From<Role> for Post {
    fn from(role: Role) -> Self {
        Self { role, sees_sensitive: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_more_than_the_one_before() {
        let may = |role: Role| Verb::ALL.into_iter().filter(|verb| role.may(*verb)).count();
        assert!(Role::ALL.windows(2).all(|pair| may(pair[0]) < may(pair[1])));
        assert_eq!(may(Role::Administrator), Verb::ALL.len());
        assert!(!Role::Viewer.may(Verb::Resolve) && !Role::Registrar.may(Verb::Revoke));
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.name()) == Some(role)));
    }

    #[test]
    fn no_role_shows_sensitive_fields_by_itself() {
        for role in Role::ALL {
            assert_eq!(Post::parse(role.name()), Some(Post { role, sees_sensitive: false }));
            let scoped = Post { role, sees_sensitive: true };
            assert_eq!(Post::parse(&scoped.name()), Some(scoped));
        }
        assert_eq!(Post::parse("minister+sensitive"), None);
    }
}
