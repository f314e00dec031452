use std::collections::BTreeMap;

use super::super::fake::{self, Fake, amy, gateway, id, text};
use super::*;
use crate::domain::{Status, TaskDetail, Untrusted, Value, Values};
use plan::plan;
use tonic::Status as Refusal;

const AT: i64 = 1_789_000_000_000;

fn task(happened: &Acted) -> &TaskDetail {
    happened.task.as_deref().unwrap()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::Str((*value).into()))).collect()
}

fn results(pairs: &[(&str, &str)]) -> BTreeMap<String, lh::VariableValue> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
}

fn claim(take_over: bool) -> Act {
    Act::Claim { group: None, take_over }
}

fn complete(pairs: &[(&str, &str)]) -> Act {
    Act::Complete { values: values(pairs), take_over: false }
}

#[tokio::test]
async fn a_claim_keeps_the_group_that_the_task_has_now() {
    let fake = Fake::default();
    fake.tasks().add("r", None, Some("finance"), AT);
    let gateway = gateway(&fake.serve());
    // The server was dropped with the temporary: nobody is there any more.
    assert!(matches!(gateway.act(&id("r"), &claim(false)).await, Err(Trouble::Unreachable(_))));

    let serving = fake.serve();
    let gateway = fake::gateway(&serving);
    let acted = gateway.act(&id("r"), &claim(false)).await.unwrap();
    assert_eq!(acted.happened, Happened::Done);
    assert_eq!(task(&acted).row.user, Some("amy".into()));
    assert_eq!(task(&acted).row.group, Some("finance".into()));
    // Once more is nothing to do.
    assert_eq!(gateway.act(&id("r"), &claim(false)).await.unwrap().happened, Happened::Done);
    assert_eq!(fake.called("assign"), 1);
}

#[tokio::test]
async fn somebody_faster_wins_and_is_named() {
    let fake = Fake::default();
    fake.tasks().add("r", None, Some("finance"), AT);
    // Between the first look and the claim.
    fake.tasks().before.insert("assign", Box::new(|tasks| tasks.assign("r", Some("bob"), Some("finance"))));
    let serving = fake.serve();
    let gateway = gateway(&serving);
    let acted = gateway.act(&id("r"), &claim(false)).await.unwrap();
    let since = task(&acted).owned_since();
    assert!(since.is_some());
    assert_eq!(acted.happened, Happened::Taken { by: "bob".into(), since });
    assert_eq!(task(&acted).row.user, Some("bob".into()));

    // Known before: nothing is sent.
    for act in [
        claim(false),
        Act::Release { group: "finance".into(), take_over: false },
        Act::Assign { user: Some("carl".to_owned()), group: None, take_over: false },
        Act::Save { values: values(&[("a", "1")]), ignore_claim: false },
        complete(&[("a", "1")]),
    ] {
        let acted = gateway.act(&id("r"), &act).await.unwrap();
        assert_eq!(acted.happened, Happened::Taken { by: "bob".into(), since }, "{act:?}");
    }
    assert_eq!(fake.called("assign") + fake.called("save") + fake.called("complete"), 1);

    // When told to.
    let acted = gateway.act(&id("r"), &claim(true)).await.unwrap();
    assert_eq!(acted.happened, Happened::Done);
    assert_eq!(task(&acted).row.user, Some("amy".into()));
}

#[tokio::test]
async fn ones_own_claim_is_given_back_or_away() {
    let fake = Fake::default();
    fake.tasks().add("r", Some("amy"), Some("finance"), AT);
    let serving = fake.serve();
    let gateway = gateway(&serving);
    let release = Act::Release { group: "finance".into(), take_over: false };
    let acted = gateway.act(&id("r"), &release).await.unwrap();
    assert_eq!(acted.happened, Happened::Done);
    assert_eq!((&task(&acted).row.user, &task(&acted).row.group), (&None, &Some("finance".into())));

    fake.tasks().assign("r", Some("amy"), None);
    let give = Act::Assign { user: Some("bob".to_owned()), group: Some("ops".to_owned()), take_over: false };
    let acted = gateway.act(&id("r"), &give).await.unwrap();
    assert_eq!(acted.happened, Happened::Done);
    assert_eq!(task(&acted).row.user, Some("bob".into()));

    // Released, and claimed by somebody at once: it was released all the same.
    fake.tasks().assign("r", Some("amy"), Some("finance"));
    fake.tasks().before.insert("comment", Box::new(|tasks| tasks.assign("r", Some("bob"), Some("finance"))));
    let acted = gateway.act(&id("r"), &release).await.unwrap();
    assert_eq!(acted.happened, Happened::Done);
}

#[tokio::test]
async fn a_save_does_not_overwrite_whoever_claimed_it_meanwhile() {
    let fake = Fake::default();
    fake.tasks().add("r", None, Some("finance"), AT);
    let serving = fake.serve();
    let gateway = gateway(&serving);
    let save = |ignore_claim| Act::Save { values: values(&[("a", "1")]), ignore_claim };
    let acted = gateway.act(&id("r"), &save(false)).await.unwrap();
    assert_eq!((acted.happened.clone(), &task(&acted).values), (Happened::Done, &values(&[("a", "1")])));

    fake.tasks().before.insert("save", Box::new(|tasks| tasks.assign("r", Some("bob"), None)));
    let acted = gateway.act(&id("r"), &save(false)).await.unwrap();
    assert!(matches!(&acted.happened, Happened::Taken { by, .. } if by.raw() == "bob"), "{acted:?}");
    assert_eq!(gateway.act(&id("r"), &save(true)).await.unwrap().happened, Happened::Done);

    fake.tasks().before.insert("save", Box::new(|tasks| tasks.complete("r", "bob", BTreeMap::new())));
    let acted = gateway.act(&id("r"), &save(true)).await.unwrap();
    assert!(
        matches!(&acted.happened, Happened::TooLate { status: Status::Done, by: Some(by), at: Some(_) } if by.raw() == "bob"),
        "{acted:?}"
    );
}

#[tokio::test]
async fn a_completion_that_is_dropped_with_ok_is_found_out() {
    let fake = Fake::default();
    let serving = fake.serve();
    let gateway = gateway(&serving);
    fake.tasks().add("r", Some("amy"), None, AT);
    let acted = gateway.act(&id("r"), &complete(&[("a", "1")])).await.unwrap();
    assert_eq!((acted.happened.clone(), task(&acted).row.status), (Happened::Done, Status::Done));
    assert_eq!(task(&acted).values, values(&[("a", "1")]));

    let late = |run: &str, before: fake::BeforeCall| {
        fake.tasks().add(run, Some("amy"), Some("finance"), AT);
        fake.tasks().before.insert("complete", before);
    };
    late("bobs", Box::new(|tasks| tasks.complete("bobs", "bob", results(&[("a", "bob's")]))));
    let acted = gateway.act(&id("bobs"), &complete(&[("a", "1")])).await.unwrap();
    let at = task(&acted).finished_at();
    assert_eq!(acted.happened, Happened::TooLate { status: Status::Done, by: Some("bob".into()), at });
    assert_eq!(task(&acted).values, values(&[("a", "bob's")]));

    late("gone", Box::new(|tasks| tasks.cancel("gone")));
    let acted = gateway.act(&id("gone"), &complete(&[("a", "1")])).await.unwrap();
    let at = task(&acted).finished_at();
    assert_eq!(acted.happened, Happened::TooLate { status: Status::Cancelled, by: None, at });

    // The same person in another terminal, with other values.
    late("mine", Box::new(|tasks| tasks.complete("mine", "amy", results(&[("a", "2")]))));
    let acted = gateway.act(&id("mine"), &complete(&[("a", "1")])).await.unwrap();
    assert!(matches!(&acted.happened, Happened::TooLate { by: Some(by), .. } if by.raw() == "amy"), "{acted:?}");

    // The very same values once more are done, not too late; and nothing is sent.
    let sent = fake.called("complete");
    assert_eq!(gateway.act(&id("r"), &complete(&[("a", "1")])).await.unwrap().happened, Happened::Done);
    assert!(matches!(
        gateway.act(&id("r"), &complete(&[("a", "other")])).await.unwrap().happened,
        Happened::TooLate { .. }
    ));
    assert_eq!(fake.called("complete"), sent);
}

#[tokio::test]
async fn a_value_that_was_taken_away_does_not_come_back_with_the_completion() {
    let fake = Fake::default();
    {
        let mut tasks = fake.tasks();
        tasks.add("r", Some("amy"), None, AT);
        tasks.run("r").results = results(&[("a", "old"), ("b", "old"), ("unknown", "kept")]);
        let field = |name: &str| lh::UserTaskField {
            name: name.to_owned(),
            r#type: lh::VariableType::Str.into(),
            ..lh::UserTaskField::default()
        };
        tasks.defs.push(lh::UserTaskDef {
            name: "approve".to_owned(),
            fields: vec![field("a"), field("b")],
            ..lh::UserTaskDef::default()
        });
    }
    let serving = fake.serve();
    let gateway = gateway(&serving);
    let mut given = values(&[("a", "new")]);
    given.insert("b".to_owned(), Value::Null);
    let act = Act::Complete { values: given, take_over: false };
    let acted = gateway.act(&id("r"), &act).await.unwrap();
    assert_eq!(acted.happened, Happened::Done);
    assert_eq!(task(&acted).values, values(&[("a", "new"), ("unknown", "kept")]));
    assert_eq!(fake.called("save"), 1);

    // If that save is refused, nothing is completed.
    fake.tasks().add("s", Some("amy"), None, AT);
    fake.tasks().run("s").results = results(&[("b", "old")]);
    fake.tasks().refused.insert("save", Refusal::internal("Internal error"));
    assert!(matches!(gateway.act(&id("s"), &act).await, Err(Trouble::Refused { code: "INTERNAL", .. })));
    assert_eq!(fake.called("complete"), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up_and_nothing_is_sent_twice() {
    let fake = Fake::default();
    let serving = fake.serve();
    let gateway = gateway(&serving);
    // Carried out, and the answer got lost.
    fake.tasks().unanswered.extend(["complete", "assign", "comment", "cancel", "save"]);
    let acts = [
        complete(&[("a", "1")]),
        claim(true),
        Act::Comment { text: "hello".to_owned() },
        Act::Cancel { reason: None },
        Act::Save { values: values(&[("a", "1")]), ignore_claim: true },
    ];
    for (number, act) in acts.into_iter().enumerate() {
        let run = format!("r{number}");
        fake.tasks().add(&run, Some("bob").filter(|_| number > 0), Some("finance"), AT);
        fake.tasks().calls.clear();
        let acted = gateway.act(&id(&run), &act).await.unwrap();
        assert_eq!(acted.happened, Happened::Done, "{act:?}");
        assert_eq!(fake.tasks().sent().len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn when_looking_does_not_tell_it_says_so() {
    let fake = Fake::default();
    let serving = fake.serve();
    let gateway = gateway(&serving);
    fake.tasks().add("r", Some("amy"), None, AT);
    // Neither carried out nor answered: it might still come.
    fake.tasks().lost.insert("complete");
    let acted = gateway.act(&id("r"), &complete(&[("a", "1")])).await.unwrap();
    assert!(matches!(&acted.happened, Happened::Unconfirmed { why } if why.contains("did not answer")), "{acted:?}");
    assert_eq!(task(&acted).row.status, Status::Assigned);
    assert_eq!(fake.called("complete"), 1);

    // A server that says itself that it does not know.
    fake.tasks().lost.clear();
    fake.tasks().refused.insert("complete", Refusal::deadline_exceeded("Could not process command in time"));
    let acted = gateway.act(&id("r"), &complete(&[("a", "1")])).await.unwrap();
    assert!(matches!(acted.happened, Happened::Unconfirmed { .. }), "{acted:?}");

    // Not even looking works.
    fake.tasks().before.insert("complete", Box::new(|tasks| tasks.lost.extend(["get", "complete"])));
    let trouble = gateway.act(&id("r"), &complete(&[("a", "1")])).await.unwrap_err();
    assert!(matches!(trouble, Trouble::OutcomeUnknown(_)), "{trouble:?}");
    assert_eq!(fake.called("complete"), 3);
}

#[tokio::test]
async fn a_clear_refusal_is_told_as_it_is() {
    let fake = Fake::default();
    let serving = fake.serve();
    let gateway = gateway(&serving);
    fake.tasks().add("r", Some("amy"), None, AT);
    fake.tasks().refused.insert("complete", Refusal::invalid_argument("[a] are mandatory fields"));
    assert_eq!(
        gateway.act(&id("r"), &complete(&[])).await,
        Err(Trouble::Refused { code: "INVALID_ARGUMENT", text: "[a] are mandatory fields".into() })
    );
    assert!(matches!(gateway.act(&id("nowhere"), &claim(false)).await, Err(Trouble::NotFound(_))));
}

#[tokio::test]
async fn a_reason_is_written_before_the_cancellation() {
    let fake = Fake::default();
    let serving = fake.serve();
    let gateway = gateway(&serving);
    fake.tasks().add("r", Some("bob"), None, AT);
    let cancel = Act::Cancel { reason: Some("bought already".to_owned()) };
    let acted = gateway.act(&id("r"), &cancel).await.unwrap();
    assert_eq!((acted.happened.clone(), task(&acted).row.status), (Happened::Done, Status::Cancelled));
    let told: Vec<String> = task(&acted).events.iter().map(|event| format!("{:?}", event.what)).collect();
    assert!(told[1].starts_with("Commented") && told[1].contains("bought already"), "{told:?}");
    assert!(told[2].starts_with("Cancelled"), "{told:?}");

    // A finished task is not cancelled, though this server would.
    fake.tasks().add("d", Some("amy"), None, AT);
    fake.tasks().complete("d", "amy", BTreeMap::new());
    let sent = (fake.called("cancel"), fake.called("comment"));
    let acted = gateway.act(&id("d"), &cancel).await.unwrap();
    assert!(matches!(acted.happened, Happened::TooLate { status: Status::Done, .. }));
    assert_eq!((fake.called("cancel"), fake.called("comment")), sent);

    // Without the reason written there is no cancellation.
    fake.tasks().add("s", None, Some("finance"), AT);
    fake.tasks().lost.insert("comment");
    assert!(gateway.act(&id("s"), &cancel).await.is_err());
    assert_eq!(fake.called("cancel"), sent.0);
}

#[test]
fn a_damaged_value_is_not_sent() {
    let opaque = Value::Opaque { kind: "BYTES".to_owned(), text: Untrusted::default(), bytes: vec![0xff] };
    let act = Act::Save { values: Values::from([("a\u{1b}".to_owned(), opaque)]), ignore_claim: false };
    let error = plan(&act, &lh::UserTaskRun::default(), None, &amy()).unwrap_err();
    assert_eq!(error.to_string(), "the value of a\u{fffd} is damaged");
}
