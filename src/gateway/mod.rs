//! The client side: one channel, connection state, and the way between protobuf and domain.
