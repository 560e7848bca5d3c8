//! A configuration file, an environment and a command line: see `ws_mio_server::fuzzing::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| ws_mio_server::fuzzing::settings(text));
