//! The bundled engine: a durable, single-node engine that speaks the LittleHorse API.
//!
//! `core` decides, `store` keeps, `writer` orders and commits, `service` listens, `host` owns the threads and the
//! data directory.

pub mod core;
pub mod host;
pub mod service;
pub mod store;
pub mod writer;
