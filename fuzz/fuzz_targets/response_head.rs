//! The head of a response as raw bytes: see `ws_proto::fuzzing::response_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: ([u8; 4], &[u8])| {
    let (sizes, bytes) = input;
    fuzz::within(bytes.len(), 8, 8 * 1024, || ws_proto::fuzzing::response_head(sizes, bytes));
});
