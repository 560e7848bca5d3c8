//! A connection of the server, with a handler that sends back what it gets: see `ws_mio_server::fuzzing::echo`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: ([u8; 2], &[u8])| {
    let (sizes, bytes) = input;
    fuzz::within(bytes.len(), 200, 512 * 1024, || ws_mio_server::fuzzing::echo(sizes, bytes));
});
