//! The one table of what an entry can say: provincial columns, workbooks, canonical bytes, violations and the
//! comparison of two entries all speak of the same fields.

use std::fmt;

/// Who a field speaks about: the entry itself or one of the people in it.
///
/// Codes are permanent: they are the high byte of a field's code in canonical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The entry itself, not a person.
    Entry,
    /// The child of a birth.
    Child,
    /// The mother of a birth.
    Mother,
    /// The father of a birth.
    Father,
    /// The husband of a marriage.
    Husband,
    /// The wife of a marriage.
    Wife,
    /// The deceased of a death.
    Deceased,
    /// Who came to the office.
    Declarant,
}

impl Role {
    /// Every role, the entry first.
    pub const ALL: [Self; 8] = [
        Self::Entry,
        Self::Child,
        Self::Mother,
        Self::Father,
        Self::Husband,
        Self::Wife,
        Self::Deceased,
        Self::Declarant,
    ];

    /// The permanent code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Entry => 0,
            Self::Child => 1,
            Self::Mother => 2,
            Self::Father => 3,
            Self::Husband => 4,
            Self::Wife => 5,
            Self::Deceased => 6,
            Self::Declarant => 7,
        }
    }

    /// The role with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    /// The role's name in columns, commands and reports; empty for the entry itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "",
            Self::Child => "child",
            Self::Mother => "mother",
            Self::Father => "father",
            Self::Husband => "husband",
            Self::Wife => "wife",
            Self::Deceased => "deceased",
            Self::Declarant => "declarant",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|role| role.name() == text)
    }

    /// The role in Vietnamese.
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::Entry => "",
            Self::Child => "người con",
            Self::Mother => "mẹ",
            Self::Father => "cha",
            Self::Husband => "chồng",
            Self::Wife => "vợ",
            Self::Deceased => "người chết",
            Self::Declarant => "người yêu cầu",
        }
    }
}

/// How carefully a field's content must be handled (Law 91/2025/QH15, Decree 356/2025).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Says nothing about a person by itself: numbers of books, codes of offices.
    Public,
    /// Basic personal data: names, dates of birth, numbers, family status.
    Basic,
    /// Sensitive personal data: ethnic origin, cause of death.
    Sensitive,
}

macro_rules! attributes {
    ($($variant:ident = $code:literal $name:literal $protection:ident $en:literal / $vi:literal;)+) => {
        /// What a field says about its role. Codes are permanent: they are the low byte of a field's code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Attribute {
            $(#[doc = $en] $variant,)+
        }

        impl Attribute {
            /// Every attribute, in the order of codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The permanent code.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The name in columns, mapping files and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The name a clerk reads, in English.
            #[must_use]
            pub const fn english(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// The name a clerk reads, in Vietnamese.
            #[must_use]
            pub const fn vietnamese(self) -> &'static str {
                match self { $(Self::$variant => $vi,)+ }
            }

            /// How carefully the content must be handled.
            #[must_use]
            pub const fn protection(self) -> Protection {
                match self { $(Self::$variant => Protection::$protection,)+ }
            }
        }
    };
}

attributes! {
    Number = 1 "number" Public "entry number" / "số";
    Book = 2 "book" Public "book" / "quyển số";
    Page = 3 "page" Public "page" / "trang số";
    RegistrationDate = 4 "registration_date" Public "registration date" / "ngày đăng ký";
    RegistrationType = 5 "registration_type" Public "registration type" / "loại đăng ký";
    Authority = 6 "authority" Public "registering authority" / "nơi đăng ký";
    Signer = 7 "signer" Basic "signer" / "người ký";
    SignerTitle = 8 "signer_title" Public "title of the signer" / "chức vụ người ký";
    Clerk = 9 "clerk" Basic "clerk" / "người thực hiện";
    Note = 10 "note" Basic "note" / "ghi chú";
    ForeignNumber = 11 "foreign_number" Public "foreign entry number" / "số đăng ký nước ngoài";
    ForeignDate = 12 "foreign_date" Public "foreign registration date" / "ngày đăng ký nước ngoài";
    ForeignAuthority = 13 "foreign_authority" Public "foreign authority" / "cơ quan nước ngoài đã đăng ký";
    ForeignCountry = 14 "foreign_country" Public "foreign country" / "quốc gia đã đăng ký";
    EventDate = 15 "event_date" Basic "date of the event" / "ngày xảy ra sự kiện";
    EventTime = 16 "event_time" Basic "time of the event" / "giờ phút";
    EventPlace = 17 "event_place" Basic "place of the event" / "nơi xảy ra sự kiện";
    EventPlaceCode = 18 "event_place_code" Public "code of the place of the event" / "mã ĐVHC nơi xảy ra sự kiện";
    Cause = 19 "cause" Sensitive "cause of death" / "nguyên nhân chết";
    BirthKind = 20 "birth_kind" Basic "which parents are known" / "loại khai sinh";
    BirthDateInWords = 21 "birth_date_in_words" Basic "date of birth in words" / "ngày sinh bằng chữ";
    MarriageStatus = 22 "marriage_status" Basic "state of the marriage" / "tình trạng kết hôn";
    AnnulledOn = 23 "annulled_on" Basic "date the marriage was annulled" / "ngày ghi chú hủy kết hôn";
    AnnulmentBasis = 24 "annulment_basis" Basic "ground of the annulment" / "căn cứ hủy kết hôn";
    RecognisedOn = 25 "recognised_on" Basic "date the marriage was recognised" / "ngày ghi chú công nhận kết hôn";
    RecognitionBasis = 26 "recognition_basis" Basic "ground of the recognition" / "căn cứ công nhận kết hôn";
    DivorcedOn = 27 "divorced_on" Basic "date of the divorce" / "ngày ly hôn";
    DivorceBasis = 28 "divorce_basis" Basic "ground of the divorce" / "căn cứ ly hôn";
    DeclaredDeadOn = 29 "declared_dead_on" Basic "date a court declared the death" / "ngày tuyên bố việc chết";
    DeclaredDeadBasis = 30 "declared_dead_basis" Basic "ground of the declaration" / "căn cứ tuyên bố việc chết";
    RevokedOn = 31 "revoked_on" Basic "date the declaration was revoked" / "ngày hủy tuyên bố việc chết";
    RevocationBasis = 32 "revocation_basis" Basic "ground of the revocation" / "căn cứ hủy tuyên bố việc chết";
    NoticeKind = 33 "notice_kind" Public "kind of death notice" / "loại giấy báo tử";
    NoticeNumber = 34 "notice_number" Public "number of the death notice" / "số giấy báo tử";
    NoticeDate = 35 "notice_date" Basic "date of the death notice" / "ngày giấy báo tử";
    NoticeIssuer = 36 "notice_issuer" Public "issuer of the death notice" / "cơ quan cấp giấy báo tử";
    Replaces = 37 "replaces" Public "entry that this one replaces" / "đăng ký lại cho";
    SourceReference = 38 "source_reference" Public "reference in the source" / "mã hồ sơ nguồn";
    Name = 101 "name" Basic "full name" / "họ, chữ đệm, tên";
    Sex = 102 "sex" Basic "sex" / "giới tính";
    BirthDate = 103 "birth_date" Basic "date of birth" / "ngày sinh";
    PersonalNumber = 104 "personal_number" Basic "personal identification number" / "số định danh cá nhân";
    Ethnicity = 105 "ethnicity" Sensitive "ethnicity" / "dân tộc";
    Nationality = 106 "nationality" Basic "nationality" / "quốc tịch";
    OtherNationality = 107 "other_nationality" Basic "other nationality" / "quốc tịch khác";
    ResidenceKind = 108 "residence_kind" Basic "kind of residence" / "loại cư trú";
    Residence = 109 "residence" Basic "residence" / "nơi cư trú";
    Origin = 110 "origin" Basic "place of origin" / "quê quán";
    PaperKind = 111 "paper_kind" Basic "kind of identity paper" / "loại giấy tờ tùy thân";
    PaperNumber = 112 "paper_number" Basic "number of the identity paper" / "số giấy tờ tùy thân";
    PaperDate = 113 "paper_date" Basic "date of the identity paper" / "ngày cấp giấy tờ tùy thân";
    PaperIssuer = 114 "paper_issuer" Basic "issuer of the identity paper" / "nơi cấp giấy tờ tùy thân";
    Relation = 115 "relation" Basic "relation to the person registered" / "quan hệ";
}

impl Attribute {
    /// The attribute with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|attribute| attribute.code() == code)
    }
}

/// One thing an entry can say: a role and an attribute.
///
/// Fields are ordered by their permanent code, which is the order of canonical bytes. A code that this release does
/// not know is kept as it came, so an entry written by a later release loses nothing on its way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(u16);

impl Field {
    /// The field of a role and an attribute.
    #[must_use]
    pub const fn new(role: Role, attribute: Attribute) -> Self {
        Self(((role.code() as u16) << 8) | attribute.code() as u16)
    }

    /// A field of the entry itself.
    #[must_use]
    pub const fn entry(attribute: Attribute) -> Self {
        Self::new(Role::Entry, attribute)
    }

    /// The field with this code, known or not.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        Self(code)
    }

    /// The permanent code.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The role, when this release knows it.
    #[must_use]
    pub fn role(self) -> Option<Role> {
        Role::from_code((self.0 >> 8) as u8)
    }

    /// The attribute, when this release knows it.
    #[must_use]
    pub fn attribute(self) -> Option<Attribute> {
        Attribute::from_code((self.0 & 0xff) as u8)
    }

    /// The name in columns and mapping files: `child_name`, `registration_date`.
    #[must_use]
    pub fn name(self) -> String {
        match (self.role(), self.attribute()) {
            (Some(Role::Entry), Some(attribute)) => attribute.name().to_owned(),
            (Some(role), Some(attribute)) => format!("{}_{}", role.name(), attribute.name()),
            _ => format!("field_{}", self.0),
        }
    }

    /// The field with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let of = |role: Role, rest: &str| {
            let attribute = Attribute::ALL.iter().find(|attribute| attribute.name() == rest)?;
            Some(Self::new(role, *attribute))
        };
        of(Role::Entry, name).or_else(|| {
            Role::ALL.into_iter().skip(1).find_map(|role| {
                let rest = name.strip_prefix(role.name())?.strip_prefix('_')?;
                of(role, rest)
            })
        })
    }

    /// The field as a clerk reads it, in English: "full name of the child".
    #[must_use]
    pub fn english(self) -> String {
        match (self.role(), self.attribute()) {
            (Some(Role::Entry), Some(attribute)) => attribute.english().to_owned(),
            (Some(role), Some(attribute)) => format!("{} of the {}", attribute.english(), role.name()),
            _ => self.name(),
        }
    }

    /// The field as a clerk reads it, in Vietnamese.
    #[must_use]
    pub fn vietnamese(self) -> String {
        match (self.role(), self.attribute()) {
            (Some(Role::Entry), Some(attribute)) => attribute.vietnamese().to_owned(),
            (Some(role), Some(attribute)) => format!("{} của {}", attribute.vietnamese(), role.vietnamese()),
            _ => self.name(),
        }
    }

    /// How carefully the content must be handled; an unknown field is handled as sensitive.
    #[must_use]
    pub fn protection(self) -> Protection {
        self.attribute().map_or(Protection::Sensitive, Attribute::protection)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every_field() -> impl Iterator<Item = Field> {
        Role::ALL.into_iter().flat_map(|role| Attribute::ALL.iter().map(move |attribute| Field::new(role, *attribute)))
    }

    #[test]
    fn every_name_and_code_means_one_field() {
        let names: BTreeSet<_> = every_field().map(Field::name).collect();
        assert_eq!(names.len(), every_field().count());
        for field in every_field() {
            assert_eq!(Field::parse(&field.name()), Some(field));
            assert_eq!(Field::from_code(field.code()).attribute(), field.attribute());
        }
    }

    #[test]
    fn an_unknown_code_keeps_its_place_and_is_treated_as_sensitive() {
        let field = Field::from_code(0xfefe);
        assert_eq!(field.name(), "field_65278");
        assert_eq!(field.protection(), Protection::Sensitive);
        assert_eq!(Field::parse("child_shoe_size"), None);
    }
}
