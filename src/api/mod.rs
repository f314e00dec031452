//! Generated messages and services: the LittleHorse API and our own `ostler.v1`, from `proto/` by `build.rs`.

/// The LittleHorse API, package `littlehorse`, as published with 1.3.0.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod littlehorse {
    tonic::include_proto!("littlehorse");
}

/// What one ostler host says to another ostler, beside the LittleHorse API.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod ostler {
    /// Version 1 of it.
    pub mod v1 {
        tonic::include_proto!("ostler.v1");
    }

    /// The private half of stored records.
    pub mod store {
        /// Format 1.
        pub mod v1 {
            tonic::include_proto!("ostler.store.v1");
        }
    }
}

pub use ostler::store;

/// The descriptors of everything above, as a serialised `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
