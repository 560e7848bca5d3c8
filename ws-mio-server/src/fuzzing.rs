//! The bodies of fuzz targets.
#![allow(clippy::panic, reason = "oracles panic")]

use std::ffi::OsString;
use std::path::Path;

use crate::settings::{Settings, Sources, command};

/// Settings of flags (lines that start with `-`), of an environment (`$NAME=VALUE`, the name without its
/// prefix), and of a file (all other lines). Those that are good are so, and the same, when they are printed
/// and read again.
pub fn settings(text: &str) {
    let flags = text.lines().filter(|line| line.starts_with('-')).map(str::to_owned);
    let flags = std::iter::once(String::new()).chain(flags);
    let environment = text.lines().filter_map(|line| line.strip_prefix('$')?.split_once('='));
    let environment = environment
        .map(|(name, value)| (OsString::from(format!("WSMIO_{name}")), OsString::from(value)));
    let file: String =
        text.split_inclusive('\n').filter(|line| !line.starts_with(['-', '$'])).collect();
    if let Ok(settings) = resolve(flags, environment, &file) {
        let printed = settings.to_string();
        let again = resolve(std::iter::once(String::new()), std::iter::empty(), &printed);
        match again {
            Ok(again) => assert_eq!(settings.args(), again.args(), "{printed}"),
            Err(problems) => panic!("{problems}\n{printed}"),
        }
    }
}

fn resolve(
    flags: impl Iterator<Item = String>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    file: &str,
) -> Result<Settings, String> {
    let matches = command().try_get_matches_from(flags).map_err(|error| error.to_string())?;
    let sources = Sources {
        flags: &matches,
        config: Some(Path::new("file.toml")),
        environment,
        read: |_: &Path| Ok(file.to_owned()),
    };
    Settings::resolve(sources).map_err(|problems| problems.to_string())
}
