//! What a rule found: a link it is sure of, or a case that a human must decide.

use std::fmt;
use std::str::FromStr;

use registry_schema::digest::{Hash256, hash_parts};
use registry_schema::ids::{IdError, RecordKey};
use serde::{Deserialize, Serialize};

use crate::verdict::Answer;

/// The hash of a rule and the sorted records it found: the same finding has the same id on every hub, in every replay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub [u8; 16]);

impl FindingId {
    /// The id of what `rule` finds in these sorted records.
    #[must_use]
    pub fn of(rule: Rule, records: &[RecordKey]) -> Self {
        let records: Vec<u8> = records
            .iter()
            .flat_map(|key| [key.origin.number().to_be_bytes().to_vec(), key.id.number().to_be_bytes().to_vec()])
            .flatten()
            .collect();
        let hash = hash_parts("hotich finding 1", &[rule.name().as_bytes(), &records]);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.0[..16]);
        Self(id)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for FindingId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut id = [0; 16];
        let digits = text.trim();
        let wrong = IdError::new("a case", "32 hexadecimal digits");
        if digits.len() != 32 || !digits.is_ascii() {
            return Err(wrong);
        }
        for (byte, at) in id.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong.clone())?;
        }
        Ok(Self(id))
    }
}

impl Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FindingId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! rules {
    ($($variant:ident $name:literal $en:literal / $vi:literal;)+) => {
        /// Every rule that can find something; each has a file under `rule/` with its legal reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $en] $variant,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The permanent name in ids, commands and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What the rule found, in English.
            #[must_use]
            pub const fn english(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// What the rule found, in Vietnamese.
            #[must_use]
            pub const fn vietnamese(self) -> &'static str {
                match self { $(Self::$variant => $vi,)+ }
            }
        }
    };
}

rules! {
    DigitisedTwice "digitised_twice" "One entry of a book was digitised twice"
        / "Một bản ghi trong sổ được số hóa hai lần";
    SameKey "same_key" "Two entries of different people bear one number in one book"
        / "Hai bản ghi của những người khác nhau mang cùng một số trong cùng một sổ";
    DoubleRegistration "double_registration" "One event was registered twice"
        / "Một sự kiện được đăng ký hai lần";
    ReRegistration "re_registration" "A lawful re-registration replaces an older entry"
        / "Bản ghi đăng ký lại thay cho bản ghi cũ";
    ExtractAsEntry "extract_as_entry" "An extract of an entry was imported as an entry of its own"
        / "Trích lục được nhập như một bản ghi riêng";
    DeathBeforeBirth "death_before_birth" "A death is dated before the birth of the person"
        / "Ngày chết trước ngày sinh của cùng một người";
    SecondDeath "second_death" "One person has two deaths on different dates"
        / "Một người có hai bản ghi khai tử với ngày chết khác nhau";
    MarriageAfterDeath "marriage_after_death" "A person is married after their death"
        / "Kết hôn sau ngày chết của một bên";
    MarriageOverlap "marriage_overlap" "A second marriage begins while another is open"
        / "Kết hôn khi đang có vợ hoặc có chồng";
    ForeignNote "foreign_note" "The note of an act abroad repeats an event that is registered here"
        / "Bản ghi chú việc hộ tịch ở nước ngoài trùng với sự kiện đã đăng ký trong nước";
    OneNumberTwoPeople "one_number_two_people" "Two people bear one personal number"
        / "Hai người khác nhau mang cùng một số định danh cá nhân";
    TwoNumbersOnePerson "two_numbers_one_person" "One person bears two personal numbers"
        / "Một người mang hai số định danh cá nhân";
    NumberContradiction "number_contradiction" "A personal number denies the sex or the year of birth"
        / "Số định danh cá nhân không khớp giới tính hoặc năm sinh";
    HusbandUnderAge "husband_under_age" "The husband was under age when the marriage was registered"
        / "Người chồng chưa đủ tuổi kết hôn khi đăng ký";
    WifeUnderAge "wife_under_age" "The wife was under age when the marriage was registered"
        / "Người vợ chưa đủ tuổi kết hôn khi đăng ký";
    ParentAge "parent_age" "A parent's age at the birth of the child is not plausible"
        / "Tuổi của cha hoặc mẹ khi sinh con không hợp lý";
    AgeAtDeath "age_at_death" "A person is dated to have lived longer than people do"
        / "Khoảng cách từ ngày sinh đến ngày chết dài hơn đời người";
    ParentAfterDeath "parent_after_death" "A child is born after the death of a parent"
        / "Con sinh sau khi cha hoặc mẹ đã chết";
    AuthorityOutOfOffice "authority_out_of_office" "The registering office did not exist on the day of registration"
        / "Cơ quan đăng ký không tồn tại vào ngày đăng ký";
}

impl Rule {
    /// The rule with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Whether a rule is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The rule is sure (or a human was): the records are linked, and the link can be undone by a verdict.
    Link,
    /// A human must decide.
    Case,
}

impl Certainty {
    /// The stored number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Link => 1,
            Self::Case => 2,
        }
    }

    /// The certainty with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Link),
            2 => Some(Self::Case),
            _ => None,
        }
    }
}

/// One reason for a finding, in words that hold nothing of what the entries say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// In English.
    pub english: String,
    /// In Vietnamese.
    pub vietnamese: String,
}

impl Evidence {
    /// A reason in both languages.
    #[must_use]
    pub fn new(english: &str, vietnamese: &str) -> Self {
        Self { english: english.to_owned(), vietnamese: vietnamese.to_owned() }
    }
}

/// A link or a case: a pure function of the records in its scope and of the verdicts about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The hash of rule and records.
    pub id: FindingId,
    /// The rule that found it.
    pub rule: Rule,
    /// Whether it is sure.
    pub certainty: Certainty,
    /// The records concerned, sorted.
    pub records: Vec<RecordKey>,
    /// The cluster or natural key within which the rule looked.
    pub scope: i64,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What a human answered.
    pub answer: Option<Answer>,
    /// The record that is singled out: by the answer, or by the rule where it links an extract to its entry.
    pub chosen: Option<RecordKey>,
}

impl Finding {
    /// What `rule` finds in these records (in any order).
    #[must_use]
    pub fn new(rule: Rule, certainty: Certainty, mut records: Vec<RecordKey>, evidence: Vec<Evidence>) -> Self {
        records.sort_unstable();
        records.dedup();
        let id = FindingId::of(rule, &records);
        Self { id, rule, certainty, records, scope: 0, evidence, answer: None, chosen: None }
    }

    /// The records concerned beside one of them.
    #[must_use]
    pub fn others(&self, key: RecordKey) -> Vec<RecordKey> {
        self.records.iter().copied().filter(|other| *other != key).collect()
    }

    /// Whether a human must still decide.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.certainty == Certainty::Case && !self.answer.is_some_and(Answer::closes)
    }

    /// A hash of everything the finding says.
    #[must_use]
    pub fn hash(&self) -> Hash256 {
        let answer = self.answer.map_or("", Answer::name);
        let chosen = self.chosen.map(|key| key.to_string()).unwrap_or_default();
        let evidence: Vec<&str> = self.evidence.iter().map(|reason| reason.english.as_str()).collect();
        hash_parts(
            "hotich finding row 1",
            &[
                &self.id.0,
                &[self.certainty.number()],
                &self.scope.to_be_bytes(),
                answer.as_bytes(),
                chosen.as_bytes(),
                evidence.join("\n").as_bytes(),
            ],
        )
    }
}
