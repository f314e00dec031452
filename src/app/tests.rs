//! Tables and properties of the state machine.

use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{World, ago, detail, host, task, tasks};
use super::{Effect, Focus, Msg, Service, Signal, Size, Tone};
use crate::domain::*;
use crate::input::{Chord, Key};

fn notice(world: &World) -> String {
    world.model.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

fn acts(world: &World) -> Vec<Act> {
    let act = |effect: &Effect| match effect {
        Effect::Act { act, .. } => Some(act.clone()),
        _ => None,
    };
    world.log.iter().filter_map(act).collect()
}

fn form_text(world: &World, index: usize) -> String {
    world.model.task_form().map(|form| form.fields[index].edit.text().to_owned()).unwrap_or_default()
}

#[test]
fn each_action_is_one_key_and_says_what_came_of_it() {
    let cases: &[(&str, &str, Option<Act>)] = &[
        (
            "G c",
            "verify-customer \"Birch & Sons\" is yours.",
            Some(Act::Claim { group: Some("finance".into()), take_over: false }),
        ),
        (
            "r",
            "Released: approve-expense \"Laptop for Amy, 1,240 EUR, cost centre …\" waits for the group finance.",
            Some(Act::Release { group: "finance".into(), take_over: false }),
        ),
        ("j r", "release: there is no group to release it to. Assign it to somebody instead (a).", None),
        ("c", "claim: it is yours already.", None),
        (
            "j a b o b Enter",
            "approve-expense \"Train to Bern, 86 CHF\" went to bob.",
            Some(Act::Assign { user: Some("bob".to_owned()), group: None, take_over: true }),
        ),
        (
            "m h i Enter",
            "Your comment on approve-expense \"Laptop for Amy, 1,240 EUR, cost centre …\" is written.",
            Some(Act::Comment { text: "hi".to_owned() }),
        ),
        (
            "j X d u p Enter",
            "Cancelled approve-expense \"Train to Bern, 86 CHF\". Run 4f2a0000… failed at approve-expense with \
             USER_TASK_CANCELLED: User task cancelled.",
            Some(Act::Cancel { reason: Some("dup".to_owned()) }),
        ),
        (
            "3 G k c t",
            "enter-invoice \"Scan 00417\" is yours.",
            Some(Act::Claim { group: Some("finance".into()), take_over: true }),
        ),
        ("3 G k c Esc", "", None),
        ("3 G k c y", "", None),
        ("Ctrl-S", "Nothing to save: the server has these answers.", None),
    ];
    for width in [80, 120] {
        for (keys, said, act) in cases {
            let mut world = World::new(width, 40, tasks());
            world.keys(keys);
            if width < 100 && *keys == "Ctrl-S" {
                continue;
            }
            assert_eq!((notice(&world).as_str(), acts(&world).pop()), (*said, act.clone()), "{keys} at {width}");
        }
    }
}

#[test]
fn a_completion_goes_through_the_review_and_says_what_happened() {
    let mut world = World::new(120, 40, tasks());
    world.keys("Enter Ctrl-R");
    assert_eq!(notice(&world), "approved is still needed.");
    world.keys("y Tab Tab 1 2 x Ctrl-R");
    assert_eq!(notice(&world), "days: not a whole number: \"12x\".");
    assert_eq!(world.model.focus, Focus::Form);
    world.keys("Backspace Ctrl-R y");
    assert_eq!(notice(&world), "Done. The run went on to pay-invoice.");
    let values = [
        ("amount".to_owned(), Value::Double(1240.5)),
        ("approved".to_owned(), Value::Bool(true)),
        ("days".to_owned(), Value::Int(12)),
    ];
    assert_eq!(acts(&world), [Act::Complete { values: values.into(), take_over: false }]);
    assert!(world.drafts.is_empty(), "a draft of a finished task is no use");
    world.keys("y");
    let receipt = world.log.iter().rev().find_map(|effect| match effect {
        Effect::Copy { text } => Some(text.clone()),
        _ => None,
    });
    assert!(receipt.unwrap_or_default().contains("days: 12"));
}

#[test]
fn enter_after_a_completion_opens_the_next_task() {
    for width in [80, 120] {
        let mut world = World::new(width, 40, tasks());
        world.keys("Enter y Ctrl-R y Enter");
        let open = world.model.open.as_ref().map(|open| open.row.notes.clone());
        assert_eq!(open, Some(Some("Train to Bern, 86 CHF".into())));
        assert_eq!(world.model.focus, Focus::Task);
    }
}

#[test]
fn what_went_wrong_is_told_and_nothing_typed_is_lost() {
    let cases = [
        (
            Ok(Acted {
                happened: Happened::TooLate { status: Status::Done, by: Some("bob".into()), at: Some(ago(1)) },
                task: None,
            }),
            "was not completed: bob completed it 1 min before you. Your answers are kept (D shows both).",
        ),
        (
            Ok(Acted { happened: Happened::Taken { by: "bob".into(), since: Some(ago(3)) }, task: None }),
            "Not completed: bob claimed approve-expense",
        ),
        (Err(Trouble::OutcomeUnknown(Duration::from_secs(10))), "The server did not answer in 10 s"),
        (
            Err(Trouble::Unreachable("connection refused".to_owned())),
            "Not completed: no connection: connection refused.",
        ),
        (
            Err(Trouble::Refused { code: "INVALID_ARGUMENT", text: "[a] are\nmandatory \u{1b}[2J".into() }),
            "Not completed: [a] are mandatory \u{fffd}[2J.",
        ),
    ];
    for (answer, said) in cases {
        let mut world = World::new(120, 40, tasks());
        world.keys("Enter y Tab Tab Tab");
        world.type_text("kept");
        world.answer = Some(answer);
        world.keys("Ctrl-R y");
        assert!(notice(&world).contains(said), "{}", notice(&world));
        world.wait(1000);
        assert_eq!(form_text(&world, 3), "kept");
        let draft = world.drafts.values().next().map(|draft| draft.texts.len());
        assert_eq!(draft, Some(2), "{said}");
    }
}

#[test]
fn an_answer_never_aborts_and_navigation_never_aborts_it() {
    let mut world = World::new(120, 40, tasks());
    world.keys("Enter y Ctrl-R");
    let before = world.log.len();
    // The world carries it out at once; what counts is that going elsewhere sends nothing that would stop it.
    world.keys("y j j 3 Esc");
    let sent = world.log.iter().skip(before).filter(|effect| matches!(effect, Effect::Act { .. })).count();
    assert_eq!(sent, 1);
}

#[test]
fn drafts_are_written_while_typing_and_at_once_on_leaving() {
    let mut world = World::new(120, 40, tasks());
    world.keys("Enter Tab Tab Tab");
    world.type_text("one");
    assert!(world.drafts.is_empty());
    assert!(world.model.next_deadline().is_some());
    for _ in 0..5 {
        world.wait(90);
        world.type_text("x");
    }
    world.wait(90);
    assert_eq!(world.drafts.len(), 1, "steady typing does not put it off");
    for leave in
        [Msg::Key(Chord::plain(Key::Esc)), Msg::Focus(false), Msg::Signal(Signal::Suspend), Msg::Signal(Signal::Hangup)]
    {
        let mut world = World::new(120, 40, tasks());
        world.keys("Enter Tab Tab Tab");
        world.type_text("one");
        world.send(leave.clone());
        assert_eq!(world.drafts.len(), 1, "{leave:?}");
    }
}

#[test]
fn a_draft_is_there_when_the_task_is_opened_again() {
    let mut first = World::new(120, 40, tasks());
    first.keys("Enter Tab Tab");
    first.type_text("12,5");
    first.send(Msg::Signal(Signal::Hangup));
    assert!(matches!(first.log.last(), Some(Effect::Quit { .. })));

    let mut second = World::new(80, 24, vec![]);
    second.drafts = first.drafts.clone();
    second.rows = tasks();
    second.keys("R Enter");
    assert_eq!(form_text(&second, 2), "12,5");
    second.keys("Tab Tab Backspace Backspace Backspace Backspace");
    assert!(second.drafts.is_empty(), "taken back to what the server has");
}

#[test]
fn typed_answers_and_saved_ones_are_settled_by_the_person() {
    for (key, kept) in [("k", "mine"), ("b", "bob's")] {
        let mut world = World::new(120, 40, tasks());
        world.keys("Enter Tab Tab Tab");
        world.type_text("mine");
        world.wait(600);
        let mut theirs = detail(&tasks()[0]);
        theirs.values.insert("comment".to_owned(), Value::Str("bob's".into()));
        theirs
            .events
            .push(Event { at: ago(1), what: EventKind::Saved { by: "bob".into(), values: theirs.values.clone() } });
        world.answers = false;
        world.send(Msg::Changed { tasks: vec![], missed: false });
        world.wait(100);
        let generation = world.model.open.as_ref().and_then(|open| open.reading).unwrap();
        world.send(Msg::Task { generation, result: Ok(Box::new(theirs)) });
        world.type_text("xyz");
        assert_eq!(form_text(&world, 3), "mine", "nothing is typed into an open question");
        world.keys(&format!("m {key}"));
        assert_eq!(form_text(&world, 3), kept);
        if key == "b" {
            assert!(world.drafts.is_empty());
            world.keys("Ctrl-_");
            assert_eq!(form_text(&world, 3), "mine", "taking theirs can be taken back");
        }
    }
}

#[test]
fn what_was_typed_stays_when_a_restore_takes_its_task_away_or_back() {
    let gone = Trouble::NotFound("Couldn't find the task".into());
    let mut older = detail(&tasks()[0]);
    older.events.pop();
    older.values.clear();
    for (read, said) in [
        (Err(gone.clone()), "This task could not be read: it is not there any more"),
        (Ok(Box::new(older)), "is as it was earlier: a backup was restored. What you typed is kept."),
    ] {
        let is_gone = read.is_err();
        let mut world = World::new(120, 40, tasks());
        world.keys("Enter y Tab Tab Tab");
        world.type_text("kept");
        world.answers = false;
        world.send(Msg::Changed { tasks: vec![], missed: true });
        world.wait(1000);
        let generation = world.model.open.as_ref().and_then(|open| open.reading).expect("it is read again");
        world.send(Msg::Task { generation, result: read });
        let sheet = super::pages::task_sheet(&world.model, 110, true);
        let shown = sheet.lines.iter().flat_map(|line| &line.spans).map(|(_, text)| text.as_str()).collect::<String>();
        assert!(format!("{} {shown}", notice(&world)).contains(said), "{} {shown}", notice(&world));
        assert_eq!(form_text(&world, 3), "kept");
        assert_eq!(world.drafts.values().next().map(|draft| draft.texts.len()), Some(2));
        if is_gone {
            world.answer = Some(Err(gone.clone()));
            world.keys("Ctrl-R y");
            let answered = "Not completed: it is not there any more: Couldn't find the task. Your answers are kept.";
            assert!(notice(&world).contains(answered), "{}", notice(&world));
            assert_eq!((form_text(&world, 3).as_str(), world.drafts.len()), ("kept", 1));
        }
    }
}

#[test]
fn words_of_a_prompt_that_was_left_come_back() {
    let mut world = World::new(80, 24, tasks());
    world.keys("m h a l f Esc j m Esc k m");
    let text = match &world.model.overlay {
        Some(super::overlay::Overlay::Prompt(prompt)) => prompt.edit.text().to_owned(),
        _ => String::new(),
    };
    assert_eq!(text, "half");
}

#[test]
fn quitting_says_what_waits() {
    let mut world = World::new(80, 24, tasks());
    world.keys("q");
    assert!(matches!(world.log.last(), Some(Effect::Quit { .. })));

    let mut world = World::new(80, 24, tasks());
    world.host = HostInfo { pending_timers: Some(2), ..host() };
    world.keys("q");
    let sheet = super::pages::bottom_sheet(&world.model, 80).unwrap();
    assert_eq!(sheet.lines[0].spans[0].1, "2 timers are pending; they wait until ostler runs again.");
    world.keys("Esc");
    assert!(world.model.quitting.is_none());
    world.keys("q q");
    assert!(matches!(world.log.last(), Some(Effect::Quit { .. })));
}

#[test]
fn quitting_offers_the_service_that_goes_on_with_the_timers() {
    let leaving = |service: Service| {
        let mut world = World::new(80, 24, tasks());
        world.host = HostInfo { pending_timers: Some(2), ..host() };
        world.model.service = service;
        world.keys("q");
        world
    };
    let text = |world: &World| {
        let sheet = super::pages::bottom_sheet(&world.model, 200).unwrap();
        sheet.lines.iter().flat_map(|line| &line.spans).map(|span| span.1.clone()).collect::<String>()
    };
    // It is there already: there is nothing to ask.
    assert!(matches!(leaving(Service::Installed).log.last(), Some(Effect::Quit { .. })));
    let mut world = leaving(Service::Impossible);
    assert!(!text(&world).contains("service install"));
    world.keys("i");
    assert!(!world.log.contains(&Effect::InstallService));

    let mut world = leaving(Service::Possible);
    assert!(text(&world).contains("`ostler service install` (i)"), "{}", text(&world));
    world.keys("i");
    assert_eq!(world.log.last(), Some(&Effect::InstallService));
    let failed = Trouble::Local("There is no systemctl.".to_owned());
    world.send(Msg::ServiceInstalled { result: Err(failed) });
    assert!(text(&world).starts_with("There is no systemctl."), "{}", text(&world));
    world.keys("i");
    world.send(Msg::ServiceInstalled { result: Ok(vec!["Installed it.".to_owned()]) });
    match world.log.last() {
        Some(Effect::Quit { exit }) => assert_eq!(exit.notes, ["Installed it."]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_does_not_come_is_told_at_the_end() {
    let mut world = World::new(80, 24, tasks());
    world.keys("G");
    let row = world.rows.remove(3);
    world.keys("c q");
    assert!(!matches!(world.log.last(), Some(Effect::Quit { .. })));
    world.wait(4000);
    assert!(!matches!(world.log.last(), Some(Effect::Quit { .. })));
    world.wait(1500);
    let notes = match world.log.last() {
        Some(Effect::Quit { exit }) => exit.notes.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(notes, ["no answer yet: claiming verify-customer \"Birch & Sons\""]);
    assert_eq!(row.user, None);
}

#[test]
fn a_first_start_offers_the_examples_and_only_at_home() {
    let mut world = World::new(80, 24, vec![]);
    world.keys("d");
    assert_eq!(notice(&world), "The four examples are here. :run starts one of them again.");
    assert_eq!(world.model.list().len(), 4);

    let mut world = World::new(80, 24, vec![]);
    let place = Place::Server("http://lh.example:2023".to_owned());
    world.send(Msg::Host { generation: None, result: Ok(HostInfo { place, ..host() }) });
    world.keys("d");
    assert!(!world.log.iter().any(|effect| matches!(effect, Effect::LoadExamples { .. })));
    world.keys(": d e m o Enter");
    assert!(!world.log.iter().any(|effect| matches!(effect, Effect::LoadExamples { .. })));
}

#[test]
fn a_workflow_is_started_with_its_inputs() {
    let mut world = World::new(120, 40, tasks());
    world.keys(": r u n Space k y c Enter n Tab 7 Ctrl-R y");
    let inputs = world.log.iter().find_map(|effect| match effect {
        Effect::RunWorkflow { name, inputs, .. } => Some((name.clone(), inputs.clone())),
        _ => None,
    });
    let expected = [
        ("amount".to_owned(), Value::Double(7.0)),
        ("approved".to_owned(), Value::Bool(false)),
        ("days".to_owned(), Value::Int(3)),
    ];
    assert_eq!(inputs, Some(("kyc".to_owned(), expected.into())));
    assert!(matches!(world.model.screen, super::model::Screen::Run(_)));
    world.keys("Esc");
    assert!(matches!(world.model.screen, super::model::Screen::Inbox));
}

#[test]
fn a_server_that_does_not_tell_is_asked_and_slower_when_it_fails() {
    let mut world = World::new(80, 24, tasks());
    let place = Place::Server("http://lh.example:2023".to_owned());
    world.send(Msg::Host { generation: None, result: Ok(HostInfo { place, tells_changes: false, ..host() }) });
    let wait = |world: &World| world.model.timers.refresh.map(|at| (at - world.model.now.since_start).as_secs_f64());
    let first = wait(&world).unwrap();
    assert!((4.0..=6.0).contains(&first), "{first}");
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.answers = false;
        let until = wait(&world).unwrap();
        world.wait((until * 1000.0) as u64 + 1);
        let generation = world.log.iter().rev().find_map(|effect| match effect {
            Effect::LoadPage { generation, .. } => Some(*generation),
            _ => None,
        });
        world.send(Msg::Page { generation: generation.unwrap(), result: Err(Trouble::Unreachable("gone".to_owned())) });
        waits.push(wait(&world).unwrap());
    }
    assert!(waits[0] > first && waits[5] <= 72.0 && waits[5] >= 48.0, "{waits:?}");
    assert_eq!(world.model.list().len(), 4, "what was read stays on the screen");
}

#[test]
fn an_idle_local_inbox_asks_for_nothing() {
    let mut world = World::new(120, 40, tasks());
    world.wait(1000);
    let before = world.log.len();
    for _ in 0..100 {
        world.wait(1000);
    }
    assert_eq!(world.log.len(), before);
}

#[test]
fn a_paste_outside_of_a_text_does_nothing() {
    let mut world = World::new(120, 40, tasks());
    world.send(Msg::Paste("Xccc\nq".to_owned()));
    assert!(acts(&world).is_empty());
    assert_eq!(world.model.notice.as_ref().map(|notice| notice.tone), Some(Tone::Quiet));
    world.keys("Enter Tab Tab Tab");
    world.send(Msg::Paste("one\r\ntwo".to_owned()));
    assert_eq!(form_text(&world, 3), "one\ntwo");
}

#[test]
fn a_claim_while_the_review_is_open_is_asked_about() {
    let mut world = World::new(120, 40, tasks());
    world.keys("G k Enter y Ctrl-R");
    let row = task(3, "verify-customer", "ACME GmbH, new account", Some("bob"), Some("finance"), 310);
    world.rows[2] = row;
    world.send(Msg::Changed { tasks: vec![], missed: false });
    world.wait(100);
    world.keys("y");
    assert!(acts(&world).is_empty());
    assert_eq!(notice(&world), "bob claimed this while you looked. Nothing is sent yet.");
    world.keys("y");
    assert!(matches!(acts(&world).as_slice(), [Act::Complete { take_over: true, .. }]));
}

fn any_key() -> impl Strategy<Value = Chord> {
    let named = [
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Delete,
        Key::Left,
        Key::Right,
        Key::Up,
        Key::Down,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
        Key::F(1),
    ];
    let letters: Vec<char> = "crmaXyjkgGhlnNRsJKwDi123/:?qtbd e0-.".chars().collect();
    prop_oneof![
        3 => proptest::sample::select(named.to_vec()).prop_map(Chord::plain),
        4 => proptest::sample::select(letters).prop_map(Chord::char),
        2 => proptest::sample::select("srduefbcjwk_a".chars().collect::<Vec<_>>()).prop_map(Chord::ctrl),
        1 => any::<char>().prop_map(|c| Chord::char(c).normal()),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Key(Chord),
    Paste(String),
    Size(u16, u16),
    Wait(u64),
    Change(usize, u8),
    Answers(bool),
    Focus(bool),
    Fail,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_key().prop_map(Step::Key),
        1 => any::<String>().prop_map(Step::Paste),
        1 => (1u16..220, 1u16..60).prop_map(|(width, height)| Step::Size(width, height)),
        3 => (0u64..7000).prop_map(Step::Wait),
        2 => (0usize..6, 0u8..4).prop_map(|(row, what)| Step::Change(row, what)),
        1 => any::<bool>().prop_map(Step::Answers),
        1 => any::<bool>().prop_map(Step::Focus),
        1 => Just(Step::Fail),
    ]
}

fn take_step(world: &mut World, step: Step) {
    match step {
        Step::Key(chord) => world.send(Msg::Key(chord)),
        Step::Paste(text) => world.send(Msg::Paste(text)),
        Step::Size(width, height) => world.send(Msg::Resize(Size { width, height })),
        Step::Wait(millis) => world.wait(millis),
        Step::Focus(on) => world.send(Msg::Focus(on)),
        Step::Answers(on) => world.answers = on,
        Step::Fail => world.answer = Some(Err(Trouble::OutcomeUnknown(Duration::from_secs(10)))),
        Step::Change(row, what) => {
            if let Some(row) = world.rows.get_mut(row) {
                match what {
                    0 => (row.status, row.user) = (Status::Done, Some("bob".into())),
                    1 => row.status = Status::Cancelled,
                    2 => (row.status, row.user) = (Status::Assigned, Some("bob".into())),
                    _ => (row.status, row.user) = (Status::Unassigned, None),
                }
            }
            world.send(Msg::Changed { tasks: vec![], missed: false });
        }
    }
}

fn draw(world: &World) {
    let Size { width, height } = world.model.size;
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| crate::ui::draw(frame, &world.model)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_pressed_and_whatever_comes(
        start in 0usize..2,
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        let mut world = World::new(120, 40, if start == 0 { vec![] } else { tasks() });
        for (number, step) in steps.into_iter().enumerate() {
            take_step(&mut world, step);
            let list = world.model.list();
            prop_assert!(list.len() == 0 || list.at() < list.len());
            if let Some(form) = world.model.active_form() {
                prop_assert!(form.fields.is_empty() || form.focus < form.fields.len());
            }
            if number % 8 == 0 {
                draw(&world);
            }
        }
        draw(&world);
    }

    #[test]
    fn going_elsewhere_loses_nothing_typed(
        text in "[a-z ]{1,20}",
        steps in proptest::collection::vec(any_step(), 1..60),
    ) {
        let mut world = World::new(120, 40, tasks());
        world.keys("Enter Tab Tab Tab");
        world.type_text(&text);
        let key = DraftKey::Task(tasks()[0].id.clone());
        let typed = |world: &World| world.model.forms.get(&key).map(|form| form.fields[3].edit.text().to_owned());
        for step in steps {
            // Only what leads elsewhere: no typing into this form, nothing that sends or settles it.
            let in_form = world.model.focus == Focus::Form;
            let elsewhere = match &step {
                Step::Key(chord) => match chord.key {
                    Key::Esc | Key::Tab | Key::BackTab | Key::F(1) | Key::PageDown | Key::PageUp => true,
                    _ if in_form || world.model.overlay.is_some() => false,
                    Key::Char(c) => !chord.ctrl && "jkgGhlnNR123?JKwi".contains(c),
                    _ => true,
                },
                Step::Paste(_) => !in_form,
                Step::Fail => false,
                _ => true,
            };
            if elsewhere {
                take_step(&mut world, step);
                let now = typed(&world);
                prop_assert_eq!(now.as_deref(), Some(text.as_str()));
            }
        }
        world.wait(600);
        let kept = world.drafts.get(&key).and_then(|draft| draft.texts.get("comment")).map(|text| text.text.clone());
        prop_assert_eq!(kept, Some(text));
    }
}
