//! Re-registration (đăng ký lại): a lawful second entry when book and original are lost.
//!
//! Reason: Decree 123/2015/NĐ-CP, art. 24. The younger entry replaces the older one; both are kept and linked, and
//! nothing is held against either.

use registry_schema::record::RegistrationType;

use crate::reading::Entry;

/// Whether the younger of two entries says that it re-registers an older one.
pub(crate) fn re_registered(a: Entry<'_>, b: Entry<'_>) -> bool {
    let younger = if a.age() > b.age() { a } else { b };
    younger.record.registration.registration_type == RegistrationType::ReRegistration
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_re_registration_replaces_and_is_no_double_registration() {
        let entry = "child_name=Đỗ Thị Hạnh; child_sex=2; child_birth_date=09.09.1979; mother_name=Lý Thị Sáu";
        check(
            &format!(
                "01/1 birth number=1; registration_date=20.09.1979; {entry}
                 01/2 birth number=5; registration_date=11.01.2012; registration_type=2; {entry}"
            ),
            "link re_registration 01/1 01/2
             person 01/1#child 01/2#child
             person 01/1#mother 01/2#mother",
        );
    }

    #[test]
    fn a_marriage_whose_re_registration_notes_no_other_date_is_linked() {
        let couple = "husband_name=Bùi Văn Tám; husband_personal_number=001060123456; \
                      wife_name=Lê Thị Tư; wife_personal_number=001162000001";
        check(
            &format!(
                "01/1 marriage number=1; registration_date=20.09.1979; {couple}
                 01/2 marriage number=5; registration_date=11.01.2012; registration_type=2; {couple}"
            ),
            "link re_registration 01/1 01/2
             person 01/1#husband 01/2#husband
             person 01/1#wife 01/2#wife",
        );
    }
}
