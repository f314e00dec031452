//! Lock, threads, listeners; start and stop.
