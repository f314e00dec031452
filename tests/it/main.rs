//! The integration tests, one binary: linking is the dear part of a test build.

mod architecture;
