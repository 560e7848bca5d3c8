//! Bytes from a peer, read by the core and by tungstenite: see `fuzz::tungstenite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (bool, u8, &[u8])| {
    let (client, limit, bytes) = input;
    fuzz::within(bytes.len(), 100, 64 * 1024, || fuzz::tungstenite(client, limit, bytes));
});
