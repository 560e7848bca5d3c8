//! Lists of tokens and of extensions in header fields: see `ws_proto::fuzzing::lists`.
#![no_main]

use ws_proto::fuzzing::Wishes;

libfuzzer_sys::fuzz_target!(|input: (Wishes, Wishes, Vec<&[u8]>)| {
    let (server, client, values) = input;
    ws_proto::fuzzing::lists(server, client, &values);
});
