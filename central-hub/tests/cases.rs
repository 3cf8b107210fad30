//! Cases at an operator's desk: shown, tried, answered one by one and together, and taken back.

mod desk;

use std::process::{Command, Output};
use std::sync::Arc;

use central_hub::operator::cases::{self, AnswerError, BatchId, Choice, Mark, Mode, trial};
use central_hub::operator::rfc3339;
use desk::{CAME_MS, Desk, doubtful, linked, said, same_key_open, same_keys, selection, state, trying};
use hub_rules::digests::Section;
use hub_rules::finding::{Certainty, Finding, Rule};
use hub_rules::policy::standard;
use hub_rules::verdict::{Answer, Verdict};
use hub_store::model::{Append, FindingFilter, FindingState, JournalId, Queue};
use hub_store::{Cases as _, Journal as _, Registry as _};
use registry_schema::clock::Hlc;
use registry_schema::ids::{Origin, RecordKey, Version};
use registry_schema::kind::{Kind, Status};

#[tokio::test]
async fn a_case_is_shown_with_what_each_answer_would_do() {
    let desk = Desk::new(&doubtful()).await;
    let before = desk.digests().await;
    let report = desk.show().await;
    assert_eq!(report.opened_at, rfc3339(Some(CAME_MS)));
    let name = report.fields.iter().find(|field| field.field == "child_name").expect("the field that differs");
    assert_eq!((name.mark, name.diff.len()), (Mark::Differs, 2));
    let outcomes: Vec<&str> = report.told.iter().map(|told| told.outcome).collect();
    assert_eq!(outcomes, ["case", "case"]);
    let said: Vec<(&str, bool, u64, usize)> = report
        .options
        .iter()
        .map(|option| {
            let sums = option.effects.sums();
            (option.answer.name(), option.nothing, sums.people_joined, option.effects.findings.len())
        })
        .collect();
    let expected = [
        ("same", false, 1, 2),
        ("different", false, 0, 1),
        ("keep", false, 0, 1),
        ("withdraw", false, 0, 1),
        ("withdraw", false, 0, 1),
        ("wait", true, 0, 0),
    ];
    assert_eq!(said, expected);
    let people = &report.options[0].effects.people[0];
    assert_eq!((people.before.len(), people.after.len(), people.after[0].len()), (2, 1, 2));
    assert_eq!(desk.digests().await, before, "a trial changes nothing");
    assert_eq!(desk.store.next(Queue::Live, JournalId(0), 1).await.expect("reads").len(), 0);
}

#[tokio::test]
async fn what_a_trial_says_is_what_happens() {
    for answer in standard(Rule::DoubleRegistration).answers.iter().copied() {
        let desk = Desk::new(&doubtful()).await;
        let case = desk.case().await;
        let verdict = desk.answer(&case, answer, 1).await.expect("is answered");
        let tried = trial(&desk.store, &Arc::default(), vec![verdict]).await.expect("is tried");
        let told = desk.words(&case.id.to_string()).await;
        desk.judge().await;
        for people in tried.people.iter().flat_map(|change| &change.after) {
            let (_, nodes) = desk.store.person(Err(people[0])).await.expect("reads").expect("a person");
            assert_eq!(nodes, *people, "{answer:?}");
        }
        assert_eq!(answer == Answer::Same, !tried.people.is_empty(), "{answer:?}");
        let findings = desk.findings().await;
        for change in &tried.findings {
            let stands = findings.iter().find(|finding| finding.id == change.id).expect("stands");
            let state = change.after.as_ref().map(|after| after.state.as_str());
            let expected = if stands.id == case.id { format!("answered {}", answer.name()) } else { "link".to_owned() };
            assert_eq!((state, stands.is_open()), (Some(expected.as_str()), false), "{answer:?}");
        }
        let changed = desk.words(&case.id.to_string()).await != told;
        assert_eq!(changed, !tried.is_nothing(), "{answer:?}");
    }
}

#[tokio::test]
async fn undo_brings_the_persons_back_and_tells_both_provinces() {
    for (entries, answer, first, second) in [
        (linked(), Answer::Different, "linked", "resolved"),
        (doubtful(), Answer::Same, "case", "resolved"),
        (doubtful(), Answer::Keep, "case", "resolved"),
    ] {
        let desk = Desk::new(&entries).await;
        let case = desk.case().await;
        let subject = case.id.to_string();
        let before = desk.digests().await;
        let told = desk.words(&subject).await;
        assert!(told.len() == 2 && told.iter().all(|(outcome, _)| outcome == first), "{told:?}");
        desk.answer(&case, answer, 1).await.expect("is answered");
        desk.judge().await;
        let now = desk.words(&subject).await;
        assert!(now.iter().all(|(outcome, _)| outcome == second), "{now:?}");
        desk.undo(&case, 2).await.expect("is taken back");
        desk.judge().await;
        let after = desk.digests().await;
        assert_eq!(after.section(Section::Members), before.section(Section::Members), "{answer:?}");
        let taken_back = Finding { answer: None, chosen: None, ..desk.case().await };
        assert_eq!(taken_back, case, "all but the mark of the answer that was taken back");
        assert_eq!(after.section(Section::Verdicts).count(), 2);
        assert_eq!(desk.words(&subject).await, told);
    }
}

#[tokio::test]
async fn of_two_operators_who_answer_at_once_the_later_stands() {
    for (first, second, stands) in [(1, 2, "binh"), (2, 1, "binh"), (1, 1, "binh")] {
        let desk = Desk::new(&doubtful()).await;
        let case = desk.case().await;
        let one = cases::resolve(&desk.store, said(&case, Answer::Same, "lan"), CAME_MS + first).await;
        let other = cases::resolve(&desk.store, said(&case, Answer::Keep, "binh"), CAME_MS + second).await;
        let (one, other) = (one.expect("is kept"), other.expect("is kept"));
        assert!(other.clock > one.clock, "also when a wall clock is behind");
        desk.judge().await;
        let shown = desk.show().await;
        let last = shown.answers.last().expect("an answer");
        assert_eq!((last.operator.as_str(), shown.finding.answer), (stands, Some(Answer::Keep)));
        assert_eq!(shown.answers.len(), 2, "both are kept");
    }
}

#[tokio::test]
async fn verdicts_of_two_hosts_stand_by_their_clocks_whichever_is_journaled_first() {
    let desk = Desk::new(&doubtful()).await;
    let case = desk.case().await;
    let verdict = |answer, at| Verdict {
        case: case.id,
        records: case.records.clone(),
        answer,
        chosen: None,
        operator: "lan".to_owned(),
        clock: Hlc::from_unix_ms(at),
        reason: String::new(),
    };
    for verdict in [verdict(Answer::Keep, 9), verdict(Answer::Same, 5)] {
        desk.store.append(vec![Append::Verdict { verdict, received_ms: 0 }]).await.expect("appends");
    }
    desk.judge().await;
    assert_eq!(desk.case().await.answer, Some(Answer::Keep));
}

#[tokio::test]
async fn an_answer_to_a_case_that_is_gone_is_refused_or_kept_for_its_return() {
    let desk = Desk::new(&doubtful()).await;
    let case = desk.case().await;
    let cancel = |version, status| state(&doubtful()[1], Version(version), status);
    let nobody = Finding::new(Rule::SameKey, Certainty::Case, case.records.clone(), Vec::new());
    assert!(matches!(desk.answer(&nobody, Answer::Keep, 1).await, Err(AnswerError::NoCase(_))));
    assert!(matches!(desk.undo(&nobody, 1).await, Err(AnswerError::NoCase(_))));
    assert!(matches!(desk.undo(&case, 1).await, Err(AnswerError::NothingToUndo(_))));
    // Journaled while the case is there, judged when it is gone: kept, and there again with the case.
    desk.answer(&case, Answer::Different, 1).await.expect("is answered");
    desk.take(vec![cancel(2, Status::Cancelled)]).await;
    desk.judge().await;
    assert_eq!(desk.findings().await, []);
    assert!(matches!(desk.answer(&case, Answer::Same, 2).await, Err(AnswerError::Closed(_))));
    desk.take(vec![cancel(3, Status::Active)]).await;
    assert_eq!(desk.case().await.answer, Some(Answer::Different));
    desk.take(vec![cancel(4, Status::Cancelled)]).await;
    desk.undo(&case, 3).await.expect("an answer is taken back also when its case is gone");
    assert!(matches!(desk.undo(&case, 4).await, Err(AnswerError::NothingToUndo(_))), "although it waits to be judged");
    desk.judge().await;
    desk.take(vec![cancel(5, Status::Active)]).await;
    assert!(desk.case().await.is_open());
}

#[tokio::test]
async fn a_case_takes_no_answer_that_its_rule_does_not_know() {
    let desk = Desk::new(&doubtful()).await;
    let case = desk.case().await;
    let refused = desk.answer(&case, Answer::Replace, 1).await.expect_err("nothing replaces a double registration");
    assert!(refused.to_string().contains("answer same, different, keep, withdraw, wait"), "{refused}");
}

#[tokio::test]
async fn a_case_about_one_entry_takes_no_answer_about_two() {
    let desk = Desk::new(&[
        "01@2008/1 birth child_name=Hồ Văn Ba; child_sex=1; child_birth_date=02.03.1990; mother_name=Lê Thị Mai; \
         mother_birth_date=1985"
            .to_owned(),
    ])
    .await;
    let case = desk.case().await;
    assert_eq!(case.records.len(), 1);
    assert!(matches!(desk.answer(&case, Answer::Same, 1).await, Err(AnswerError::OneEntry { .. })));
    let mut resolution = said(&case, Answer::Keep, "lan");
    resolution.answer = Answer::Withdraw;
    let refused = cases::resolve(&desk.store, resolution, CAME_MS).await;
    assert!(matches!(refused, Err(AnswerError::NeedsRecord { .. })));
    let options: Vec<&str> = desk.show().await.options.iter().map(|option| option.answer.name()).collect();
    assert_eq!(options, ["keep", "withdraw", "wait"]);
}

#[tokio::test]
async fn filters_select() {
    let mut entries = same_keys(3);
    entries.extend(linked().map(|entry| entry.replace("/1 ", "/901 ")));
    entries.push(
        "79@2008/950 birth child_name=Hồ Ba; child_birth_date=1999; child_personal_number=001090123456".to_owned(),
    );
    entries.push("79@2008/951 death deceased_name=Trần An; deceased_personal_number=001090123456".to_owned());
    let desk = Desk::new(&entries).await;
    let case = desk.store.findings(same_key_open()).await.expect("reads").remove(0).finding;
    desk.answer(&case, Answer::Keep, 1).await.expect("is answered");
    desk.judge().await;
    let all = FindingFilter::default;
    let key = |text: &str| text.parse::<RecordKey>().expect("a record");
    let saigon: Origin = "79@2008".parse().expect("a province");
    for (what, filter, expected) in [
        ("a rule", FindingFilter { rules: vec![Rule::SameKey], ..all() }, 3),
        ("rules", FindingFilter { rules: vec![Rule::SameKey, Rule::DoubleRegistration], ..all() }, 4),
        ("open", FindingFilter { state: Some(FindingState::Open), rules: vec![Rule::SameKey], ..all() }, 2),
        ("answered", FindingFilter { state: Some(FindingState::Answered), ..all() }, 1),
        ("linked", FindingFilter { state: Some(FindingState::Linked), ..all() }, 1),
        ("a province", FindingFilter { origin: Some(saigon), rules: vec![Rule::DoubleRegistration], ..all() }, 1),
        ("a province without", FindingFilter { origin: Some(saigon), rules: vec![Rule::SameKey], ..all() }, 0),
        ("deaths", FindingFilter { kind: Some(Kind::Death), rules: vec![Rule::OneNumberTwoPeople], ..all() }, 1),
        ("marriages", FindingFilter { kind: Some(Kind::Marriage), ..all() }, 0),
        ("births", FindingFilter { kind: Some(Kind::Birth), rules: vec![Rule::SameKey], limit: 2, ..all() }, 2),
        ("records", FindingFilter { records: vec![key("01@2008/2"), key("01@2008/5")], ..all() }, 2),
        ("both of a pair", FindingFilter { records: vec![key("01@2008/2"), key("01@2008/3")], ..all() }, 1),
        ("since", FindingFilter { since_ms: Some(CAME_MS + 1), ..all() }, 1),
        ("evidence", FindingFilter { evidence: vec!["NAMES or".to_owned(), "quyển".to_owned()], ..all() }, 0),
        ("evidence", FindingFilter { evidence: vec!["NAMES or".to_owned(), "sổ".to_owned()], ..all() }, 3),
        ("behind", FindingFilter { after: Some(case.id), rules: vec![Rule::SameKey], ..all() }, 2),
    ] {
        assert_eq!(desk.store.findings(filter).await.expect("reads").len(), expected, "{what}");
    }
}

#[tokio::test]
async fn many_cases_are_tried_answered_and_taken_back_together() {
    // More than one part of the work.
    let desk = Desk::new(&same_keys(230)).await;
    let before = desk.digests().await;
    let how = |mode| (BatchId(0xb0), mode);
    let choose = selection(same_key_open(), Answer::Keep, None);
    let mut heard = Vec::new();
    let tried = cases::resolve_all(&desk.store, choose.clone(), how(trying()), CAME_MS + 1, |n| heard.push(n)).await;
    let tried = tried.expect("is tried");
    assert_eq!((tried.cases, heard.as_slice()), (230, [200, 230].as_slice()));
    let sums = tried.effects.expect("effects");
    assert_eq!(sums.findings.into_iter().collect::<Vec<_>>(), [("same_key: open -> answered keep".to_owned(), 230)]);
    assert_eq!(sums.notices.values().copied().collect::<Vec<_>>(), [460]);
    desk.judge().await;
    assert_eq!(desk.digests().await, before, "a trial changes nothing");

    let given = cases::resolve_all(&desk.store, choose, how(Mode::Journal), CAME_MS + 1, |_| {}).await;
    assert_eq!(given.expect("is given").cases, 230);
    desk.judge().await;
    assert_eq!(cases::count(&desk.store, &same_key_open(), 9).await.expect("counts"), 0);
    // One of them is answered again by itself: that answer is left alone.
    let again = desk.findings().await.remove(0);
    desk.answer(&again, Answer::Different, 2).await.expect("is answered");
    let undo = |mode| {
        let words = ("minh".to_owned(), "circular 12 was withdrawn".to_owned());
        cases::undo_all(&desk.store, BatchId(0xb0), words, mode, CAME_MS + 3, |_| {})
    };
    let tried = undo(trying()).await.expect("is tried");
    assert_eq!((tried.cases, tried.passed_over.values().sum::<u64>()), (229, 1));
    assert_eq!(undo(Mode::Journal).await.expect("is taken back").cases, 229);
    desk.judge().await;
    assert_eq!(cases::count(&desk.store, &same_key_open(), 999).await.expect("counts"), 229);
    assert_eq!(undo(Mode::Journal).await.expect("is done").cases, 0);
}

#[tokio::test]
async fn a_batch_is_taken_back_before_it_was_judged() {
    let desk = Desk::new(&same_keys(3)).await;
    let choose = selection(same_key_open(), Answer::Keep, None);
    cases::resolve_all(&desk.store, choose, (BatchId(7), Mode::Journal), CAME_MS, |_| {}).await.expect("is given");
    assert_eq!(cases::count_batch(&desk.store, BatchId(7), 99).await.expect("counts"), 3);
    let words = ("lan".to_owned(), "at once".to_owned());
    let undone = cases::undo_all(&desk.store, BatchId(7), words, Mode::Journal, CAME_MS, |_| {}).await;
    assert_eq!(undone.expect("is taken back").cases, 3);
    desk.judge().await;
    assert!(desk.findings().await.iter().all(Finding::is_open));
}

#[tokio::test]
async fn the_record_to_withdraw_is_chosen_by_age_or_province() {
    let desk = Desk::new(&doubtful()).await;
    let case = desk.case().await;
    let hanoi: Origin = "01@2008".parse().expect("a province");
    for (choice, chosen) in [
        (Choice::Older, case.records[0]),
        (Choice::Younger, case.records[1]),
        (Choice::Province(hanoi), case.records[0]),
    ] {
        let filter = FindingFilter { certainty: Some(Certainty::Case), ..FindingFilter::default() };
        let choose = selection(filter, Answer::Withdraw, Some(choice));
        let given = cases::resolve_all(&desk.store, choose, (BatchId(1), Mode::Journal), CAME_MS, |_| {}).await;
        assert_eq!(given.expect("is given").cases, 1);
        desk.judge().await;
        assert_eq!(desk.case().await.chosen, Some(chosen), "{choice:?}");
    }
    // Two entries of one day in one province: neither is the older, and none is the one of the province.
    let desk = Desk::new(&same_keys(1)).await;
    for choice in [Choice::Older, Choice::Younger, Choice::Province(hanoi)] {
        let choose = selection(same_key_open(), Answer::Withdraw, Some(choice));
        let given = cases::resolve_all(&desk.store, choose, (BatchId(1), Mode::Journal), CAME_MS, |_| {}).await;
        let given = given.expect("is given");
        assert_eq!((given.cases, given.passed_over.values().sum::<u64>()), (0, 1), "{choice:?}");
    }
}

#[tokio::test]
async fn the_program_shows_answers_and_takes_back() {
    let mut entries = same_keys(2);
    entries.extend(doubtful().map(|entry| entry.replace("/1 ", "/901 ")));
    let desk = Desk::new(&entries).await;
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).expect("text");
    let list = desk.json(&["list", "--rule", "one_number_two_people", "--state", "open", "--since", "2020-01-01"]);
    let id = list["findings"][0]["id"].as_str().expect("an id").to_owned();
    let shown = text(&desk.cli(&["show", &id]));
    for expected in [
        "≠ ",
        "[Trần] Văn [Toản]",
        "same: 2 people become 1",
        "this case: open -> answered same",
        "wait: nothing changes",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let dry =
        ["resolve", "--rule", "same_key", "--answer", "keep", "--operator", "lan", "--reason", "it's so", "--dry-run"];
    let tried = text(&desk.cli(&dry));
    assert!(tried.contains("2 cases would be answered keep") && tried.contains(r"'it'\''s so'"), "{tried}");
    let command = tried.lines().last().expect("a command").trim().to_owned();
    let done = Command::new("sh").args(["-c", &command]).output().expect("a shell");
    assert!(text(&done).contains("2 cases are answered keep"), "{command}: {done:?}");
    desk.judge().await;
    let batch = text(&done).split("batch ").nth(1).and_then(|rest| rest.get(..8)).expect("a batch").to_owned();
    let undone = desk.json(&["undo", "--batch", &batch, "--operator", "lan", "--reason", "no"]);
    assert_eq!(undone["cases"], 2, "{undone}");

    for (code, arguments) in [
        (64, vec!["resolve", "--answer", "keep"]),
        (64, vec!["resolve", "--rule", "same_key", "--answer", "withdraw"]),
        (64, vec!["resolve", &id, "withdraw"]),
        (64, vec!["resolve", &id]),
        (64, vec!["resolve", &id, "keep", "--rule", "same_key"]),
        (64, vec!["undo"]),
        (69, vec!["undo", &id]),
        (69, vec!["undo", "--batch", "00000000"]),
        (69, vec!["resolve", "00000000000000000000000000000000", "keep"]),
        (0, vec!["resolve", &id, "keep"]),
        (0, vec!["undo", &id]),
    ] {
        let words = ["--operator", "lan", "--reason", "seen"];
        let output = desk.cli(&[arguments.as_slice(), &words].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn an_answer_to_another_case_of_two_entries_leaves_alone_who_is_who() {
    let desk = Desk::new(&doubtful()).await;
    let case = desk.case().await;
    desk.answer(&case, Answer::Same, 1).await.expect("is answered");
    desk.judge().await;
    let joined = desk.digests().await.section(Section::Members);
    let findings = desk.findings().await;
    let link = findings.iter().find(|finding| finding.rule == Rule::DoubleRegistration).expect("a link");
    desk.answer(link, Answer::Keep, 2).await.expect("is answered");
    desk.judge().await;
    assert_eq!(desk.digests().await.section(Section::Members), joined, "keep says nothing about who is who");
    desk.undo(link, 3).await.expect("is taken back");
    desk.judge().await;
    assert_eq!(desk.digests().await.section(Section::Members), joined, "what is taken back is the other answer");
}
