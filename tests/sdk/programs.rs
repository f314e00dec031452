//! The programs written with the published clients, each against a server of its own.

use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::environment::Environment;
use crate::server::{Server, lines_of};

/// What a newcomer does with the SDKs, a program a row.
pub const PROGRAMS: &[&str] = &[
    "tests/sdk/java/Approval.java",
    "tests/sdk/java/Collections.java",
    "tests/sdk/java/Events.java",
    "tests/sdk/java/Orders.java",
    "tests/sdk/java/Parts.java",
    "tests/sdk/node/approval.cjs",
    "tests/sdk/node/orders.cjs",
    "tests/sdk/node/saga.cjs",
    "tests/sdk/python/approval.py",
    "tests/sdk/python/children.py",
    "tests/sdk/python/deadlines.py",
    "tests/sdk/python/events.py",
    "tests/sdk/python/exceptions.py",
    "tests/sdk/python/expense.py",
    "tests/sdk/python/interrupt.py",
    "tests/sdk/python/interrupted_task.py",
    "tests/sdk/python/orders.py",
    "tests/sdk/python/restarts.py",
    "tests/sdk/python/retries.py",
    "tests/sdk/python/saga.py",
    "tests/sdk/python/structs.py",
    "tests/sdk/python/threads.py",
    "tests/sdk/python/values.py",
    "tests/sdk/python/workers.py",
];

/// How long a program may take; its own waits are shorter.
const PATIENCE: Duration = Duration::from_secs(150);
/// The line by which a program asks for a kill -9 of the server.
const KILL: &str = "kill -9";

/// `tests/sdk/python/orders.py` is `sdk::python::orders`.
pub fn row_name(program: &str) -> String {
    let name = program.trim_start_matches("tests/").split('.').next().unwrap_or(program);
    name.replace('/', "::")
}

/// Runs a program against a fresh server; it ends with 0 when everything was as it must be.
///
/// Whenever it prints `kill -9` the server is killed, and started again at the same address on the same data. It
/// prints nothing else unless it fails.
pub fn run(environment: &Environment, program: &str) -> Result<(), Failed> {
    let mut server = Server::start()?;
    let mut child = environment
        .command(program)
        .env("LHC_API_HOST", server.address().ip().to_string())
        .env("LHC_API_PORT", server.address().port().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} does not start: {error}"))?;
    let said = lines_of(&mut child);
    let (mut text, until) = (String::new(), Instant::now() + PATIENCE);
    let ended = loop {
        match said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) if line == KILL => {
                if let Err(error) = server.kill_and_start_again() {
                    text = format!("{text}{error}\n");
                    break false;
                }
            }
            Ok(line) => text = format!("{text}{line}\n"),
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break false,
        }
    };
    if !ended {
        drop(child.kill());
    }
    let status = child.wait()?;
    match verdict(ended, status, &text) {
        None => Ok(()),
        Some(what) => Err(format!("{program} {what}\n{text}").into()),
    }
}

fn verdict(ended: bool, status: ExitStatus, text: &str) -> Option<String> {
    match () {
        () if !ended => Some(format!("had not ended after {} s", PATIENCE.as_secs())),
        () if !status.success() => Some(format!("ended with {status}")),
        () if !text.is_empty() => Some("ended well, but printed something".into()),
        () => None,
    }
}
