//! Khai tử: the registration of a death.

use crate::date::PartialDate;
use crate::field::{Attribute, Field, Role};
use crate::place::{Edition, Place};
use crate::reader::Reader;
use crate::record::Participant;
use crate::sensitive::Sensitive;

/// A death: the deceased has a name. A death that a court declared can be revoked, which reopens the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// The deceased.
    pub deceased: Participant,
    /// When the person died, as far as it is known.
    pub date: Option<PartialDate>,
    /// Where, when it was coded.
    pub place: Option<Place>,
    /// Where, in words, folded.
    pub place_text: Option<Sensitive<String>>,
    /// When the declaration of death was revoked.
    pub revoked_on: Option<PartialDate>,
}

impl Death {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.require(Field::new(Role::Deceased, Attribute::Name));
        let deceased = Participant::read(reader, Role::Deceased);
        let registered = reader.registration_date();
        let edition = registered.1.map_or(Edition::E2008, |date| Edition::on(date.latest()));
        let died = Field::entry(Attribute::EventDate);
        let date = reader.date(died);
        reader.not_before(registered, (died, date));
        let revoked = Field::entry(Attribute::RevokedOn);
        let revoked_on = reader.date(revoked);
        reader.not_before((revoked, revoked_on), (died, date));
        let place = reader.place(Field::entry(Attribute::EventPlaceCode), edition);
        let place_text = reader.folded(Field::entry(Attribute::EventPlace));
        Some(Self { deceased: deceased?, date, place, place_text, revoked_on })
    }
}
