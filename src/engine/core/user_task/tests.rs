//! The life of a user task, command by command.
