//! `ostler paths`: where files lie.

use std::io::{self, Write};

use super::args::PathsArgs;
use super::exit::Failure;
use crate::config::Config;

/// Prints them, one a line, the name first.
pub(super) fn run(args: &PathsArgs) -> Result<(), Failure> {
    let config = Config::load(args.flags())?;
    let paths = &config.paths;
    let rows = [
        ("config", &paths.config_file),
        ("littlehorse", &paths.littlehorse_file),
        ("data", &config.data_dir.value),
        ("drafts", &paths.drafts_dir()),
        ("log", &paths.log_file()),
    ];
    let mut text = String::new();
    for (name, path) in rows {
        text += &format!("{name:<12}{}\n", path.display());
    }
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::Other(format!("cannot print: {error}")))
}
