//! The engine on Redis, against real servers that the tests start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod cluster;
mod engine;
mod links;
mod list;
mod many;
mod rooms;
#[path = "../common/redis.rs"]
mod server;
