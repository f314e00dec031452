//! The one table of commands: keys, footer and help are made from it.

use super::{Chord, Key};
use crate::domain::View;

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// The list of tasks.
    List,
    /// A task, outside its form.
    Task,
    /// A form.
    Form,
    /// The review before something is sent.
    Review,
    /// A run.
    Run,
}

impl Context {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 5] = [Self::List, Self::Task, Self::Form, Self::Review, Self::Run];

    /// The name in the help.
    pub fn label(self) -> &'static str {
        match self {
            Self::List => "In the list",
            Self::Task => "In a task",
            Self::Form => "In a form",
            Self::Review => "In the review",
            Self::Run => "In a run",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// One row or line down.
    Down,
    /// One row or line up.
    Up,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
    /// Half a screen down.
    HalfDown,
    /// Half a screen up.
    HalfUp,
    /// A screen down.
    PageDown,
    /// A screen up.
    PageUp,
    /// To a view.
    Go(View),
    /// Type a filter.
    Find,
    /// To the next match.
    NextMatch,
    /// To the match before.
    PreviousMatch,
    /// Look at the task.
    Open,
    /// Into the form.
    FillIn,
    /// Read everything again.
    Reload,
    /// Turn the order around.
    Order,
    /// Make it mine.
    Claim,
    /// Give it back to its group.
    Release,
    /// Give it to somebody.
    Assign,
    /// Write a comment.
    Comment,
    /// Cancel it.
    Cancel,
    /// Put the id on the clipboard.
    CopyId,
    /// Look at its run.
    ShowRun,
    /// The next task without leaving this one.
    NextTask,
    /// The task before without leaving this one.
    PreviousTask,
    /// Keep the values on the server.
    Save,
    /// Review and complete.
    Review,
    /// Both versions side by side.
    Compare,
    /// Edit the field elsewhere.
    Editor,
    /// To the next field or pane.
    Next,
    /// To the field or pane before.
    Previous,
    /// Send it.
    Confirm,
    /// Back to the form.
    EditAgain,
    /// Help for here.
    Help,
    /// Type a command.
    CommandLine,
    /// Out.
    Leave,
    /// End the program.
    Quit,
    /// Stop and give the terminal back.
    Suspend,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// The keys, the one to show first.
    pub keys: &'static [Chord],
    /// What it does.
    pub command: Command,
    /// For the footer: one or two words.
    pub label: &'static str,
    /// For the help: a sentence without its full stop.
    pub help: &'static str,
}

const fn c(c: char) -> Chord {
    Chord::char(c)
}
const fn k(key: Key) -> Chord {
    Chord::plain(key)
}
const fn ctrl(c: char) -> Chord {
    Chord::ctrl(c)
}

macro_rules! bindings {
    ($($context:ident: [$($key:expr),+] $command:expr, $label:expr, $help:expr;)+) => {
        &[$(Binding {
            context: Context::$context,
            keys: &[$($key),+],
            command: $command,
            label: $label,
            help: $help,
        }),+]
    };
}

/// Every key of every place.
pub const BINDINGS: &[Binding] = bindings! {
    List: [k(Key::Enter)] Command::FillIn, "fill in", "into the form of the selected task";
    List: [c('l'), k(Key::Right)] Command::Open, "open", "look at the selected task";
    List: [c('c')] Command::Claim, "claim", "make the task yours";
    List: [c('r')] Command::Release, "release", "give the task back to its group";
    List: [c('a')] Command::Assign, "assign", "give the task to a user, a group or both";
    List: [c('m')] Command::Comment, "comment", "write a comment";
    List: [c('X')] Command::Cancel, "cancel", "cancel the task, after a question";
    List: [c('y')] Command::CopyId, "copy id", "put the task's id on the clipboard";
    List: [c('w')] Command::ShowRun, "its run", "look at the workflow run of the task";
    List: [c('j'), k(Key::Down)] Command::Down, "down", "one task down";
    List: [c('k'), k(Key::Up)] Command::Up, "up", "one task up";
    List: [c('g'), k(Key::Home)] Command::Top, "top", "to the first task";
    List: [c('G'), k(Key::End)] Command::Bottom, "bottom", "to the last task loaded";
    List: [ctrl('d')] Command::HalfDown, "half down", "half a screen down";
    List: [ctrl('u')] Command::HalfUp, "half up", "half a screen up";
    List: [k(Key::PageDown), ctrl('f')] Command::PageDown, "page down", "a screen down";
    List: [k(Key::PageUp), ctrl('b')] Command::PageUp, "page up", "a screen up";
    List: [c('1')] Command::Go(View::ForMe), "for me", "yours, and unclaimed ones of your groups";
    List: [c('2')] Command::Go(View::MyGroups), "my groups", "open tasks of your groups, whoever has them";
    List: [c('3')] Command::Go(View::AllOpen), "all open", "every open task";
    List: [c('4')] Command::Go(View::Done), "done", "completed tasks";
    List: [c('5')] Command::Go(View::Cancelled), "cancelled", "cancelled tasks";
    List: [c('/')] Command::Find, "find", "show only tasks with these words";
    List: [c('n')] Command::NextMatch, "next", "to the next match";
    List: [c('N')] Command::PreviousMatch, "previous", "to the match before";
    List: [c('s')] Command::Order, "order", "newest first, or oldest first";
    List: [c('R')] Command::Reload, "reload", "read everything again";
    List: [ctrl('s')] Command::Save, "save", "keep what is typed in the form on the server";
    List: [ctrl('r')] Command::Review, "review", "review the form, then complete";
    List: [k(Key::Tab)] Command::Next, "next pane", "to the task, then to its form";
    List: [k(Key::BackTab)] Command::Previous, "previous pane", "to the form";
    List: [k(Key::Esc), ctrl('c')] Command::Leave, "out", "end a search";
    List: [c('?'), k(Key::F(1))] Command::Help, "help", "this help";
    List: [c(':')] Command::CommandLine, "command", "type a command, such as :run NAME";
    List: [ctrl('z')] Command::Suspend, "suspend", "back to the shell; fg returns";
    List: [c('q')] Command::Quit, "quit", "end ostler";

    Task: [k(Key::Enter), c('i')] Command::FillIn, "fill in", "into the form";
    Task: [c('c')] Command::Claim, "claim", "make the task yours";
    Task: [c('r')] Command::Release, "release", "give the task back to its group";
    Task: [c('a')] Command::Assign, "assign", "give the task to a user, a group or both";
    Task: [c('m')] Command::Comment, "comment", "write a comment";
    Task: [c('X')] Command::Cancel, "cancel", "cancel the task, after a question";
    Task: [ctrl('s')] Command::Save, "save", "keep what is typed in the form on the server";
    Task: [ctrl('r')] Command::Review, "review", "review the form, then complete";
    Task: [c('y')] Command::CopyId, "copy id", "put the task's id on the clipboard";
    Task: [c('w')] Command::ShowRun, "its run", "look at the workflow run of the task";
    Task: [c('J')] Command::NextTask, "next task", "the next task of the list";
    Task: [c('K')] Command::PreviousTask, "previous task", "the task before";
    Task: [c('j'), k(Key::Down)] Command::Down, "down", "scroll down";
    Task: [c('k'), k(Key::Up)] Command::Up, "up", "scroll up";
    Task: [c('g'), k(Key::Home)] Command::Top, "top", "to the beginning";
    Task: [c('G'), k(Key::End)] Command::Bottom, "bottom", "to the end";
    Task: [k(Key::PageDown), ctrl('d'), ctrl('f')] Command::PageDown, "page down", "a screen down";
    Task: [k(Key::PageUp), ctrl('u'), ctrl('b')] Command::PageUp, "page up", "a screen up";
    Task: [c('1')] Command::Go(View::ForMe), "for me", "to the list of your tasks";
    Task: [c('2')] Command::Go(View::MyGroups), "my groups", "to the list of your groups' tasks";
    Task: [c('3')] Command::Go(View::AllOpen), "all open", "to the list of open tasks";
    Task: [c('4')] Command::Go(View::Done), "done", "to the list of completed tasks";
    Task: [c('5')] Command::Go(View::Cancelled), "cancelled", "to the list of cancelled tasks";
    Task: [c('D')] Command::Compare, "compare", "your answers beside those on the server";
    Task: [c('R')] Command::Reload, "reload", "read the task again";
    Task: [k(Key::Tab)] Command::Next, "next pane", "to the form";
    Task: [k(Key::BackTab)] Command::Previous, "list", "to the list";
    Task: [k(Key::Esc), c('h'), k(Key::Left), c('q'), ctrl('c')] Command::Leave, "back", "to the list, same row";
    Task: [c('?'), k(Key::F(1))] Command::Help, "help", "this help";
    Task: [c(':')] Command::CommandLine, "command", "type a command";
    Task: [ctrl('z')] Command::Suspend, "suspend", "back to the shell; fg returns";

    Form: [ctrl('r')] Command::Review, "review", "review what you typed, then complete";
    Form: [ctrl('s')] Command::Save, "save", "keep it on the server for later";
    Form: [k(Key::Tab)] Command::Next, "next", "to the next field";
    Form: [k(Key::BackTab)] Command::Previous, "previous", "to the field before";
    Form: [ctrl('e')] Command::Editor, "$EDITOR", "edit a text field in your editor";
    Form: [ctrl('d')] Command::Compare, "compare", "your answers beside those on the server";
    Form: [k(Key::PageDown)] Command::PageDown, "page down", "a screen down";
    Form: [k(Key::PageUp)] Command::PageUp, "page up", "a screen up";
    Form: [k(Key::Esc), ctrl('c')] Command::Leave, "out", "out of the form; what you typed is kept";
    Form: [k(Key::F(1))] Command::Help, "help", "this help";
    Form: [ctrl('z')] Command::Suspend, "suspend", "back to the shell; fg returns";

    Review: [c('y')] Command::Confirm, "complete", "send it";
    Review: [c('e')] Command::EditAgain, "edit", "back to the form";
    Review: [c('s')] Command::Save, "save for later", "keep it on the server and leave it open";
    Review: [k(Key::Esc), ctrl('c')] Command::Leave, "back", "back to where you were";
    Review: [c('j'), k(Key::Down)] Command::Down, "down", "scroll down";
    Review: [c('k'), k(Key::Up)] Command::Up, "up", "scroll up";

    Run: [k(Key::Enter)] Command::Open, "open its task", "look at the task that the run waits for";
    Run: [c('R')] Command::Reload, "reload", "read the run again";
    Run: [c('y')] Command::CopyId, "copy id", "put the run's id on the clipboard";
    Run: [c('j'), k(Key::Down)] Command::Down, "down", "scroll down";
    Run: [c('k'), k(Key::Up)] Command::Up, "up", "scroll up";
    Run: [k(Key::PageDown), ctrl('d')] Command::PageDown, "page down", "a screen down";
    Run: [k(Key::PageUp), ctrl('u')] Command::PageUp, "page up", "a screen up";
    Run: [k(Key::Esc), c('h'), c('q'), ctrl('c')] Command::Leave, "back", "back to the list";
    Run: [c('?'), k(Key::F(1))] Command::Help, "help", "this help";
    Run: [c(':')] Command::CommandLine, "command", "type a command";
    Run: [ctrl('z')] Command::Suspend, "suspend", "back to the shell; fg returns";
};

/// What a key does somewhere.
pub fn lookup(context: Context, chord: Chord) -> Option<Command> {
    BINDINGS
        .iter()
        .find(|binding| binding.context == context && binding.keys.contains(&chord))
        .map(|binding| binding.command)
}

/// The line of the table for a command somewhere.
pub fn binding(context: Context, command: Command) -> Option<&'static Binding> {
    BINDINGS.iter().find(|binding| binding.context == context && binding.command == command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_key_means_one_thing_in_a_place() {
        let mut seen = BTreeSet::new();
        for binding in BINDINGS {
            for key in binding.keys {
                assert_eq!(*key, key.normal(), "{key} is written another way");
                assert!(seen.insert((binding.context, *key)), "{key} means two things {}", binding.context.label());
            }
        }
    }

    #[test]
    fn no_letter_of_the_form_is_taken() {
        assert!(
            BINDINGS
                .iter()
                .filter(|binding| binding.context == Context::Form)
                .flat_map(|binding| binding.keys)
                .all(|key| key.typed().is_none())
        );
    }
}
