//! Operations on a client and a server that are joined: see `ws_proto::fuzzing::pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (bool, Vec<ws_proto::fuzzing::Op<'_>>)| {
    let (manual, ops) = input;
    let len = ops.iter().map(|(.., bytes)| bytes.len() + 20).sum();
    fuzz::within(len, 100, 32 * 1024, || ws_proto::fuzzing::pair(manual, &ops));
});
