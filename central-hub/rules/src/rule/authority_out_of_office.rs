//! The office that registered an entry did not exist on the day of registration.
//!
//! Reason: on 1 July 2025 provinces were merged, districts abolished and codes given again with another meaning
//! (Resolution 202/2025/QH15, Law 72/2025/QH15); an entry is registered by an office of its time. A code of the other
//! catalogue is a slip in the date or in the code, and the entry would be sought in the wrong books. Only a date that
//! leaves no doubt accuses.

use registry_schema::date::PartialDate;
use registry_schema::place::{Edition, Gazetteer, Place};
use registry_schema::record::Authority;

use super::scene::{Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::reading::Entry;

/// Finds entries of offices that were not in office; each is told by its principal.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.principals().filter_map(|part| judge(part.entry)).collect()
}

fn judge(entry: Entry<'_>) -> Option<Finding> {
    let registration = &entry.record.registration;
    let Authority::Code(office) = registration.authority else { return None };
    let reason = Evidence::new(
        "the catalogue of the office's code was not in force on the day of registration",
        "danh mục của mã cơ quan đăng ký không có hiệu lực vào ngày đăng ký",
    );
    let accused = !in_office(office, registration.date?);
    accused.then(|| Finding::new(Rule::AuthorityOutOfOffice, Certainty::Case, vec![entry.key], vec![reason]))
}

/// Whether some day that the date can mean lies in the time of the code. The oldest catalogue has no first day, for
/// digitised books carry its codes whatever the year of the entry.
fn in_office(office: Place, date: PartialDate) -> bool {
    let listed = office.province().and_then(|code| Gazetteer::builtin().province(office.edition(), code));
    match listed {
        Some(province) => {
            let begun = office.edition() == Edition::ALL[0] || date.latest() >= province.valid_from;
            begun && province.valid_to.is_none_or(|last| date.earliest() <= last)
        }
        None => [date.earliest(), date.latest()].into_iter().any(|day| Edition::on(day) == office.edition()),
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    fn death(office: &str, registered: &str) -> String {
        format!("15/1 death deceased_name=Hồ Văn Ba; authority={office}; registration_date={registered}")
    }

    fn accused(office: &str, registered: &str) {
        check(&death(office, registered), "case authority_out_of_office 15/1");
    }

    fn in_office(office: &str, registered: &str) {
        check(&death(office, registered), "");
    }

    #[test]
    fn an_office_registers_in_its_time_only() {
        accused("15.00001@2008", "01.07.2025");
        in_office("15.00001@2008", "30.06.2025");
        accused("15.00001@2025", "30.06.2025");
        in_office("15.00001@2025", "01.07.2025");
    }

    #[test]
    fn a_commune_or_district_alone_is_held_to_its_catalogue_too() {
        accused("00001@2008", "2026");
        accused("132@2008", "2026");
        accused("00001@2025", "2010");
        in_office("00001@2025", "2025");
    }

    #[test]
    fn the_oldest_catalogue_speaks_of_older_books_as_well() {
        in_office("15.00001@2008", "1957");
    }

    #[test]
    fn a_code_without_its_catalogue_is_one_of_the_day() {
        in_office("15.00001", "2010");
        in_office("15.00001", "2026");
    }

    #[test]
    fn unknown_parts_of_dates_and_names_of_offices_accuse_nobody() {
        in_office("15.00001@2008", "2025");
        in_office("15.00001@2025", "2025");
        in_office("15.00001@2025", "");
        in_office("UBND xã Kim Liên", "2026");
    }

    #[test]
    fn a_corrected_date_closes_the_case() {
        check(&format!("{}\n15/1 death registration_date=2024", death("15.00001@2008", "2026")), "");
    }
}
