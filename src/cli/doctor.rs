//! `ostler doctor`: whether a store agrees with itself.

use std::process::ExitCode;

use super::args::DoctorArgs;
use super::attach::{self, Access};
use super::backup::{now, say};
use super::exit::{self, Failure};
use crate::api::ostler::v1::CheckStoreRequest;
use crate::domain::display_line;
use crate::engine::core;
use crate::engine::host::{Offline, UpkeepError};
use crate::engine::store::archive::ArchiveError;

/// Looks a store over, and with `--repair` rebuilds what follows from its objects.
pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    super::log::to_stderr(Default::default());
    if args.repair {
        return repair(&attach::alone(&args.store)?);
    }
    match attach::open(&args.store)? {
        Access::Alone(offline) => {
            let found = look_over(&offline)?;
            report(&found, "`ostler doctor --repair` rebuilds what follows from the objects.")
        }
        Access::Host(holder) => {
            let report_of_host = attach::ask(&holder, async |mut client| {
                let report = client.check_store(CheckStoreRequest {}).await;
                report.map(|report| report.into_inner().problems).map_err(|status| attach::refused(&status))
            })?;
            let found: Vec<String> = report_of_host.iter().map(|p| format!("{}: {}", p.place, p.detail)).collect();
            let advice = format!(
                "Stop the ostler that hosts it, process {}; then `ostler doctor --repair` rebuilds what follows from \
                 the objects.",
                holder.pid
            );
            report(&found, &advice)
        }
    }
}

fn repair(offline: &Offline) -> Result<ExitCode, Failure> {
    let before = look_over(offline)?;
    if before.is_empty() {
        return report(&before, "");
    }
    let kept = offline.repair(now())?;
    say(&format!(
        "Rebuilt what follows from the objects; {} problems before. The store as it was is kept as {}.\n",
        before.len(),
        kept.display()
    ))?;
    report(&look_over(offline)?, "These are in the objects themselves; a backup has them whole: `ostler restore FILE`.")
}

/// Everything that is wrong with a store: its pages first, then what is in them.
fn look_over(offline: &Offline) -> Result<Vec<String>, Failure> {
    let store = offline.open()?;
    let mut found = Vec::new();
    if !store.check_pages().map_err(|error| UpkeepError::from(ArchiveError::from(error)))? {
        found.push("db.redb: some of its pages could not be trusted and were set right from the others".to_owned());
    }
    let snapshot = store.snapshot().map_err(|fault| UpkeepError::from(ArchiveError::from(fault)))?;
    let problems = core::check(&snapshot).map_err(|fault| UpkeepError::from(ArchiveError::from(fault)))?;
    found.extend(problems.iter().map(ToString::to_string));
    Ok(found)
}

fn report(found: &[String], advice: &str) -> Result<ExitCode, Failure> {
    if found.is_empty() {
        say("The store agrees with itself: objects, checksums, indexes, counts, ids, dictionary and timers.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for problem in found {
        text += &format!("{}\n", display_line(problem));
    }
    text += &match found.len() {
        1 => format!("1 problem. {advice}\n"),
        many => format!("{many} problems. {advice}\n"),
    };
    say(&text)?;
    Ok(ExitCode::from(exit::DISAGREES))
}
