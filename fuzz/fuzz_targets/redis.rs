//! What Redis says: see `ws_mio_server::fuzzing::redis`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ws_mio_server::fuzzing::redis(bytes));
