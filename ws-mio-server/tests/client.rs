//! `client.js` in Node: against a server in memory on a virtual clock, against the binary while that is killed
//! again and again, and as TypeScript sees it.
//!
//! What is needed beside Node is made by `eval "$(ws-mio-server/tests/interop/setup)"`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// Whether something of others is there, as `probe` shows; CI must have it.
fn is_there(what: &str, mut probe: Command) -> bool {
    probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let there = probe.status().is_ok_and(|status| status.success());
    if !there {
        assert!(std::env::var_os("CI").is_none(), "{what} is missing; CI must install it");
        eprintln!("skipped: no {what} on this machine");
    }
    there
}

/// What a command says; it must succeed.
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(output.status.success(), "{command:?} failed:\n{said}");
    said
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client").join(name)
}

#[test]
fn nothing_is_lost_or_doubled_whatever_goes_wrong() {
    let mut probe = Command::new("node");
    probe.args(["-e", "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)"]);
    if is_there("Node 18", probe) {
        let said = output(
            Command::new("node")
                .args(["--test", "--test-reporter=tap"])
                .arg(file("client.test.mjs")),
        );
        assert!(said.contains("\n# fail 0\n") && !said.contains("\n# pass 0\n"), "{said}");
    }
}

/// Node, with what was installed for tests.
fn node() -> Command {
    let mut node = Command::new("node");
    if let Some(modules) = std::env::var_os("INTEROP_NODE_MODULES") {
        node.env("NODE_PATH", modules);
    }
    node
}

fn ws_is_there() -> bool {
    let mut probe = node();
    probe.args(["-e", "require('ws')"]);
    is_there("Node's ws", probe)
}

/// Has people talk by a transport while the server is killed again and again.
fn crash(transport: &str) {
    if !ws_is_there() {
        return;
    }
    let name = format!("ws-mio-server-crashes-{transport}-{}", std::process::id());
    let data = std::env::temp_dir().join(name);
    let said =
        output(node().arg(file("crashes.cjs")).arg(PROGRAM).arg(&data).args(["5", transport]));
    let _ = std::fs::remove_dir_all(&data);
    assert!(said.contains("300 messages, 5 crashes, none lost, none doubled"), "{said}");
}

#[test]
fn nothing_is_lost_or_doubled_though_the_server_is_killed() {
    crash("websocket");
}

#[test]
fn nor_where_websockets_are_blocked() {
    crash("sse");
}

#[test]
fn its_types_are_what_typescript_takes() {
    let modules = std::env::var_os("INTEROP_NODE_MODULES").unwrap_or_default();
    let tsc = Path::new(&modules).join(".bin/tsc");
    let mut probe = Command::new(&tsc);
    probe.arg("--version");
    if is_there("TypeScript", probe) {
        output(
            Command::new(&tsc)
                .args(["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext"])
                .args(["--lib", "es2022,dom"])
                .arg(file("types.mts")),
        );
    }
}
