//! Compressed data from a peer: see `ws_proto::fuzzing::inflate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, u16, [u8; 4], &[u8])| {
    let (flags, limit, sizes, data) = input;
    // Two messages of the limit in each of two logs, which double as they grow, and the inflater.
    let fixed = 10 * usize::from(limit) + 256 * 1024;
    fuzz::within(data.len(), 100, fixed, || ws_proto::fuzzing::inflate(flags, limit, sizes, data));
});
