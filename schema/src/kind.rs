//! Which event an entry certifies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a registered event (Law on Civil Status 60/2014/QH13, art. 3).
///
/// Codes are permanent. The envelope carries the code, so a kind of a later release travels and is journaled by today's
/// programs; it is rejected with a reason until the hub knows it, and judged again at the next rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Khai sinh.
    Birth,
    /// Kết hôn.
    Marriage,
    /// Khai tử.
    Death,
}

impl Kind {
    /// Every kind that can be judged today.
    pub const ALL: [Self; 3] = [Self::Birth, Self::Marriage, Self::Death];

    /// The permanent code in stores and canonical bytes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Birth => 1,
            Self::Marriage => 2,
            Self::Death => 3,
        }
    }

    /// The kind with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Birth),
            2 => Some(Self::Marriage),
            3 => Some(Self::Death),
            _ => None,
        }
    }

    /// The kind's name in commands and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::Marriage => "marriage",
            Self::Death => "death",
        }
    }

    /// The kind's table in a provincial store.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Birth => "births",
            Self::Marriage => "marriages",
            Self::Death => "deaths",
        }
    }

    /// The kind's code in the Ministry's workbook layouts (KS, KH, KT).
    #[must_use]
    pub const fn ministry(self) -> &'static str {
        match self {
            Self::Birth => "KS",
            Self::Marriage => "KH",
            Self::Death => "KT",
        }
    }

    /// The kind with this name or Ministry code, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            text.eq_ignore_ascii_case(kind.name())
                || text.eq_ignore_ascii_case(kind.ministry())
                || text.eq_ignore_ascii_case(kind.table())
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an entry stands or was withdrawn; a withdrawn entry is kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The entry stands.
    Active,
    /// The entry was withdrawn (thu hồi, hủy bỏ).
    Cancelled,
}

impl Status {
    /// The permanent code in canonical bytes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Cancelled => 2,
        }
    }

    /// The status with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Active),
            2 => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The status as provincial stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Cancelled].into_iter().find(|status| status.name() == text)
    }
}
