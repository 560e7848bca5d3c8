//! The arguments of what makes tokens.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use ws_mio_server::settings::values::duration;

use super::values::claim;

/// What a token is to say, and who signs it.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The set of keys (JWKS) that the server was given as --auth-jwks; one must have its private part
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: PathBuf,

    /// Make the set first, with a new key for HS256, if there is no such file
    #[arg(long)]
    pub(crate) generate: bool,

    /// The key of the set that signs (`kid`) [default: the first that can]
    #[arg(long, value_name = "NAME")]
    pub(crate) kid: Option<String>,

    /// Whose token it is (`sub`)
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,

    /// How long it is valid (`exp`)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,

    /// Who issues it (`iss`)
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,

    /// Whom it is meant for (`aud`); may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: Vec<String>,

    /// A further claim, in JSON or else a text; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    pub(crate) claim: Vec<(String, serde_json::Value)>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  ws-mio-server token --jwks dev.json --generate --user alice > alice.jwt
  ws-mio-server --auth-jwks dev.json
  ws-mio-server connect ws://127.0.0.1:8080/echo --token \"$(cat alice.jwt)\"
  ws-mio-server token --jwks dev.json --user bob --expires 8h --audience chat --claim 'rooms=[\"a\"]'";
