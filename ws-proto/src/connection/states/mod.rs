//! Every state of a connection with every event: walked from the first state on, held against the rules of
//! RFC 6455, and compared with `STATES.md`, which this writes.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests may panic")]

mod act;
mod driver;
mod page;
mod place;
mod rules;
mod walk;

use std::string::String;
use std::{env, fs};

use walk::Walk;

/// What happens is the same in both roles, but for who closes TCP.
#[test]
fn the_page_is_what_the_code_does() {
    let (server, client) = (Walk::of_server(), Walk::of_client());
    rules::hold(&server);
    rules::hold(&client);
    let page = page::of(&server, &client);
    if env::var_os("STATES").is_some_and(|how| how == "write") {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/STATES.md"), &page).unwrap();
        return;
    }
    let line = |text: &str| -> String {
        let mut pairs = text.lines().zip(page.lines());
        let other = pairs.find(|(committed, found)| committed != found);
        std::format!("{other:#?}")
    };
    let committed = include_str!("../../../STATES.md");
    assert!(
        committed == page,
        "STATES.md (left) and the code (right) differ: {}\nif the code is right: STATES=write cargo test -p ws-proto --lib states",
        line(committed)
    );
}
