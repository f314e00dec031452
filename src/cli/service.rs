//! `ostler service`: the engine as a service of this person's.

use super::args::{ServiceArgs, ServiceCommand};
use super::backup::say;
use super::exit::Failure;
use crate::config::{Config, Flags, Paths};
use crate::local::{LocalError, Service};

/// The unit for a whole machine.
const SYSTEM_UNIT: &str = include_str!("../../packaging/ostler.service");

/// Installs, removes, looks at or prints it.
pub(super) fn run(args: &ServiceArgs) -> Result<(), Failure> {
    let said = match &args.what {
        ServiceCommand::Install(unit) => service(&unit.arguments().map_err(failed)?)?.install(),
        ServiceCommand::Remove => service(&[])?.remove(),
        ServiceCommand::Status => service(&[])?.status(),
        ServiceCommand::Print { system: true, .. } => return say(SYSTEM_UNIT),
        ServiceCommand::Print { unit, system: false } => {
            return say(&service(&unit.arguments().map_err(failed)?)?.text());
        }
    };
    let said = said.map_err(|error: LocalError| Failure::Other(error.to_string()))?;
    say(&said.iter().map(|sentence| format!("{sentence}\n")).collect::<String>())
}

fn service(arguments: &[String]) -> Result<Service, Failure> {
    let config = Config::load(Flags { bundled: true, ..Flags::default() })?;
    of_this_program(&config.paths, arguments)
}

/// The unit that starts this very program with these arguments of `serve`.
pub(super) fn of_this_program(paths: &Paths, arguments: &[String]) -> Result<Service, Failure> {
    let program = std::env::current_exe().map_err(failed)?;
    Ok(Service::new(paths.units_dir(), &program, arguments))
}

fn failed(error: std::io::Error) -> Failure {
    Failure::Other(format!("the service cannot be described: {error}"))
}
