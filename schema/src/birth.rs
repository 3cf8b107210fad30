//! Khai sinh: the registration of a birth.

use crate::field::{Attribute, Field, Role};
use crate::place::{Edition, Place};
use crate::reader::Reader;
use crate::record::Participant;
use crate::sensitive::Sensitive;

/// A birth: a child with a name; the parents may lawfully be unknown, one or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// The child.
    pub child: Participant,
    /// The mother, when known.
    pub mother: Option<Participant>,
    /// The father, when known.
    pub father: Option<Participant>,
    /// Where the child was born, when it was coded.
    pub place: Option<Place>,
    /// Where the child was born in words, folded.
    pub place_text: Option<Sensitive<String>>,
}

impl Birth {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let child_name = Field::new(Role::Child, Attribute::Name);
        reader.require(child_name);
        let child = Participant::read(reader, Role::Child);
        let mother = Participant::read(reader, Role::Mother);
        let father = Participant::read(reader, Role::Father);
        let registered = reader.registration_date();
        let edition = registered.1.map_or(Edition::E2008, |date| Edition::on(date.latest()));
        let place = reader.place(Field::entry(Attribute::EventPlaceCode), edition);
        let born = child.as_ref().and_then(|child| child.birth_date);
        reader.not_before(registered, (Field::new(Role::Child, Attribute::BirthDate), born));
        let place_text = reader.folded(Field::entry(Attribute::EventPlace));
        Some(Self { child: child?, mother, father, place, place_text })
    }
}
