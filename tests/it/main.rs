//! The integration tests, one binary: linking is the dear part of a test build.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy.toml allows them in test functions, and the helpers here are tests too; a seed must be told"
)]

mod architecture;
mod documents;
mod hosting;
mod operations;
mod pty;
mod store;
