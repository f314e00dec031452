//! Durable storage of the engine on redb; all file I/O goes through `Disk`.
