//! The inbox as a state machine: model, messages, update to effects. No clock, no I/O, no ratatui.
