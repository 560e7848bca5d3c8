//! Compressed data from a peer, inflated by the core and by miniz_oxide: see `fuzz::inflate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, u16, Vec<&[u8]>)| {
    let (flags, limit, messages) = input;
    let len = messages.iter().map(|data| data.len()).sum();
    let fixed = 10 * usize::from(limit) + 256 * 1024;
    fuzz::within(len, 10, fixed, || fuzz::inflate(flags, limit, &messages));
});
