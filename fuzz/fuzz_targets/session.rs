//! One end, what its host calls, and a hostile peer, in both roles: see `ws_proto::fuzzing::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, u16, Vec<ws_proto::fuzzing::Step<'_>>)| {
    let (flags, limit, steps) = input;
    let len = steps.iter().map(|(_, bytes)| bytes.len() + 20).sum();
    fuzz::within(len, 100, 32 * 1024, || ws_proto::fuzzing::session(flags, limit, &steps));
});
