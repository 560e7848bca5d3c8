//! Compressed data from a peer: see `ws_proto::fuzzing::inflate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, u16, [u8; 4], &[u8])| {
    let (flags, limit, sizes, data) = input;
    ws_proto::fuzzing::inflate(flags, limit, sizes, data);
});
