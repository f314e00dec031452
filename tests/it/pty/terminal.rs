//! The terminal is always given back, and carries what it should.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::session::{Home, OSTLER, Session};

/// A text that a terminal would obey if it got through.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31mred\u{1b}[?1049l\u{202e}end";

#[test]
fn the_harness_itself_sees_what_a_program_writes() {
    let home = Home::new();
    let mut cat = home.run("/bin/sh", &["-c", "printf 'tty: '; tty; stty size; cat"]);
    cat.wait("tty: /dev/").wait("40 120");
    cat.press("héllo Enter").wait("héllo\nhéllo");
    cat.assert_given_back();
    // Not C-c: where the tests run in the background of a script, everything below them ignores SIGINT.
    cat.press("C-d");
    assert_eq!(cat.exit(), 0);
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let ends: [(Option<Signal>, i32); 4] =
        [(None, 0), (Some(Signal::TERM), 128 + 15), (Some(Signal::HUP), 128 + 1), (Some(Signal::INT), 128 + 15)];
    for (signal, code) in ends {
        let home = Home::new();
        let mut amy = home.inbox();
        amy.wait("No tasks here yet");
        assert!(amy.screen().alternate_screen() && amy.screen().bracketed_paste());
        match signal {
            Some(signal) => amy.signal(signal),
            None => amy.press("q"),
        };
        assert_eq!(amy.exit(), code, "{signal:?}");
        amy.assert_given_back();
    }
}

#[test]
fn an_output_that_is_no_terminal_is_refused_in_words() {
    let home = Home::new();
    let mut amy = home.run("/bin/sh", &["-c", &format!("{OSTLER} --user amy | cat; echo done")]);
    amy.wait("needs a terminal").wait("done");
    amy.exit();
}

#[test]
fn stopped_and_in_the_foreground_again() {
    let home = Home::new();
    let mut shell = home.run("/bin/sh", &["-i"]);
    shell.wait("shell> ").send(format!("{OSTLER} --user amy --group finance\r").as_bytes());
    shell.wait("No tasks here yet");
    // Twice: what was taken again must be given back again.
    for _ in 0..2 {
        shell.press("C-z").wait_for("the shell's prompt", |shell| !shell.screen().alternate_screen());
        shell.assert_given_back();
        shell.send(b"echo $((6 * 7)) beside it\r").wait("42 beside it");
        shell.send(b"fg\r").wait("No tasks here yet").wait("load four examples");
        assert!(shell.screen().alternate_screen());
    }
    shell.press("?").wait("TASKS OF YOUR OWN").press("Esc").gone("TASKS OF YOUR OWN").press("q");
    shell.wait_for("the shell's prompt", |shell| !shell.screen().alternate_screen());
    shell.assert_given_back();
    shell.send(b"exit\r");
    shell.exit();
}

#[test]
fn it_can_be_made_as_small_as_20x5_and_large_again() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.load_examples().wait("Team dinner");
    for (width, height) in [(20, 5), (1, 1), (80, 24), (20, 5), (200, 60)] {
        amy.resize(width, height);
        let small = format!("the list on {width}x{height}");
        amy.wait_for(&small, |amy| {
            let text = amy.text();
            text.contains("approve-expense") || (width == 1 && text.trim().chars().count() <= 1)
        });
    }
    amy.wait("Team dinner").wait("HISTORY");
}

#[test]
fn a_key_that_arrives_in_two_parts_is_one_key() {
    let home = Home::over_ssh();
    let mut amy = home.inbox();
    amy.load_examples().fill_in_the_laptop();
    let mut tried = 0;
    loop {
        let began = Instant::now();
        amy.send(b"\x1b").look(Duration::from_millis(30));
        amy.send(b"[A");
        // On a machine that stood still in between, the Esc key was the right answer: once more.
        if began.elapsed() < Duration::from_millis(80) {
            break;
        }
        tried += 1;
        assert!(tried < 50, "this machine is too slow to type on");
        amy.leave_the_form().press("Enter").in_the_form().press("Tab Tab Tab");
    }
    // One field up from the comment is the cost centre.
    amy.send(b"4711").wait("4711").in_the_form();
    // And a lone ESC is the Esc key, after a moment.
    amy.leave_the_form();
}

#[test]
fn a_paste_is_text_whatever_is_in_it() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.load_examples().fill_in_the_laptop().paste(b"first line\r\nsecond\x1b[31m\x07\x00 line q\x03\rthird");
    amy.wait("first line").wait("second[31m line q").wait("third").in_the_form();
    // Large, and in many reads: nothing of it is obeyed and nothing is lost.
    let large = format!("{}the end", "all work and no play ".repeat(5_000));
    amy.paste(large.as_bytes()).wait("the end").in_the_form();
    amy.leave_the_form();
}

#[test]
fn wide_characters_keep_everything_in_its_column() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.load_examples().fill_in_the_laptop();
    let column = line_column(&amy);
    amy.send("発注書 🐎 e\u{301} 👩\u{200d}🔬 ende".as_bytes()).wait("発注書 🐎").wait("ende");
    assert_eq!(line_column(&amy), column);
    for _ in 0..9 {
        amy.press("Backspace");
    }
    amy.gone("ende").gone("🔬").wait("発注書 🐎");
    assert_eq!(line_column(&amy), column);
}

/// The column of the line between list and task, which is the same in every row that has it.
fn line_column(session: &Session) -> u16 {
    let (rows, columns) = session.screen().size();
    let mut found = None;
    for row in 3..rows - 3 {
        let line =
            (0..columns).find(|column| session.screen().cell(row, *column).is_some_and(|cell| cell.contents() == "│"));
        match (found, line) {
            (Some(before), Some(line)) if before != line => {
                session.fail(&format!("row {row} has its line at {line}, not {before}"))
            }
            (None, Some(line)) => found = Some(line),
            _ => {}
        }
    }
    found.unwrap_or_else(|| session.fail("no line between list and task"))
}

#[test]
fn an_idle_screen_sends_nothing() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.wait("No tasks here yet").wait("live");
    // What belongs to the start has come when for once nothing comes.
    while amy.look(Duration::from_millis(300)) {}
    let before = amy.bytes().len();
    amy.look(Duration::from_secs(2));
    let sent = &amy.bytes()[before..];
    assert!(sent.is_empty(), "{:?}", String::from_utf8_lossy(sent));
}

#[test]
fn nothing_from_a_server_reaches_the_terminal_as_more_than_text() {
    let home = Home::new();
    let mut amy = home.ostler(&["--user", "amy", "--group", "finance", "--listen", "127.0.0.1:0"]);
    amy.load_examples();
    // As it comes from a server: in the notes of a task, in a comment, and in a form's saved value.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(hostile_task(&listener(&mut amy)));
    amy.wait("For me 9").press("g").wait("owned").wait("commented by nobody you know");
    amy.press("Enter").in_the_form().leave_the_form().press("w").wait("STEPS").wait("hostile");
    let bytes = amy.bytes();
    for obeyed in [&b"\x1b]"[..], b"\x07", "\u{9b}".as_bytes(), b"\x1b[?1049l", "\u{202e}".as_bytes()] {
        assert!(!bytes.windows(obeyed.len()).any(|part| part == obeyed), "{obeyed:?} got out");
    }
}

/// The address that the header shows.
fn listener(session: &mut Session) -> String {
    session.wait("127.0.0.1:");
    let text = session.text();
    let rest = text.split("127.0.0.1:").nth(1).unwrap_or_default();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("http://127.0.0.1:{port}")
}

async fn hostile_task(address: &str) {
    use ostler::api::littlehorse as lh;
    use ostler::api::littlehorse::little_horse_client::LittleHorseClient;

    let mut client = LittleHorseClient::connect(address.to_owned()).await.unwrap();
    let text = |text: &str| lh::VariableValue { value: Some(lh::variable_value::Value::Str(text.to_owned())) };
    let amount = lh::VariableValue { value: Some(lh::variable_value::Value::Double(1.5)) };
    let variables =
        [("requester", text(HOSTILE)), ("purpose", text(HOSTILE)), ("amount", amount), ("assignee", text("amy"))];
    let run = lh::RunWfRequest {
        wf_spec_name: "expense-approval".to_owned(),
        id: Some("hostile".to_owned()),
        variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        ..Default::default()
    };
    let run = client.run_wf(run).await.unwrap().into_inner();
    let tasks = lh::ListUserTaskRunRequest { wf_run_id: run.id.clone(), ..Default::default() };
    let task = client.list_user_task_runs(tasks).await.unwrap().into_inner().results.remove(0);
    let comment = lh::PutUserTaskRunCommentRequest {
        user_task_run_id: task.id,
        user_id: HOSTILE.to_owned(),
        comment: format!("commented by nobody you know {HOSTILE}"),
    };
    client.put_user_task_run_comment(comment).await.unwrap();
}
