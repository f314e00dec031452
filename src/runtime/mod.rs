//! The loop: signals, input, messages; executes effects; paces frames.
