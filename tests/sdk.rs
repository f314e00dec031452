//! Rows that need the public LittleHorse clients: the wire, the conformance scenarios, the SDK programs.
//!
//! Without the environment of `tests/sdk/setup` (Python, Java and Node apart) they are ignored and the reason is
//! printed; with `OSTLER_REQUIRE_SDK=1`, as in CI, they fail. docs/testing.md says more.
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
#[path = "sdk/programs.rs"]
mod programs;
#[path = "sdk/server.rs"]
mod server;
#[path = "sdk/wire.rs"]
mod wire;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use environment::{Environment, Language};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = std::env::var_os("OSTLER_REQUIRE_SDK").is_some_and(|value| value == "1");
    let maker = Rows { environments: Language::ALL.map(|language| (language, Environment::find(language))), required };

    let mut rows = vec![Trial::test("wire::sees_every_kind_of_change", wire::sees_every_kind_of_change)];
    let python = Language::Python;
    rows.push(maker.row(python, "wire::same_as_the_published_client", wire::same_as_the_published_client));
    rows.push(maker.row(python, "conformance::accounts", conformance::every_scenario_is_accounted_for));
    for program in programs::PROGRAMS {
        let test = move |environment: &Environment| programs::run(environment, program);
        rows.push(maker.row(Language::of(program), &programs::row_name(program), test));
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
    let skipped = if arguments.list { String::new() } else { maker.skipped() };
    let _ = write!(out, "{summary}{skipped}");
    conclusion.exit_code()
}

/// Makes rows that need a part of the environment.
struct Rows {
    environments: [(Language, Result<Environment, String>); 3],
    required: bool,
}

impl Rows {
    fn environment(&self, language: Language) -> Result<Environment, String> {
        let found = self.environments.iter().find(|(one, _)| *one == language);
        found.map_or_else(|| Err(format!("no {language:?}")), |(_, environment)| environment.clone())
    }

    fn row(
        &self,
        language: Language,
        name: &str,
        test: impl FnOnce(&Environment) -> Result<(), Failed> + Send + 'static,
    ) -> Trial {
        match self.environment(language) {
            Ok(environment) => Trial::test(name, move || test(&environment)),
            Err(reason) if self.required => Trial::test(name, move || Err(reason.into())),
            // The last lines of the run say it in full.
            Err(_) => Trial::ignorable_test(name, || Ok(Completion::ignored_with("needs tests/sdk/setup"))),
        }
    }

    /// Why rows were skipped, a line a language.
    fn skipped(&self) -> String {
        let reasons = self.environments.iter().filter_map(|(_, environment)| environment.as_ref().err());
        reasons.map(|reason| format!("rows were skipped: {reason}\n")).collect()
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
        let run = maker.environment(Language::Python).ok().map(|environment| {
            let probe = |name: &str| Trial::test(name, || Ok(()));
            let chosen = named.iter().filter(|(name, _)| !arguments.is_filtered_out(&probe(name)));
            let chosen = chosen.map(|(_, scenario)| scenario.clone()).collect();
            Arc::new(conformance::Run::new(environment, groups, chosen))
        });
        for (name, scenario) in named {
            let run = run.clone();
            rows.push(maker.row(Language::Python, &name, move |_| run.map_or(Ok(()), |run| run.row(&scenario))));
        }
        runs.extend(run);
    }
    Ok(runs)
}
