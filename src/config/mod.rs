//! Layered configuration: where each value came from, and how to reach a server.
