//! A person's way through the inbox, and what becomes of what they typed.

use rustix::process::Signal;

use super::session::{Home, Session};

impl Session {
    /// From the empty directory to the list of the examples.
    pub(super) fn load_examples(&mut self) -> &mut Self {
        self.wait("No tasks here yet").wait("load four examples").press("d");
        self.wait("The four examples are here").wait("Laptop, 1,240.5 EUR").wait("Not approved: Standing")
    }

    /// Opens the form of the expense for amy's laptop, and goes to its comment, the fourth field.
    pub(super) fn fill_in_the_laptop(&mut self) -> &mut Self {
        self.wait("Laptop, 1,240.5 EUR").press("/").send(b"Laptop").press("Enter").wait("/Laptop  1 of");
        self.press("Enter").in_the_form().press("Tab Tab Tab")
    }

    /// Waits for the footer that only the form has.
    pub(super) fn in_the_form(&mut self) -> &mut Self {
        self.wait("Tab next")
    }

    /// Leaves the form.
    pub(super) fn leave_the_form(&mut self) -> &mut Self {
        self.press("Esc").gone("Tab next")
    }
}

/// What is typed into the comment.
const TYPED: &str = "Needed before Friday";

#[test]
fn from_an_empty_directory_to_a_completed_task() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.load_examples();
    amy.press("/").send(b"Bern").press("Enter").gone("Laptop, 1,240.5").wait("Train to Bern");
    amy.press("c").wait("is yours");
    amy.press("Enter").in_the_form();
    amy.press("y Tab Tab Tab").send(TYPED.as_bytes()).wait(TYPED);
    amy.press("C-r").wait("REVIEW").wait("nothing is sent yet").wait(TYPED);
    amy.press("y").wait("Done. The run went on to pay-expense");
    // What the audit trail says of it is read from the server, not from the form.
    amy.press("Esc Esc 4").wait("Train to Bern").press("q");
    assert_eq!(amy.exit(), 0);
    amy.assert_given_back();

    // It is durable: another program on the same directory sees the next step.
    let mut bob = home.ostler(&["--user", "bob", "--group", "accounting"]);
    bob.wait("Approved: Train to Bern").press("q");
    assert_eq!(bob.exit(), 0);
}

#[test]
fn what_was_typed_before_kill_9_is_there_again() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.load_examples().fill_in_the_laptop();
    amy.send(TYPED.as_bytes()).wait(TYPED).wait("draft kept");
    amy.signal(Signal::KILL);
    assert_eq!(amy.exit(), 128 + 9);

    let mut again = home.inbox();
    again.fill_in_the_laptop().wait(TYPED);
}

#[test]
fn what_was_typed_in_the_moment_of_a_hangup_is_there_again() {
    let home = Home::new();
    let mut amy = home.inbox();
    amy.load_examples().fill_in_the_laptop();
    // No draft was due yet: the hangup itself has to write it.
    amy.send(TYPED.as_bytes()).wait(TYPED).signal(Signal::HUP);
    assert_eq!(amy.exit(), 128 + 1);
    amy.assert_given_back();

    let mut again = home.inbox();
    again.fill_in_the_laptop().wait(TYPED);
}

#[test]
fn when_the_host_ends_another_takes_over_and_its_form_stays() {
    let home = Home::for_programs(2);
    let mut host = home.inbox();
    host.load_examples();
    let mut other = home.inbox();
    other.wait("attached").fill_in_the_laptop();
    other.press("BackTab BackTab BackTab y Tab Tab Tab").send(TYPED.as_bytes()).wait(TYPED).wait("draft kept");
    host.press("q");
    assert_eq!(host.exit(), 0);
    other.wait("local").wait(TYPED);
    other.press("C-r").wait("REVIEW").wait(TYPED);
    other.press("y").wait("Done. The run went on to pay-expense");
}
