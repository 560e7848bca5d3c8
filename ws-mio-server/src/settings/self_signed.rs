//! A certificate to try TLS with.

use std::sync::OnceLock;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::Tls;

/// Who is meant by it.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate for this machine alone, the same as long as the program runs.
pub(super) fn certificate() -> Result<Tls, String> {
    static MADE: OnceLock<Result<Tls, String>> = OnceLock::new();
    MADE.get_or_init(|| {
        let failed = |error: &dyn std::fmt::Display| format!("tls-self-signed: {error}");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(NAMES.map(str::to_owned))
                .map_err(|error| failed(&error))?;
        Tls::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes())
            .map_err(|error| failed(&error))
    })
    .clone()
}
