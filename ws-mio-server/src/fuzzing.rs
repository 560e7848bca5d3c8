//! The bodies of fuzz targets.
#![allow(clippy::panic, reason = "oracles panic")]

mod handler;
mod redis;
mod requests;

pub use handler::{echo, handler};
pub use redis::redis;
pub use requests::requests;

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use clap::ArgMatches;

use crate::proxy::preamble;
use crate::settings::{Settings, Sources, command};
use crate::{Jwt, JwtSigner, Server, Tls};

/// Settings of flags (lines that start with `-`), of an environment (`$NAME=VALUE`, the name without its
/// prefix), and of a file (all other lines). Those that are good are so, and the same, when they are printed
/// and read again, with the passwords that are not printed.
pub fn settings(text: &str) {
    let flags = text.lines().filter(|line| line.starts_with('-')).map(str::to_owned);
    let flags = std::iter::once(String::new()).chain(flags);
    let environment = text.lines().filter_map(|line| line.strip_prefix('$')?.split_once('='));
    let environment = environment
        .map(|(name, value)| (OsString::from(format!("WSMIO_{name}")), OsString::from(value)));
    let file: String =
        text.split_inclusive('\n').filter(|line| !line.starts_with(['-', '$'])).collect();
    match resolve(flags, environment, &file) {
        Ok(settings) => check(&settings),
        Err(problems) => assert!(!problems.trim().is_empty(), "they are refused without a word"),
    }
}

/// Settings of flags alone, which were parsed.
pub fn flags(matches: &ArgMatches) {
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let sources =
        Sources { flags: matches, config: None, environment: std::iter::empty(), read: nothing };
    if let Ok(settings) = Settings::resolve(sources) {
        check(&settings);
    }
}

fn check(settings: &Settings) {
    let printed = settings.to_string();
    let (nothing, hidden) = (|| std::iter::once(String::new()), settings.hidden());
    if !hidden.is_empty() {
        // What is not shown is not taken for something else: it is asked for.
        match resolve(nothing(), std::iter::empty(), &printed) {
            Ok(_) => panic!("a password that is not shown is taken for one: {printed}"),
            Err(problems) => assert!(problems.contains("***"), "{problems}"),
        }
    }
    match resolve(nothing(), hidden.into_iter(), &printed) {
        Ok(again) => assert_eq!(settings.args(), again.args(), "{printed}"),
        Err(problems) => panic!("{problems}\n{printed}"),
    }
    // What they come to, but for what is read of files.
    let reads = |line: &str| ["auth-jwks = ", "tls-"].iter().any(|name| line.starts_with(name));
    let off = |line: &str| line.starts_with("tls-self-signed = false");
    if !printed.lines().any(|line| reads(line) && !off(line)) {
        let _ = settings.apply(Server::builder());
    }
}

/// A file of keys for tokens (JWKS), and one of certificates and a key (PEM), that are the same.
pub fn keys(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = Jwt::from_jwks(text);
        if let Ok(signer) = JwtSigner::from_jwks(text, None) {
            let _ = signer.sign("{}");
        }
    }
    if let Err(error) = Tls::from_pem(bytes, bytes) {
        assert!(!error.to_string().is_empty());
    }
}

/// The header of the PROXY protocol that bytes begin with. What has come in part is not judged otherwise than
/// the whole, what stands behind a header changes nothing, and a client is the one that the header names.
pub fn preamble(bytes: &[u8]) {
    let whole = preamble::parse(bytes);
    for end in 0..bytes.len().min(300) {
        let part = preamble::parse(bytes.get(..end).unwrap_or_default());
        assert!(part == Ok(None) || part == whole, "{end}: {part:?}, {whole:?}");
    }
    let Ok(Some(read)) = whole else { return };
    let header = bytes.get(..read.len).unwrap_or_else(|| panic!("{read:?} of {}", bytes.len()));
    assert_eq!(preamble::parse(header), whole, "what stands behind it counts");
    let Some(client) = read.client else { return };
    if let Ok(line) = std::str::from_utf8(header)
        && line.starts_with("PROXY ")
    {
        let words: Vec<_> = line.trim_end().split(' ').collect();
        let [_, _, source, _, port, _] = words.as_slice() else { panic!("{line:?}") };
        assert_eq!(source.parse().ok(), Some(client.ip()), "{line:?}");
        assert_eq!(port.parse().ok(), Some(client.port()), "{line:?}");
    } else {
        let address = match client.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        assert_eq!(header.get(16..).map(|rest| rest.starts_with(&address)), Some(true));
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
