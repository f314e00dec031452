//! The real program in a real terminal.

mod session;

mod terminal;
