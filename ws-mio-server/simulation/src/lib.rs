//! Whole servers, with their applications, in a simulated world: see `README.md`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    missing_docs,
    reason = "it is part of tests"
)]

// The applications of the server's binary, as they are; what they have of their surroundings is simulated.
#[allow(dead_code, unused_imports, reason = "not all of them are there")]
#[path = "../../src/app/mod.rs"]
mod app;
#[path = "chance.rs"]
mod chance;
mod clock;
mod dice;
mod plan;
mod shrink;
mod world;

pub use plan::{Item, Plan, Scale};
pub use shrink::shrink;
pub use world::{Outcome, run};
