//! Bytes that may be the head of a response: see `ws_proto::fuzzing::response_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: ([u8; 4], &[u8])| {
    let (sizes, bytes) = input;
    ws_proto::fuzzing::response_head(sizes, bytes);
});
