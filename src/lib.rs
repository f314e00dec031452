//! ostler: find, claim, fill in and finish the user tasks of LittleHorse workflows, in a terminal.
//!
//! The folders are the rooms of the architecture; `docs/architecture.md` says what each may use and
//! `tests/it/architecture.rs` holds it.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod gateway;
pub mod input;
pub mod local;
pub mod runtime;
pub mod terminal;
pub mod ui;
