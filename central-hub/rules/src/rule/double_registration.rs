//! Double registration: one event stands in two books.
//!
//! Reason: an event is registered at exactly one authority, and a second registration of it is void (Law on Civil Status
//! 60/2014/QH13, art. 5). The entries are linked and the event counts once; which of the two is withdrawn is decided by
//! people. A pair that may be one event, but has something against it, becomes a case; where nothing but a personal number
//! speaks for it, `one_number_two_people` asks instead, and where nothing else speaks against it,
//! `two_numbers_one_person`. `one_event` finds the pairs: a double registration is what nothing else explains.

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const HUNG: &str = "child_name=Nguyễn Văn Hùng; child_sex=1; child_birth_date=02.03.1990; mother_name=Lê Thị Mai";

    #[test]
    fn one_birth_in_two_provinces_is_linked_whatever_the_keyboard() {
        check(
            &format!(
                "01/1 birth number=1; registration_date=05.03.1990; {HUNG}
                 79/1 birth number=9; registration_date=01.06.1990; {}",
                HUNG.replace("Nguyễn Văn Hùng", "NGUYEN VAN HUNG")
            ),
            "link double_registration 01/1 79/1
             person 01/1#child 79/1#child
             person 01/1#mother 79/1#mother",
        );
    }

    #[test]
    fn namesakes_born_on_one_day_stay_two_people() {
        check(&format!("01/1 birth {HUNG}\n79/1 birth {}", HUNG.replace("Lê Thị Mai", "Phạm Thị Hoa")), "");
    }

    #[test]
    fn twins_stay_two_people() {
        check(&format!("01/1 birth number=1; {HUNG}\n01/2 birth number=2; {}", HUNG.replace("Hùng", "Dũng")), "");
    }

    #[test]
    fn twins_of_whom_one_bears_the_others_name_in_the_middle_are_asked_about() {
        let birth = "child_sex=2; child_birth_date=02.03.1990; mother_name=Lê Thị Mai; father_name=Vũ Quốc Toản; \
                     event_place=Kim Liên, Nam Đàn, Nghệ An";
        check(
            &format!("01/1 birth child_name=Vũ Thị Lan; {birth}\n01/2 birth child_name=Vũ Thị Lan Anh; {birth}"),
            "case double_registration 01/1 01/2",
        );
    }

    #[test]
    fn a_child_named_after_a_sibling_who_died_is_asked_about_where_only_years_are_known() {
        let birth = |year: i32| {
            format!(
                "child_name=Vũ Thị Lan; child_sex=2; child_birth_date={year}; mother_name=Lê Thị Mai; \
                 mother_birth_date=05.06.1950; father_name=Vũ Quốc Toản; father_birth_date=07.08.1949; \
                 event_place=Kim Liên, Nam Đàn, Nghệ An"
            )
        };
        for year in [1975, 1979] {
            let script = format!("01/1 birth {}\n01/2 birth {}", birth(1972), birth(year));
            check(&script, "case double_registration 01/1 01/2\nperson 01/1#father 01/2#father");
        }
    }

    #[test]
    fn a_human_can_part_what_was_linked_and_take_it_back() {
        let twice = format!("01/1 birth {HUNG}\n79/1 birth {HUNG}");
        check(
            &format!("{twice}\nanswer double_registration 01/1 79/1 different"),
            "case double_registration 01/1 79/1 answered different",
        );
        check(
            &format!(
                "{twice}
                 answer double_registration 01/1 79/1 different
                 answer double_registration 01/1 79/1 wait"
            ),
            "link double_registration 01/1 79/1
             person 01/1#child 79/1#child
             person 01/1#mother 79/1#mother",
        );
    }

    #[test]
    fn one_parent_agrees_and_the_other_does_not_is_a_case() {
        check(
            &format!(
                "01/1 birth {HUNG}; event_place=Kim Liên, Nam Đàn, Nghệ An; father_name=Nguyễn Văn An
                 79/1 birth {HUNG}; event_place=Kim Liên, Nam Đàn, Nghệ An; father_name=Trần Quốc Toản"
            ),
            "case double_registration 01/1 79/1
             person 01/1#mother 79/1#mother",
        );
    }

    #[test]
    fn a_human_can_join_what_no_rule_would() {
        check(
            &format!(
                "01/1 birth {HUNG}; father_name=Nguyễn Văn An
                 79/1 birth {HUNG}; father_name=Trần Quốc Toản
                 answer double_registration 01/1 79/1 same"
            ),
            "link double_registration 01/1 79/1 answered same
             person 01/1#child 79/1#child",
        );
    }

    #[test]
    fn one_marriage_in_two_books_is_linked() {
        let couple = "husband_name=Trần Văn Nam; wife_name=Vũ Thị Hoà; event_date=05.05.2015";
        check(
            &format!("01/1 marriage number=3; {couple}\n79/8 marriage number=4; {}", couple.replace("Hoà", "Hòa")),
            "link double_registration 01/1 79/8
             person 01/1#husband 79/8#husband
             person 01/1#wife 79/8#wife",
        );
    }

    const COUPLE: &str = "husband_name=Bùi Văn Tám; husband_personal_number=001060123456; \
                          wife_name=Lê Thị Tư; wife_personal_number=001162000001";
    const MARRIED: &str = "person 01/1#husband 79/1#husband\nperson 01/1#wife 79/1#wife";

    fn marriages(first: &str, second: &str) -> String {
        format!("01/1 marriage number=1; {COUPLE}; {first}\n79/1 marriage number=2; {COUPLE}; {second}")
    }

    #[test]
    fn one_couple_under_two_dates_is_asked_about_until_somebody_says_the_same() {
        let twice = marriages("event_date=01.01.1990", "registration_date=02.03.2000");
        check(&twice, &format!("case double_registration 01/1 79/1\n{MARRIED}"));
        check(
            &format!("{twice}\nanswer double_registration 01/1 79/1 same"),
            &format!("link double_registration 01/1 79/1 answered same\n{MARRIED}"),
        );
    }

    #[test]
    fn a_couple_that_marries_again_after_a_divorce_is_not_registered_twice() {
        let again = |ended: &str| marriages(&format!("event_date=01.01.1990; {ended}"), "event_date=01.01.2000");
        check(&again("divorced_on=1995"), MARRIED);
        check(&again("divorced_on=2005"), &format!("case double_registration 01/1 79/1\n{MARRIED}"));
    }

    #[test]
    fn a_couple_under_other_names_is_known_by_its_numbers() {
        let other =
            |script: String| script.replacen("Bùi Văn Tám", "Trần Quốc Toản", 1).replacen("Lê Thị Tư", "Ngô Hoa", 1);
        let dated = "husband_birth_date=1960; wife_birth_date=1962; event_date";
        let twice = marriages(&format!("{dated}=01.01.1990"), &format!("{dated}=01.01.2000"));
        check(&other(twice), &format!("case double_registration 01/1 79/1\n{MARRIED}"));
    }

    #[test]
    fn a_withdrawn_entry_is_out_of_it() {
        check(&format!("01/1 birth {HUNG}\n79/1 birth {HUNG}\n79/1 cancel"), "");
    }
}
