//! A personal number that denies what its own entry says: another sex, or another year of birth.
//!
//! Reason: the number is made of place, century with sex, and year of birth (Decree 137/2015/NĐ-CP, art. 13), so a
//! contradiction is a slip in one of the two. Only the child, the deceased and the husband are judged: one person an
//! entry, so that an entry is told once. The numbers of wives and parents are judged on their own births and deaths.

use registry_schema::field::Role;
use registry_schema::personal_number::NumberContradiction;

use super::scene::Scene;
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::Part;
use crate::persons::Cluster;

/// Finds entries whose principal bears a number that speaks of somebody else.
pub(crate) fn find(scene: &Scene<'_>, cluster: &Cluster) -> Vec<Finding> {
    let principals = cluster.nodes().filter(|node| matches!(node.role, Role::Child | Role::Deceased | Role::Husband));
    principals.filter_map(|node| judge(*scene.parts.get(&node)?)).collect()
}

fn judge(part: Part<'_>) -> Option<Finding> {
    let number = part.person.personal_number?;
    let reason = match number.contradicts(part.person.sex, part.person.birth_date.as_ref())? {
        NumberContradiction::Sex => {
            Evidence::new("the personal number says the other sex", "số định danh cá nhân chỉ giới tính khác")
        }
        NumberContradiction::BirthYear => {
            Evidence::new("the personal number says another year of birth", "số định danh cá nhân chỉ năm sinh khác")
        }
    };
    Some(Finding::new(Rule::NumberContradiction, Certainty::Case, vec![part.entry.key], vec![reason]))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const NUMBER: &str = "001090123456";

    fn birth(sex: &str, date: &str) -> String {
        format!(
            "01/1 birth child_name=Hồ Văn Ba; child_sex={sex}; child_birth_date={date}; child_personal_number={NUMBER}"
        )
    }

    #[test]
    fn another_sex_or_another_year_is_a_case() {
        check(&birth("2", "02.03.1990"), "case number_contradiction 01/1");
        check(&birth("1", "02.03.1991"), "case number_contradiction 01/1");
        check(&birth("2", "1991"), "case number_contradiction 01/1");
    }

    #[test]
    fn a_number_that_agrees_or_is_not_denied_is_none() {
        check(&birth("1", "1990"), "");
        check(&birth("", ""), "");
    }

    #[test]
    fn a_correction_closes_the_case() {
        check(&format!("{}\n01/1 birth child_birth_date=1990", birth("1", "1991")), "");
    }

    #[test]
    fn a_death_and_a_marriage_are_told_of_by_the_deceased_and_the_husband() {
        check(
            "01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=1960; deceased_personal_number=001061123456
             79/1 marriage husband_name=Bùi Văn Tám; husband_personal_number=001162000001; wife_name=Lê Thị Tư",
            "case number_contradiction 01/1\ncase number_contradiction 79/1",
        );
    }
}
