//! Sockets over streams, against the core's other end, at every size of reads and writes.
#![cfg(all(feature = "embedded-io", feature = "embedded-io-async", feature = "alloc"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

mod asynchronous;
mod blocking;
mod pipe;
