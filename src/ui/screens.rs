//! Pictures of the screen, as text.

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::draw;
use crate::app::fixture::{World, ago, detail, task, tasks};
use crate::app::{Look, Msg, Size};
use crate::domain::*;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn picture(world: &World) -> String {
    let size = world.model.size;
    let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).unwrap();
    terminal.draw(|frame| draw(frame, &world.model)).unwrap();
    let shown = terminal.backend().to_string();
    let cursor = terminal.backend().cursor_visible().then(|| terminal.backend().cursor_position());
    match cursor {
        Some(at) => format!("{shown}cursor {},{}\n", at.x, at.y),
        None => shown,
    }
}

/// The same steps at each size.
fn at_sizes(name: &str, rows: &[TaskRow], steps: impl Fn(&mut World)) {
    for (width, height) in SIZES {
        let mut world = World::new(width, height, rows.to_vec());
        steps(&mut world);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), picture(&world));
    }
}

#[test]
fn the_list() {
    at_sizes("list", &tasks(), |_| {});
}

#[test]
fn all_open_tasks_with_texts_from_everywhere() {
    at_sizes("all_open", &tasks(), |world| world.keys("3 G"));
}

#[test]
fn a_task() {
    at_sizes("task", &tasks(), |world| world.keys("l"));
}

#[test]
fn a_form_with_a_wrong_value() {
    at_sizes("form", &tasks(), |world| {
        world.keys("Enter y Tab Tab");
        world.type_text("12,5");
        world.keys("Tab");
        world.type_text("Needed before Friday, and so is the adapter that goes with it; the old one is lost");
        world.keys("Alt-Enter 発 注 🐎");
        world.wait(600);
    });
}

#[test]
fn the_review() {
    at_sizes("review", &tasks(), |world| world.keys("Enter y Tab Tab 7 Ctrl-R"));
}

#[test]
fn done() {
    at_sizes("done", &tasks(), |world| world.keys("Enter y Ctrl-R y"));
}

#[test]
fn the_help() {
    at_sizes("help", &tasks(), |world| world.keys("?"));
}

#[test]
fn the_first_start() {
    at_sizes("empty_start", &[], |_| {});
}

#[test]
fn offline() {
    at_sizes("offline", &tasks(), |world| {
        world.send(Msg::Connection(Connection::Offline {
            since: ago(4),
            retry_at: Some(ago(0) + jiff::SignedDuration::from_secs(8)),
            why: "connection refused".to_owned(),
        }));
    });
}

fn with_conflict(world: &mut World) {
    let row = world.rows.first().cloned().unwrap();
    let mut theirs = detail(&row);
    theirs.values.insert("comment".to_owned(), Value::Str("Ask for the date".into()));
    let saved = EventKind::Saved { by: "bob".into(), values: theirs.values.clone() };
    theirs.events.push(Event { at: ago(2), what: saved });
    world.keys("Enter y");
    world.wait(600);
    world.answers = false;
    world.send(Msg::Changed { tasks: vec![], missed: true });
    world.wait(100);
    let generation = world.model.open.as_ref().and_then(|open| open.reading).unwrap();
    world.send(Msg::Task { generation, result: Ok(Box::new(theirs)) });
}

#[test]
fn somebody_saved_meanwhile() {
    at_sizes("conflict", &tasks(), with_conflict);
}

#[test]
fn both_answers_beside_each_other() {
    at_sizes("compare", &tasks(), |world| {
        with_conflict(world);
        world.keys("m");
    });
}

#[test]
fn the_prompts() {
    let prompts =
        [("cancel", "X"), ("assign", "a"), ("comment", "m"), ("command", ": r u n Space Tab"), ("find", "/ t r a")];
    for (name, keys) in prompts {
        let mut world = World::new(80, 24, tasks());
        world.keys(keys);
        insta::assert_snapshot!(format!("prompt_{name}"), picture(&world));
    }
    let mut world = World::new(120, 40, tasks());
    world.keys("3 G k c");
    insta::assert_snapshot!("prompt_take_over", picture(&world));
}

#[test]
fn a_workflow_to_start_and_a_run_that_failed() {
    at_sizes("start", &tasks(), |world| world.keys(": r u n Space k y c Enter"));
    at_sizes("run", &tasks(), |world| world.keys("w"));
}

#[test]
fn small_screens() {
    for (width, height) in [(40, 10), (30, 8), (20, 5), (10, 3), (1, 1)] {
        for (name, keys) in [("list", ""), ("form", "Enter y"), ("cancel", "X")] {
            let mut world = World::new(width, height, tasks());
            world.keys(keys);
            insta::assert_snapshot!(format!("small_{name}_{width}x{height}"), picture(&world));
        }
    }
}

#[test]
fn a_server_and_its_address() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut world = World::new(width, height, tasks());
        let place = Place::Server("http://lh.example:2023".to_owned());
        let host = HostInfo { place, tells_changes: false, pending_timers: None, ..world.host.clone() };
        world.send(Msg::Host { generation: None, result: Ok(host) });
        insta::assert_snapshot!(format!("server_{width}x{height}"), picture(&world));
        let host = HostInfo { listen: Some("127.0.0.1:2023".to_owned()), ..world.host.clone() };
        world.send(Msg::Host { generation: None, result: Ok(host) });
        insta::assert_snapshot!(format!("listens_{width}x{height}"), picture(&world));
    }
}

#[test]
fn without_unicode() {
    let mut world = World::new(80, 24, tasks());
    world.model.look = Look { color: false, unicode: false };
    world.keys("3 Enter");
    let shown = picture(&world);
    assert!(shown.is_ascii(), "{shown}");
    world.keys("Esc Esc");
    let shown = picture(&world);
    assert!(shown.is_ascii(), "{shown}");
    insta::assert_snapshot!("ascii", shown);
}

#[test]
fn no_color_means_no_colour_at_all() {
    for color in [true, false] {
        let mut world = World::new(120, 40, tasks());
        world.model.look = Look { color, unicode: true };
        world.keys("Enter Tab x Ctrl-R");
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|frame| draw(frame, &world.model)).unwrap();
        let coloured = terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .any(|cell| cell.style().fg != Some(Color::Reset) || cell.style().bg != Some(Color::Reset));
        assert_eq!(coloured, color);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hostile_reaches_a_cell(texts in proptest::collection::vec(any::<String>(), 4), width in 1u16..130, height in 1u16..45) {
        let rows = vec![task(1, &texts[0], &texts[1], Some(texts[2].as_str()), Some("finance"), 5)];
        let mut world = World::new(width, height, rows);
        world.keys("3");
        world.send(Msg::Paste(texts[3].clone()));
        for keys in ["", "l", "Enter", ": x", "Esc Esc a", "Esc X", "Esc ?"] {
            world.keys(keys);
            world.send(Msg::Paste(texts[3].clone()));
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &world.model)).unwrap();
            for cell in terminal.backend().buffer().content() {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn a_frame_of_another_size_is_no_trouble(width in 1u16..220, height in 1u16..70, told_width in 0u16..220, told_height in 0u16..70) {
        let mut world = World::new(100, 30, tasks());
        world.keys("Enter");
        world.send(Msg::Resize(Size { width: told_width, height: told_height }));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &world.model)).unwrap();
    }
}
