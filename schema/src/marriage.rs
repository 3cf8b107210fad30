//! Kết hôn: the registration of a marriage.

use crate::date::PartialDate;
use crate::field::{Attribute, Field, Role};
use crate::reader::Reader;
use crate::record::Participant;

/// A marriage: both spouses have a name. It is open until a date of divorce or annulment is noted on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marriage {
    /// The husband.
    pub husband: Participant,
    /// The wife.
    pub wife: Participant,
    /// When the marriage began; the registration date where no other is noted.
    pub date: Option<PartialDate>,
    /// When it ended by divorce.
    pub divorced_on: Option<PartialDate>,
    /// When it was annulled.
    pub annulled_on: Option<PartialDate>,
}

impl Marriage {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        for role in [Role::Husband, Role::Wife] {
            reader.require(Field::new(role, Attribute::Name));
        }
        let husband = Participant::read(reader, Role::Husband);
        let wife = Participant::read(reader, Role::Wife);
        let registered = reader.registration_date();
        let began = reader.date(Field::entry(Attribute::EventDate));
        reader.not_before(registered, (Field::entry(Attribute::EventDate), began));
        let date = began.or(registered.1);
        let divorced = Field::entry(Attribute::DivorcedOn);
        let divorced_on = reader.date(divorced);
        reader.not_before((divorced, divorced_on), (Field::entry(Attribute::EventDate), date));
        let annulled = Field::entry(Attribute::AnnulledOn);
        let annulled_on = reader.date(annulled);
        reader.not_before((annulled, annulled_on), (Field::entry(Attribute::EventDate), date));
        Some(Self { husband: husband?, wife: wife?, date, divorced_on, annulled_on })
    }

    /// When the marriage ended by decision, the earlier of divorce and annulment; `None` while it is open.
    #[must_use]
    pub fn ended_on(&self) -> Option<PartialDate> {
        match (self.divorced_on, self.annulled_on) {
            (Some(divorced), Some(annulled)) => Some(divorced.min(annulled)),
            (divorced, annulled) => divorced.or(annulled),
        }
    }
}
