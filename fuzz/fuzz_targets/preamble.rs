//! The header of the PROXY protocol: see `ws_mio_server::fuzzing::preamble`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ws_mio_server::fuzzing::preamble(bytes));
