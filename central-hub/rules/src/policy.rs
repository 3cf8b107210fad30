//! What becomes of a finding: how grave it is, and whether the hub links, asks, or says nothing.
//!
//! A treatment is part of what the national registry is a function of, like the rules themselves, so a registry is judged
//! under one policy from its first entry on and made anew when the treatments change. A severity only orders what people
//! see, and may change at any time.

use std::collections::BTreeMap;

use registry_schema::digest::hash_parts;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::finding::{Certainty, Rule};
use crate::matching::Edition;
use crate::verdict::Answer;

/// How grave a finding is, for whoever sorts the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Something is not plausible.
    Warning,
    /// An entry is wrong, or the law was broken.
    Error,
}

/// Who decides about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// The hub: what the rule is sure of is linked (a verdict can undo it), and what it doubts is a case.
    Automatic,
    /// People: what the rule would link is a case, and the people in it stay apart until the answer `same`.
    Ask,
    /// Nobody: the finding is not told. Who is who stays as it is under `automatic`.
    Ignore,
}

impl Severity {
    /// The name in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Treatment {
    /// The name in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Ask => "ask",
            Self::Ignore => "ignore",
        }
    }
}

/// What a rule is, and how it is treated unless somebody decides otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standard {
    /// How grave a finding is.
    pub severity: Severity,
    /// Who decides about it. Only a rule that can be sure can be [`Treatment::Automatic`], and every such rule is.
    pub treatment: Treatment,
    /// The legal reason in one line.
    pub basis: &'static str,
    /// The answers that make sense.
    pub answers: &'static [Answer],
}

/// About two entries that may be one.
const PAIR: &[Answer] = &[Answer::Same, Answer::Different, Answer::Keep, Answer::Withdraw, Answer::Wait];
/// About two entries of which one may replace the other.
const SUCCESSION: &[Answer] =
    &[Answer::Same, Answer::Different, Answer::Keep, Answer::Withdraw, Answer::Replace, Answer::Wait];
/// About two acts of one person that cannot both be right.
const LIFE: &[Answer] = &[Answer::Different, Answer::Keep, Answer::Withdraw, Answer::Wait];
/// About entries that speak against each other or themselves, whoever is in them.
const CONTENT: &[Answer] = &[Answer::Keep, Answer::Withdraw, Answer::Wait];

/// The default policy, rule by rule.
#[must_use]
pub const fn standard(rule: Rule) -> Standard {
    use Severity::{Error, Info, Warning};
    use Treatment::{Ask, Automatic};
    let (severity, treatment, answers, basis) = match rule {
        Rule::DigitisedTwice => (Info, Automatic, PAIR, "Circular 04/2020/TT-BTP: a number names one entry of a book"),
        Rule::SameKey => (Error, Ask, PAIR, "Circular 04/2020/TT-BTP: a number names one entry of a book"),
        Rule::DoubleRegistration => {
            (Error, Automatic, PAIR, "Law on Civil Status 60/2014/QH13, art. 5: an event is registered once")
        }
        Rule::ReRegistration => (Info, Automatic, SUCCESSION, "Decree 123/2015/NĐ-CP, art. 24: đăng ký lại"),
        Rule::ForeignNote => (Info, Automatic, PAIR, "Law on Civil Status 60/2014/QH13, art. 3: ghi chú"),
        Rule::ExtractAsEntry => (Info, Automatic, PAIR, "Law on Civil Status 60/2014/QH13, art. 4: trích lục"),
        Rule::DeathBeforeBirth => {
            (Error, Ask, CONTENT, "record layouts of the Ministry: the dates of one life follow each other")
        }
        Rule::SecondDeath => (Error, Ask, LIFE, "Civil Code 91/2015/QH13, art. 73: only a revocation reopens a death"),
        Rule::MarriageAfterDeath => {
            (Error, Ask, CONTENT, "Law on Civil Status 60/2014/QH13, art. 18: both spouses are present")
        }
        Rule::MarriageOverlap => {
            (Error, Ask, LIFE, "Law on Marriage and Family 52/2014/QH13, art. 5: one spouse at a time")
        }
        Rule::OneNumberTwoPeople | Rule::TwoNumbersOnePerson => {
            (Error, Ask, PAIR, "Law on Citizen Identification 59/2014/QH13, art. 12: one number for one citizen")
        }
        Rule::NumberContradiction => (
            Warning,
            Ask,
            CONTENT,
            "Decree 137/2015/NĐ-CP, art. 13: the number is made of place, sex and year of birth",
        ),
        Rule::HusbandUnderAge | Rule::WifeUnderAge => (
            Error,
            Ask,
            CONTENT,
            "Law on Marriage and Family 52/2014/QH13, art. 8, and the laws before it by their dates",
        ),
        Rule::ParentAge => {
            (Warning, Ask, CONTENT, "plausibility (LINKS): a parent is 12 years older, a mother at most 60")
        }
        Rule::AgeAtDeath => (Warning, Ask, CONTENT, "plausibility (LINKS): nobody lives longer than 110 years"),
        Rule::ParentAfterDeath => {
            (Error, Ask, CONTENT, "Law on Marriage and Family 52/2014/QH13, art. 88: a child of 300 days at most")
        }
        Rule::AuthorityOutOfOffice => {
            (Warning, Ask, CONTENT, "Resolution 202/2025/QH15: offices and their codes changed on 1 July 2025")
        }
    };
    Standard { severity, treatment, basis, answers }
}

/// What is decided about one rule; what is left out stays as it is by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How grave a finding is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Who decides about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treatment: Option<Treatment>,
}

/// A severity and a treatment for every rule; a rule that can only ask is never [`Treatment::Automatic`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: BTreeMap<Rule, (Severity, Treatment)>,
    asks_before_linking: bool,
}

/// Why settings are no policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// No rule has this name.
    #[error("there is no rule `{name}`; the rules are {}", names())]
    UnknownRule {
        /// The name that was given.
        name: String,
    },
    /// The rule is never sure, so it cannot be left to itself.
    #[error("rule `{}` can only ask: write treatment = \"ask\" or \"ignore\"", .rule.name())]
    CannotBeAutomatic {
        /// The rule.
        rule: Rule,
    },
}

fn names() -> String {
    Rule::ALL.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ")
}

impl Default for Policy {
    fn default() -> Self {
        let standard = |rule: &Rule| (*rule, (standard(*rule).severity, standard(*rule).treatment));
        Self { rules: Rule::ALL.iter().map(standard).collect(), asks_before_linking: false }
    }
}

impl Policy {
    /// The default policy with some settings over it, by the names of rules.
    ///
    /// # Errors
    /// A name is no rule's, or a rule that can only ask would be automatic.
    pub fn parse(settings: &BTreeMap<String, Setting>) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (name, setting) in settings {
            let rule = Rule::parse(name).ok_or_else(|| PolicyError::UnknownRule { name: name.clone() })?;
            if setting.treatment == Some(Treatment::Automatic) && !can_link(rule) {
                return Err(PolicyError::CannotBeAutomatic { rule });
            }
            let (severity, treatment) = (policy.severity(rule), policy.treatment(rule));
            let decided = (setting.severity.unwrap_or(severity), setting.treatment.unwrap_or(treatment));
            policy.rules.insert(rule, decided);
        }
        let asks = |(rule, (_, treatment)): (&Rule, &(_, Treatment))| can_link(*rule) && *treatment == Treatment::Ask;
        policy.asks_before_linking = policy.rules.iter().any(asks);
        Ok(policy)
    }

    /// How grave a finding of this rule is.
    #[must_use]
    pub fn severity(&self, rule: Rule) -> Severity {
        self.rules[&rule].0
    }

    /// Who decides about a finding of this rule.
    #[must_use]
    pub fn treatment(&self, rule: Rule) -> Treatment {
        self.rules[&rule].1
    }

    /// Whether some rule that could link asks instead.
    #[must_use]
    pub const fn asks_before_linking(&self) -> bool {
        self.asks_before_linking
    }

    /// How sure a link of this rule is: a case under [`Treatment::Ask`], unless a human said that both are the same.
    pub(crate) fn certainty_of_link(&self, rule: Rule, said: Option<Answer>) -> Certainty {
        let asks = self.treatment(rule) == Treatment::Ask && said != Some(Answer::Same);
        if asks { Certainty::Case } else { Certainty::Link }
    }

    /// A name for the treatments: equal names mean equal treatments. Severities decide nothing and are not in it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let lines = self.rules.iter().map(|(rule, (_, treatment))| format!("{} {}\n", rule.name(), treatment.name()));
        let hash = hash_parts("hotich policy 1", &[lines.collect::<String>().as_bytes()]);
        hash.0.iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Bytes of a fingerprint: it tells a handful of policies apart, and is read by people.
const FINGERPRINT_BYTES: usize = 4;

/// Whether the rule can be sure of something.
fn can_link(rule: Rule) -> bool {
    standard(rule).treatment == Treatment::Automatic
}

/// What a registry is judged under, as stores remember it: a registry that was judged under another ruling is made anew.
#[must_use]
pub fn ruling(policy: &Policy) -> String {
    format!("edition:{} policy:{}", Edition::national().name(), policy.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::check_under;

    fn policy(settings: &[(&str, Option<Severity>, Option<Treatment>)]) -> Result<Policy, PolicyError> {
        let setting = |(name, severity, treatment): &(&str, _, _)| {
            ((*name).to_owned(), Setting { severity: *severity, treatment: *treatment })
        };
        Policy::parse(&settings.iter().map(setting).collect())
    }

    fn treated(rule: &str, treatment: Treatment) -> Policy {
        policy(&[(rule, None, Some(treatment))]).unwrap()
    }

    #[test]
    fn no_settings_are_the_default() {
        assert_eq!(policy(&[]), Ok(Policy::default()));
        for rule in Rule::ALL {
            assert_eq!(Policy::default().treatment(*rule), standard(*rule).treatment, "{}", rule.name());
            assert!(standard(*rule).answers.contains(&Answer::Wait), "every answer can be taken back");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let unknown = policy(&[("second_dead", None, None)]).unwrap_err();
        assert!(unknown.to_string().contains("no rule `second_dead`; the rules are digitised_twice, "), "{unknown}");
        let automatic = policy(&[("second_death", None, Some(Treatment::Automatic))]).unwrap_err();
        assert!(automatic.to_string().contains("`second_death` can only ask"), "{automatic}");
    }

    #[test]
    fn the_fingerprint_follows_treatments_and_not_severities() {
        let default = Policy::default().fingerprint();
        assert_eq!(policy(&[("parent_age", Some(Severity::Error), None)]).unwrap().fingerprint(), default);
        assert_eq!(treated("parent_age", Treatment::Ask).fingerprint(), default);
        assert_ne!(treated("parent_age", Treatment::Ignore).fingerprint(), default);
    }

    const TWICE: &str = "01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=02.03.1930; event_date=04.05.1999; \
                              deceased_origin=Kim Liên, Nam Đàn, Nghệ An
                         79/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=02.03.1930; event_date=04.05.1999; \
                              deceased_origin=Kim Liên, Nam Đàn, Nghệ An";
    const TOGETHER: &str = "person 01/1#deceased 79/1#deceased";

    #[test]
    fn what_is_asked_about_stays_apart_until_someone_says_the_same() {
        let ask = treated("double_registration", Treatment::Ask);
        check_under(&ask, TWICE, "case double_registration 01/1 79/1");
        check_under(
            &ask,
            &format!("{TWICE}\nanswer double_registration 01/1 79/1 different"),
            "case double_registration 01/1 79/1 answered different",
        );
        check_under(
            &ask,
            &format!("{TWICE}\nanswer double_registration 01/1 79/1 same"),
            &format!("link double_registration 01/1 79/1 answered same\n{TOGETHER}"),
        );
    }

    #[test]
    fn one_entry_of_a_book_can_be_asked_about_too() {
        let entry = "death number=7; registration_date=05.03.1999; deceased_name=Trần Thị Lan";
        let twice = format!("01/1 {entry}\n01/2 {entry}");
        let ask = treated("digitised_twice", Treatment::Ask);
        check_under(&ask, &twice, "case digitised_twice 01/1 01/2");
        check_under(
            &ask,
            &format!("{twice}\nanswer digitised_twice 01/1 01/2 same"),
            "link digitised_twice 01/1 01/2 answered same\nperson 01/1#deceased 01/2#deceased",
        );
    }

    #[test]
    fn another_rule_is_not_asked_for_it() {
        check_under(
            &treated("re_registration", Treatment::Ask),
            TWICE,
            &format!("link double_registration 01/1 79/1\n{TOGETHER}"),
        );
    }

    #[test]
    fn what_is_ignored_is_not_told_and_joins_as_ever() {
        check_under(&treated("double_registration", Treatment::Ignore), TWICE, TOGETHER);
        let long = "01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=1880; event_date=2011";
        check_under(&treated("age_at_death", Treatment::Ignore), long, "");
    }
}
