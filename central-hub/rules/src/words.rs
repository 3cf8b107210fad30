//! What a notice says to the clerk, in English and Vietnamese, without a word of what the entries hold.

use crate::finding::Rule;
use crate::plan::{FoundWord, Word};
use crate::verdict::Answer;

/// A notice in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// "entry", or the id of a finding: a later notice about the same subject replaces this one.
    pub subject: String,
    /// accepted, rejected, linked, case, resolved or closed.
    pub outcome: &'static str,
    /// In English.
    pub english: String,
    /// In Vietnamese.
    pub vietnamese: String,
}

/// Puts a notice into words.
#[must_use]
pub fn words(word: &Word) -> Words {
    match word {
        Word::Accepted => Words {
            subject: "entry".to_owned(),
            outcome: "accepted",
            english: "The corrected entry is accepted.".to_owned(),
            vietnamese: "Bản ghi đã sửa được chấp nhận.".to_owned(),
        },
        Word::Rejected(violations) => {
            let english: Vec<&str> = violations.iter().map(|violation| violation.english.as_str()).collect();
            let vietnamese: Vec<&str> = violations.iter().map(|violation| violation.vietnamese.as_str()).collect();
            Words {
                subject: "entry".to_owned(),
                outcome: "rejected",
                english: format!("Not accepted; correct it and save again. {}.", english.join("; ")),
                vietnamese: format!("Không được chấp nhận; hãy sửa và lưu lại. {}.", vietnamese.join("; ")),
            }
        }
        Word::Found(found) => found_words(found),
        Word::Closed { id, rule, .. } => Words {
            subject: id.to_string(),
            outcome: "closed",
            english: format!("Holds no more: {}.", rule.english()),
            vietnamese: format!("Không còn nữa: {}.", rule.vietnamese()),
        },
    }
}

fn found_words(found: &FoundWord) -> Words {
    let (outcome, english, vietnamese) = match (found.answer, found.open, found.link) {
        (Some(Answer::Withdraw), ..) if found.chosen => (
            "resolved",
            "An operator decided: this entry is void; cancel it.",
            "Cán bộ đã quyết định: bản ghi này không có giá trị; hãy hủy bỏ.",
        ),
        (Some(answer), false, false) if answer.closes() => (
            "resolved",
            "An operator decided; nothing remains to do here.",
            "Cán bộ đã quyết định; không cần làm gì thêm.",
        ),
        (_, false, true) if found.rule == Rule::ExtractAsEntry && found.chosen => (
            "linked",
            "This is an extract; it is attached to its entry and is no event of its own.",
            "Đây là trích lục; đã gắn với bản ghi gốc và không phải là một sự kiện riêng.",
        ),
        (_, true, _) => ("case", "A case waits for an operator.", "Có trường hợp chờ cán bộ giải quyết."),
        (_, _, _) => ("linked", "Linked; the event counts once.", "Đã liên kết; sự kiện chỉ tính một lần."),
    };
    Words {
        subject: found.id.to_string(),
        outcome,
        english: format!("{}. {english}", found.rule.english()),
        vietnamese: format!("{}. {vietnamese}", found.rule.vietnamese()),
    }
}
