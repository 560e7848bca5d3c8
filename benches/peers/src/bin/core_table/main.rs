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

use turns::{Column, Unit};

/// One table: a title, and a column for each size.
struct Table {
    title: &'static str,
    unit: Unit,
    columns: Vec<Column>,
}

fn main() {
    let wanted = env::args().nth(1).unwrap_or_default();
    let print = |name: &str, table: fn() -> Table| {
        if name.starts_with(&wanted) {
            let table = table();
            println!("{}, {}:\n", table.title, table.unit);
            turns::print(table.unit, table.columns);
            println!();
        }
    };
    print("receive", receive::binary);
    print("receive", receive::text);
    print("send", send::binary);
    print("unmask", masks::unmask);
    print("handshake", handshake::server);
}
