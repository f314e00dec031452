//! The integration tests, one binary: linking is the dear part of a test build.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions; the helpers here are tests too"
)]

mod architecture;
mod hosting;
mod pty;
mod store;
