//! The conformance scenarios as rows: one run of `tests/conformance/check.py` a group of rows, judged there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libtest_mimic::Failed;
use serde::Deserialize;

use crate::environment::Environment;
use crate::server::Server;

/// Scenarios that share a server, by group. The rights that `acl` takes away are gone for good: it has its own.
pub const RUNS: &[&[&str]] = &[&["user_tasks", "workflows"], &["acl"]];

/// One server, one Python process, many scenarios: started by the first row that asks.
pub struct Run {
    environment: Environment,
    groups: &'static [&'static str],
    chosen: Vec<String>,
    verdicts: OnceLock<Result<BTreeMap<String, Verdict>, String>>,
}

/// What `check.py` says of one scenario.
#[derive(Clone, Debug, Deserialize)]
pub struct Verdict {
    state: State,
    passed: usize,
    failed: usize,
    wrong: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Passed,
    Failed,
    Pending,
}

impl Run {
    /// A run of the chosen scenarios of some groups; nothing happens yet.
    pub fn new(environment: Environment, groups: &'static [&'static str], chosen: Vec<String>) -> Self {
        Self { environment, groups, chosen, verdicts: OnceLock::new() }
    }

    /// The row of one scenario.
    pub fn row(&self, scenario: &str) -> Result<(), Failed> {
        let verdicts = self.verdicts.get_or_init(|| self.check()).as_ref()?;
        let verdict = verdicts.get(scenario).ok_or("the scenario was not run")?;
        if verdict.state == State::Failed { Err(verdict.wrong.join("\n").into()) } else { Ok(()) }
    }

    /// What has been run so far.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.get().and_then(|verdicts| verdicts.as_ref().ok()).into_iter().flat_map(BTreeMap::values)
    }

    fn check(&self) -> Result<BTreeMap<String, Verdict>, String> {
        let server = Server::start()?;
        let report = tempfile::NamedTempFile::new().map_err(|error| format!("no report file: {error}"))?;
        let mut command = self.environment.command("tests/conformance/check.py");
        command.arg("--target").arg(server.address().to_string()).arg("--report").arg(report.path());
        command.arg("--groups").arg(self.groups.join(","));
        for scenario in &self.chosen {
            command.args(["--only", scenario]);
        }
        let output = command.output().map_err(|error| format!("Python does not start: {error}"))?;
        let text = std::fs::read_to_string(report.path()).map_err(|error| format!("no report: {error}"))?;
        serde_json::from_str(&text).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Checks the lists: no scenario outside the golden records, no entry for a scenario or step that does not exist.
pub fn every_scenario_is_accounted_for(environment: &Environment) -> Result<(), Failed> {
    let output = environment.command("tests/conformance/check.py").arg("--accounts").output()?;
    let text = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    if output.status.success() { Ok(()) } else { Err(text.into_owned().into()) }
}

/// The scenarios of a group, from its golden record.
pub fn scenarios(group: &str) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Golden {
        scenarios: BTreeMap<String, serde::de::IgnoredAny>,
    }
    let path = folder().join(format!("{group}.golden.json"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let golden: Golden = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(golden.scenarios.into_keys().collect())
}

/// The scenarios that `pending.toml` leaves out.
pub fn pending() -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        pending: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        scenario: String,
    }
    let path = folder().join("pending.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list: List = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(list.pending.into_iter().map(|item| item.scenario).collect())
}

/// The closing lines: steps, then scenarios.
pub fn summary<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let verdicts: Vec<&Verdict> = verdicts.collect();
    let steps = |count: fn(&Verdict) -> usize| verdicts.iter().map(|verdict| count(verdict)).sum::<usize>();
    let scenes = |state: State| verdicts.iter().filter(|verdict| verdict.state == state).count();
    let mut text = String::new();
    if !verdicts.is_empty() {
        let _ = writeln!(text, "conformance: {} passed, {} failed", steps(|v| v.passed), steps(|v| v.failed));
        let (passed, failed, pending) = (scenes(State::Passed), scenes(State::Failed), scenes(State::Pending));
        let _ = writeln!(text, "conformance scenarios: {passed} agree, {failed} do not, {pending} pending");
    }
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}
