//! The core beside the WebSocket crates of others, in memory: frames in, frames out, masks, the opening
//! handshake.
//!
//! `cargo run --release --bin core_table` in `benches/peers` prints the tables, as Markdown. All that
//! stands in one column takes turns of a millisecond, in random order, so that the machine is the same for
//! all of them. `core_table receive` prints those tables whose title begins so. Figures in brackets
//! are multiples of `ws-proto`, each of the same round.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement, not a product"
)]

mod handshake;
mod masks;
mod receive;
mod replay;
mod send;
mod turns;

use std::env;

use turns::Table;

/// All of them, by what they are asked for.
const TABLES: [(&str, fn() -> Table); 5] = [
    ("receive", receive::binary),
    ("receive", receive::text),
    ("send", send::binary),
    ("unmask", masks::unmask),
    ("handshake", handshake::server),
];

fn main() {
    let wanted = env::args().nth(1).unwrap_or_default();
    let tables = TABLES.iter().filter(|(name, _)| name.starts_with(&wanted));
    turns::print(tables.map(|(_, table)| table()).collect());
}
