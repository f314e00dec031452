//! Commands and exit codes.

mod args;
mod exit;
pub mod local;
mod log;
mod paths;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Paths(args)) => paths::run(args),
        Some(Command::Demo(_)) | None => return ExitCode::SUCCESS,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
