//! The gRPC surface of the engine: LittleHorse and `ostler.v1`.
