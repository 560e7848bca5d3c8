//! The committed header is the generated one. `UPDATE=1 cargo test --test header` writes it.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::{env, fs};

#[test]
fn the_header_is_what_cbindgen_makes_of_the_source() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let mut made = Vec::new();
    cbindgen::generate(folder).unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = format!("{folder}/include/ws_proto.h");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(made == committed, "include/ws_proto.h is stale: UPDATE=1 cargo test --test header");
}
