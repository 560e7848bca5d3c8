//! Bytes that may be the head of a request: see `ws_proto::fuzzing::request_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: ([u8; 4], &[u8])| {
    let (sizes, bytes) = input;
    ws_proto::fuzzing::request_head(sizes, bytes);
});
