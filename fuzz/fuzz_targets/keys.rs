//! Files that settings name, of keys and certificates: see `ws_mio_server::fuzzing::keys`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ws_mio_server::fuzzing::keys(bytes));
