//! Commands and exit codes.

mod args;
mod attach;
mod backup;
mod doctor;
mod exit;
mod inbox;
pub mod local;
mod log;
mod notify;
mod paths;
mod prune;
mod scratch;
mod serve;
mod service;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        None => inbox::run(&cli.inbox),
        Some(Command::Demo(args)) => inbox::demo(args),
        Some(Command::Serve(args)) => serve::run(args).map(|()| ExitCode::SUCCESS),
        Some(Command::Backup(args)) => backup::backup(args).map(|()| ExitCode::SUCCESS),
        Some(Command::Restore(args)) => backup::restore(args).map(|()| ExitCode::SUCCESS),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Prune(args)) => prune::run(args).map(|()| ExitCode::SUCCESS),
        Some(Command::Service(args)) => service::run(args).map(|()| ExitCode::SUCCESS),
        Some(Command::Paths(args)) => paths::run(args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| failure.report())
}
