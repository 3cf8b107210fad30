//! The rules: what each finds, why the law has it so, and what becomes of its findings.

use hub_rules::finding::Rule;
use hub_rules::policy::{Policy, Severity, Treatment, ruling, standard};
use hub_rules::verdict::Answer;
use serde::Serialize;

/// Every rule under a policy.
#[derive(Debug, Serialize)]
pub struct RulesReport {
    /// The name of what the registry is judged under.
    pub ruling: String,
    /// In the order in which they were made.
    pub rules: Vec<RuleReport>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub struct RuleReport {
    /// Its permanent name.
    pub rule: Rule,
    /// What it finds, in English.
    pub english: &'static str,
    /// What it finds, in Vietnamese.
    pub vietnamese: &'static str,
    /// The legal reason.
    pub basis: &'static str,
    /// How grave a finding is.
    pub severity: Severity,
    /// Who decides about it.
    pub treatment: Treatment,
    /// Whether severity and treatment are those of the default policy.
    pub by_default: bool,
    /// The answers that make sense.
    pub answers: &'static [Answer],
}

/// Lists every rule under a policy.
#[must_use]
pub fn rules(policy: &Policy) -> RulesReport {
    let report = |rule: &Rule| {
        let (standard, severity, treatment) = (standard(*rule), policy.severity(*rule), policy.treatment(*rule));
        RuleReport {
            rule: *rule,
            english: rule.english(),
            vietnamese: rule.vietnamese(),
            basis: standard.basis,
            severity,
            treatment,
            by_default: (severity, treatment) == (standard.severity, standard.treatment),
            answers: standard.answers,
        }
    };
    RulesReport { ruling: ruling(policy), rules: Rule::ALL.iter().map(report).collect() }
}
