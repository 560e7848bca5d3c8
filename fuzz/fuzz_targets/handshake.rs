//! Both ends of an opening handshake: see `ws_proto::fuzzing::handshake`.
#![no_main]

use ws_proto::fuzzing::Asked;

libfuzzer_sys::fuzz_target!(|input: ([u8; 16], Asked<'_>, (u8, &str, &[u8]))| {
    let (nonce, asked, choice) = input;
    ws_proto::fuzzing::handshake(nonce, &asked, choice);
});
