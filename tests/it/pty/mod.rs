//! The real program in a real terminal.

mod journey;
mod session;
mod terminal;
