//! Requests to a service: see `ws_mio_server::fuzzing::requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ws_mio_server::fuzzing::requests(bytes));
