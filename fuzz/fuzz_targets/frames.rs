//! Bytes from a peer, in both roles: see `ws_proto::fuzzing::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, u16, [u8; 4], &[u8])| {
    let (flags, limit, sizes, bytes) = input;
    fuzz::within(bytes.len(), 400, 32 * 1024, || {
        ws_proto::fuzzing::frames(flags, limit, sizes, bytes);
    });
});
