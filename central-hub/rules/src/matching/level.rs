//! What a comparison can come to, criterion by criterion: the one table of levels with their words and weights.

use serde::Serialize;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// How seldom two participants taken at random are one person.
    Prior,
    /// The full name, or its parts.
    Name,
    /// The date of birth.
    BirthDate,
    /// The sex.
    Sex,
    /// The personal identification number.
    PersonalNumber,
    /// Another identity paper.
    Paper,
    /// The mother (of a parent or spouse: the first of the others in the entry).
    Mother,
    /// The father (of a parent or spouse: the second of the others in the entry).
    Father,
    /// The other spouse, or the child.
    Partner,
    /// Places of birth, origin and residence.
    Place,
    /// The date of the marriage or the death.
    EventDate,
    /// The place of the entry in its book.
    Entry,
}

impl Criterion {
    /// Every criterion.
    pub const ALL: [Self; 12] = [
        Self::Prior,
        Self::Name,
        Self::BirthDate,
        Self::Sex,
        Self::PersonalNumber,
        Self::Paper,
        Self::Mother,
        Self::Father,
        Self::Partner,
        Self::Place,
        Self::EventDate,
        Self::Entry,
    ];

    /// The criterion in English.
    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::Prior => "before any look",
            Self::Name => "name",
            Self::BirthDate => "date of birth",
            Self::Sex => "sex",
            Self::PersonalNumber => "personal number",
            Self::Paper => "identity paper",
            Self::Mother => "mother",
            Self::Father => "father",
            Self::Partner => "spouse or child",
            Self::Place => "place",
            Self::EventDate => "date of the event",
            Self::Entry => "entry in the book",
        }
    }

    /// The criterion in Vietnamese.
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::Prior => "trước khi so sánh",
            Self::Name => "họ tên",
            Self::BirthDate => "ngày sinh",
            Self::Sex => "giới tính",
            Self::PersonalNumber => "số định danh cá nhân",
            Self::Paper => "giấy tờ tùy thân",
            Self::Mother => "mẹ",
            Self::Father => "cha",
            Self::Partner => "vợ, chồng hoặc con",
            Self::Place => "địa danh",
            Self::EventDate => "ngày xảy ra sự kiện",
            Self::Entry => "bản ghi trong sổ",
        }
    }
}

macro_rules! levels {
    ($($variant:ident $weight:literal $en:literal / $vi:literal;)+) => {
        /// What the comparison of one criterion came to.
        ///
        /// Each level has a weight in thousandths of a bit (log2 of how much oftener the level is met between one person's
        /// entries than between two people's). Where a level says that rare things agree, the rarity of the value in
        /// the edition's frequencies is added to it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Level {
            $(#[doc = $en] $variant,)+
        }

        impl Level {
            /// Every level.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The weight in the national edition, in thousandths of a bit.
            #[must_use]
            pub const fn national_weight(self) -> i32 {
                match self { $(Self::$variant => $weight,)+ }
            }

            /// What was found, in English.
            #[must_use]
            pub const fn english(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// What was found, in Vietnamese.
            #[must_use]
            pub const fn vietnamese(self) -> &'static str {
                match self { $(Self::$variant => $vi,)+ }
            }
        }
    };
}

levels! {
    PriorOneEvent -29_200 "entries of one event among all pairs of entries" / "tỷ lệ hai bản ghi của một sự kiện";
    PriorOneLife -25_000 "entries of one life among all pairs of entries" / "tỷ lệ hai bản ghi của một đời người";
    NameEqual -400 "the names are equal" / "họ tên giống nhau";
    NameReordered -2_500 "the names have the same words in another order" / "họ tên cùng các chữ nhưng khác thứ tự";
    NameJoined -1_500 "the names differ in their spaces only" / "họ tên chỉ khác khoảng trắng";
    MarksDiffer -1_800 "the marks of a syllable differ" / "dấu của một chữ khác nhau";
    GivenEqual 0 "the given names are equal" / "tên giống nhau";
    GivenTypo -3_500 "the given names are equal but for a slip" / "tên chỉ khác do lỗi gõ";
    GivenVariant -2_500 "the given names are forms of one name" / "tên là hai cách viết của một tên";
    GivenElsewhere -3_000 "a given name stands as a middle name" / "tên đứng ở vị trí chữ đệm";
    GivenDiffers -7_000 "the given names differ" / "tên khác nhau";
    ParentGivenDiffers -4_500 "the given names of a parent or spouse differ" / "tên của cha, mẹ hoặc vợ, chồng khác nhau";
    FamilyEqual 0 "the family names are equal" / "họ giống nhau";
    FamilyTypo -3_500 "the family names are equal but for a slip" / "họ chỉ khác do lỗi gõ";
    FamilyVariant -2_500 "the family names are forms of one name" / "họ là hai cách viết của một họ";
    FamilyDiffers -4_000 "the family names differ" / "họ khác nhau";
    MiddleEqual 0 "middle names are equal" / "chữ đệm giống nhau";
    MiddleTypo -2_500 "middle names are equal but for a slip" / "chữ đệm chỉ khác do lỗi gõ";
    MiddleMissing -1_500 "one side has a middle name more" / "một bên có thêm chữ đệm";
    MiddleDiffers -2_500 "the middle names differ" / "chữ đệm khác nhau";
    DateEqual -200 "the full dates are equal" / "ngày đầy đủ giống nhau";
    DateSwapped 2_500 "day and month are exchanged" / "ngày và tháng bị đảo";
    DateFirstOfJanuary -2_000 "the years agree, one side says 1 January" / "cùng năm, một bên ghi 01/01";
    DatePartial -1_500 "what is known of both dates agrees" / "phần ngày tháng đã biết phù hợp";
    DateSlip 4_000 "the dates differ in one digit" / "ngày chỉ khác một chữ số";
    DateTwoOfThree 1_500 "two of day, month and year are equal" / "hai trong ba phần ngày, tháng, năm giống nhau";
    DateNear 0 "the dates lie within a month" / "ngày cách nhau không quá một tháng";
    DateYearOnly -3_000 "only the years agree" / "chỉ năm giống nhau";
    DateYearNear -4_000 "the years are one apart" / "năm chênh nhau một";
    DateFar -9_000 "the dates differ" / "ngày khác nhau";
    SexEqual 900 "the sexes are equal" / "giới tính giống nhau";
    SexDiffers -5_500 "the sexes differ" / "giới tính khác nhau";
    NumberEqual 30_000 "the personal numbers are equal" / "số định danh cá nhân giống nhau";
    NumberSlip 6_000 "the personal numbers differ in one digit" / "số định danh chỉ khác một chữ số";
    NumberDiffers -12_000 "the personal numbers differ" / "số định danh cá nhân khác nhau";
    PaperEqual 17_000 "the papers have one number" / "số giấy tờ giống nhau";
    PaperSlip 6_000 "the paper numbers differ in one digit" / "số giấy tờ chỉ khác một chữ số";
    PaperDiffers -1_000 "the papers differ" / "số giấy tờ khác nhau";
    KinYearEqual 3_300 "the years of birth are equal" / "năm sinh giống nhau";
    KinYearNear 300 "the years of birth are one or two apart" / "năm sinh chênh một hoặc hai";
    KinYearThree -500 "the years of birth are three apart" / "năm sinh chênh ba";
    KinYearFar -4_000 "the years of birth are far apart" / "năm sinh chênh nhiều";
    PlaceEqual 0 "the places are equal" / "địa danh giống nhau";
    PlacePartly -1_000 "the places agree in part" / "địa danh phù hợp một phần";
    PlaceDiffers -2_000 "the places differ" / "địa danh khác nhau";
    EventDateEqual -300 "the dates are equal" / "ngày giống nhau";
    EventDateFits 0 "what is known of the dates agrees" / "phần ngày đã biết phù hợp";
    EventDateNear 1_000 "the dates lie within a month or differ in a digit" / "ngày gần nhau hoặc chỉ khác một chữ số";
    EventDateDiffers -6_000 "the dates differ" / "ngày khác nhau";
    SameEntry 31_000 "office, book, year and number agree" / "cơ quan, sổ, năm và số giống nhau";
    Replaces 15_000 "one entry names the other as the one it replaces" / "một bản ghi nêu bản ghi kia là bản ghi được thay";
}

impl Level {
    /// The level's place in a table of weights.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
