//! Rows that need the public LittleHorse client: the wire, the conformance scenarios, the SDK programs.
//!
//! Without the Python environment of `tests/sdk/setup` they are ignored and the reason is printed; with
//! `OSTLER_REQUIRE_SDK=1`, as in CI, they fail. docs/testing.md says more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions; the helpers here are tests too"
)]

#[path = "sdk/conformance.rs"]
mod conformance;
#[path = "sdk/environment.rs"]
mod environment;
#[path = "sdk/server.rs"]
mod server;
#[path = "sdk/wire.rs"]
mod wire;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use environment::Environment;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The programs against a server of their own: what a newcomer does with the published SDK.
const PROGRAMS: &[&str] = &["tests/sdk/python/expense.py"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let environment = Environment::find();
    let required = std::env::var_os("OSTLER_REQUIRE_SDK").is_some_and(|value| value == "1");
    let maker = Rows { environment: environment.clone(), required };

    let mut rows = vec![Trial::test("wire::sees_every_kind_of_change", wire::sees_every_kind_of_change)];
    rows.push(maker.row("wire::same_as_the_published_client", wire::same_as_the_published_client));
    rows.push(maker.row("conformance::accounts", conformance::every_scenario_is_accounted_for));
    for program in PROGRAMS {
        let name = program.trim_start_matches("tests/sdk/").trim_end_matches(".py").replace('/', "::");
        rows.push(maker.row(&format!("sdk::{name}"), move |environment| run_program(environment, program)));
    }
    let runs = match conformance_rows(&maker, &arguments, &mut rows) {
        Ok(runs) => runs,
        Err(error) => {
            rows.push(Trial::test("conformance::lists", move || Err(Failed::from(error))));
            Vec::new()
        }
    };

    let conclusion = libtest_mimic::run(&arguments, rows);
    let mut out = std::io::stdout().lock();
    let summary = conformance::summary(runs.iter().flat_map(|run| run.verdicts()));
    let skipped = match &environment {
        Err(reason) if !arguments.list => format!("the rows that need the LittleHorse client were skipped: {reason}\n"),
        _ => String::new(),
    };
    let _ = write!(out, "{summary}{skipped}");
    conclusion.exit_code()
}

/// Makes rows that need the environment.
struct Rows {
    environment: Result<Environment, String>,
    required: bool,
}

impl Rows {
    fn row(&self, name: &str, test: impl FnOnce(&Environment) -> Result<(), Failed> + Send + 'static) -> Trial {
        match self.environment.clone() {
            Ok(environment) => Trial::test(name, move || test(&environment)),
            Err(reason) if self.required => Trial::test(name, move || Err(reason.into())),
            // The last line of the run says it in full.
            Err(_) => Trial::ignorable_test(name, || Ok(Completion::ignored_with("needs tests/sdk/setup"))),
        }
    }
}

/// A row a scenario; the scenarios that the arguments choose share the runs.
fn conformance_rows(
    maker: &Rows,
    arguments: &Arguments,
    rows: &mut Vec<Trial>,
) -> Result<Vec<Arc<conformance::Run>>, String> {
    let pending = conformance::pending()?;
    let mut runs = Vec::new();
    for groups in conformance::RUNS {
        let mut named = Vec::new();
        for group in *groups {
            for scenario in conformance::scenarios(group)? {
                let state = if pending.contains(&scenario) { "pending::" } else { "" };
                named.push((format!("conformance::{group}::{state}{scenario}"), scenario));
            }
        }
        let run = maker.environment.as_ref().ok().map(|environment| {
            let probe = |name: &str| Trial::test(name, || Ok(()));
            let chosen = named.iter().filter(|(name, _)| !arguments.is_filtered_out(&probe(name)));
            let chosen = chosen.map(|(_, scenario)| scenario.clone()).collect();
            Arc::new(conformance::Run::new(environment.clone(), groups, chosen))
        });
        for (name, scenario) in named {
            let run = run.clone();
            rows.push(maker.row(&name, move |_| run.map_or(Ok(()), |run| run.row(&scenario))));
        }
        runs.extend(run);
    }
    Ok(runs)
}

/// Runs a program against a fresh server; it ends with 0 when everything was as it must be.
fn run_program(environment: &Environment, program: &str) -> Result<(), Failed> {
    let server = server::Server::start()?;
    let address = server.address();
    let output = environment
        .python(program)
        .env("LHC_API_HOST", address.ip().to_string())
        .env("LHC_API_PORT", address.port().to_string())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{program} ended with {}\n{out}{err}", output.status).into())
}
