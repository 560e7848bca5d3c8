//! The page at `/` in a real browser: headless Chromium, driven over its debugging protocol by our own
//! client role.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

#[path = "common/chromium.rs"]
mod chromium;

use std::process::Command;

use chromium::{Chromium, start};

#[test]
fn the_page_connects_echoes_and_shows_round_trips() {
    check(&["--listen", "127.0.0.1:0"]);
}

#[test]
fn the_page_does_so_by_tls() {
    check(&["--listen-tls", "127.0.0.1:0", "--tls-self-signed"]);
}

fn check(arguments: &[&str]) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
    let (_server, url) = start(server.args(arguments), "  page ");
    let Some(mut chromium) = Chromium::open(&url) else { return };
    let script = "new Promise(done => {
            const step = () => {
                const state = document.body && document.body.dataset.state;
                if (state !== 'open') return setTimeout(step, 10);
                if (!window.clicked) {
                    window.clicked = true;
                    document.querySelector('#text').value = 'grüße ☃';
                    document.querySelector('#send').click();
                    document.querySelector('#burst').click();
                }
                const lines = [...document.querySelectorAll('#log li')].map(li => li.innerText);
                if (lines.length < 3) return setTimeout(step, 10);
                done([...lines, document.querySelector('#state').innerText,
                    document.querySelector('#count').innerText].join('|'));
            };
            step();
        })";
    let shown = (0..10).find_map(|_| chromium.page.evaluate(script)).expect("the page stays");
    drop(chromium);
    assert!(shown.contains("grüße ☃") && shown.contains(" ms"), "{shown}");
    assert!(shown.ends_with("|connected|1002"), "{shown}");
    assert!(!shown.contains("not what was sent"), "{shown}");
}
