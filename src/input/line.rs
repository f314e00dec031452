//! The command line.

use crate::domain::View;

/// What follows a command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// Nothing.
    None,
    /// The name of a workflow.
    Workflow,
    /// The name or number of a view.
    View,
}

/// A command of the command line.
#[derive(Debug, Clone, Copy)]
pub struct LineCommand {
    /// Its names, the first one is shown.
    pub names: &'static [&'static str],
    /// What follows.
    pub arg: Arg,
    /// What it does.
    pub help: &'static str,
}

/// Every command of the command line.
pub const LINES: &[LineCommand] = &[
    LineCommand { names: &["run"], arg: Arg::Workflow, help: "start a workflow, with a form for its inputs" },
    LineCommand { names: &["view"], arg: Arg::View, help: "go to a view" },
    LineCommand { names: &["reload"], arg: Arg::None, help: "read everything again" },
    LineCommand { names: &["examples", "demo"], arg: Arg::None, help: "load the four example workflows" },
    LineCommand { names: &["help"], arg: Arg::None, help: "help for here" },
    LineCommand { names: &["quit", "q"], arg: Arg::None, help: "end ostler" },
];

/// A command as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Start a workflow.
    Run(String),
    /// Go to a view.
    View(View),
    /// Read everything again.
    Reload,
    /// Load the examples.
    Examples,
    /// Help.
    Help,
    /// End the program.
    Quit,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Nothing was typed.
    #[error("nothing typed")]
    Empty,
    /// No such command.
    #[error("no command is called \"{0}\"; Tab shows what there is")]
    Unknown(String),
    /// The name of a workflow is missing.
    #[error("run: which workflow? Tab shows their names")]
    NoWorkflow,
    /// No such view.
    #[error("view: one of 1 to 5, or a name such as \"all open\"")]
    NoView,
    /// More than the command takes.
    #[error("{0} takes nothing after it")]
    TooMuch(&'static str),
}

/// Reads a line, with or without the colon.
pub fn parse(text: &str) -> Result<Line, LineError> {
    let text = text.trim().trim_start_matches(':').trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    if name.is_empty() {
        return Err(LineError::Empty);
    }
    let command = LINES
        .iter()
        .find(|line| line.names.contains(&name))
        .or_else(|| {
            let mut starts = LINES.iter().filter(|line| line.names.first().is_some_and(|full| full.starts_with(name)));
            starts.next().filter(|_| starts.next().is_none())
        })
        .ok_or_else(|| LineError::Unknown(name.to_owned()))?;
    let name = command.names.first().copied().unwrap_or_default();
    if command.arg == Arg::None && !rest.is_empty() {
        return Err(LineError::TooMuch(name));
    }
    match name {
        "run" if rest.is_empty() => Err(LineError::NoWorkflow),
        "run" => Ok(Line::Run(rest.to_owned())),
        "view" => view(rest).map(Line::View).ok_or(LineError::NoView),
        "reload" => Ok(Line::Reload),
        "examples" => Ok(Line::Examples),
        "help" => Ok(Line::Help),
        "quit" => Ok(Line::Quit),
        other => Err(LineError::Unknown(other.to_owned())),
    }
}

fn view(text: &str) -> Option<View> {
    let lower = text.to_lowercase().replace('-', " ");
    if lower.is_empty() {
        return None;
    }
    if let Ok(number) = lower.parse::<usize>() {
        return View::ALL.get(number.checked_sub(1)?).copied();
    }
    View::ALL.into_iter().find(|view| view.label().to_lowercase().starts_with(&lower))
}

/// What a line could become, whole lines without the colon. `workflows` are the names known so far.
pub fn complete(text: &str, workflows: &[String]) -> Vec<String> {
    let text = text.trim_start();
    match text.split_once(char::is_whitespace) {
        None => LINES
            .iter()
            .filter_map(|line| line.names.iter().find(|name| name.starts_with(text)).map(|name| (line, name)))
            .map(|(line, name)| if line.arg == Arg::None { (*name).to_owned() } else { format!("{name} ") })
            .collect(),
        Some((name, rest)) => {
            let rest = rest.trim_start().to_lowercase();
            let arg = LINES.iter().find(|line| line.names.contains(&name)).map_or(Arg::None, |line| line.arg);
            let names: Vec<String> = match arg {
                Arg::None => Vec::new(),
                Arg::Workflow => workflows.to_vec(),
                Arg::View => View::ALL.iter().map(|view| view.label().to_lowercase()).collect(),
            };
            names
                .into_iter()
                .filter(|candidate| candidate.to_lowercase().starts_with(&rest))
                .map(|candidate| format!("{name} {candidate}"))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read() {
        assert_eq!(parse(":run expense-approval"), Ok(Line::Run("expense-approval".to_owned())));
        assert_eq!(parse("run  "), Err(LineError::NoWorkflow));
        assert_eq!(parse("q"), Ok(Line::Quit));
        assert_eq!(parse("qui"), Ok(Line::Quit));
        assert_eq!(parse("demo"), Ok(Line::Examples));
        assert_eq!(parse("re"), Ok(Line::Reload));
        assert_eq!(parse("r"), Err(LineError::Unknown("r".to_owned())), "run or reload");
        assert_eq!(parse("view all"), Ok(Line::View(View::AllOpen)));
        assert_eq!(parse("view 4"), Ok(Line::View(View::Done)));
        assert_eq!(parse("view 0"), Err(LineError::NoView));
        assert_eq!(parse("help me"), Err(LineError::TooMuch("help")));
        assert_eq!(parse(" "), Err(LineError::Empty));
    }

    #[test]
    fn lines_are_completed() {
        let workflows = ["expense-approval".to_owned(), "kyc".to_owned()];
        assert_eq!(complete("r", &workflows), ["run ", "reload"]);
        assert_eq!(complete("run ", &workflows), ["run expense-approval", "run kyc"]);
        assert_eq!(complete("run k", &workflows), ["run kyc"]);
        assert_eq!(complete("view d", &[]), ["view done"]);
        assert!(complete("quit x", &[]).is_empty());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
            let _ = complete(&text, &[]);
        }
    }
}
