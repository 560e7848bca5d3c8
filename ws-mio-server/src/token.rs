//! `ws-mio-server token`: tokens to try a server with.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Map, Value, json};
use ws_mio_server::JwtSigner;

use crate::cli::TokenArgs;
use crate::clock;

/// Prints a token.
pub(crate) fn run(args: &TokenArgs) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", args.jwks.display());
    if args.generate {
        generate(&args.jwks).map_err(|error| failed(&error))?;
    }
    let set = fs::read_to_string(&args.jwks).map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed(&"there is no such file: --generate makes one"),
        _ => failed(&error),
    })?;
    let signer = JwtSigner::from_jwks(&set, args.kid.as_deref()).map_err(|error| failed(&error))?;
    let token = signer.sign(&claims(args).to_string()).map_err(|error| failed(&error))?;
    writeln!(io::stdout().lock(), "{token}").map_err(|error| format!("standard output: {error}"))
}

fn claims(args: &TokenArgs) -> Value {
    let now = clock::unix_time();
    let mut claims: Map<String, Value> = args.claim.iter().cloned().collect();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("sub", json!(args.user));
    set("iat", json!(now));
    set("exp", json!(now.saturating_add(args.expires.as_secs())));
    if let Some(issuer) = &args.issuer {
        set("iss", json!(issuer));
    }
    match args.audience.as_slice() {
        [] => {}
        [audience] => drop(set("aud", json!(audience))),
        several => drop(set("aud", json!(several))),
    }
    Value::Object(claims)
}

/// Makes a set of keys that only its owner can read, unless the file is there.
fn generate(file: &Path) -> io::Result<()> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(io::Error::other)?;
    match File::options().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut opened) => opened.write_all(JwtSigner::generate(&entropy).as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
