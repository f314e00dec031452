//! The only room that touches the tty.
