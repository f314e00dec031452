//! What keeps an engine running over the years: formats, backups, the doctor, and what a service manager asks for.

mod golden;
mod prune;
mod restore;
mod service;
mod serving;
mod upkeep;
