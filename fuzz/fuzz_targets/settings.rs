//! A configuration file, an environment and a command line: see `ws_mio_server::fuzzing::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (Vec<String>, Vec<(String, String)>, String)| {
    let (flags, environment, file) = input;
    ws_mio_server::fuzzing::settings(&flags, &environment, &file);
});
