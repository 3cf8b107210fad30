//! Re-registration (đăng ký lại): a lawful second entry when book and original are lost.
//!
//! Reason: Decree 123/2015/NĐ-CP, art. 24. The younger entry replaces the older one; both are kept and linked, and
//! nothing is held against either.

use super::double_registration::{events_twice, re_registered};
use super::scene::Scene;
use crate::finding::{Finding, Rule};
use crate::persons::Cluster;

/// Finds entries that lawfully replace an older one.
pub(crate) fn find(scene: &Scene<'_>, cluster: &Cluster) -> Vec<Finding> {
    events_twice(scene, cluster, Rule::ReRegistration, re_registered)
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
             person 01/1#child 01/2#child",
        );
    }
}
