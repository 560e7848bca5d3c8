//! The arguments of the client.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use ws_mio_server::settings::values::{duration, positive, size};

use super::values::{header, url};
use crate::connect::Url;

/// What the client connects to, and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line are that")]
pub(crate) struct ConnectArgs {
    /// Where to connect to: ws://HOST[:PORT][/PATH] or wss://…
    #[arg(value_name = "URL", value_parser = url)]
    pub(crate) url: Url,

    /// Send a text message instead of what is typed; may be given several times
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) message: Vec<String>,

    /// Lines of input are hexadecimal digits and sent as binary messages
    #[arg(long, conflicts_with_all = ["raw", "message"])]
    pub(crate) hex: bool,

    /// Input is sent as binary messages, as it comes; what is received is printed without additions
    #[arg(long, conflicts_with = "message")]
    pub(crate) raw: bool,

    /// Lines that start with `/` are commands, also if input is not a terminal; see /help
    #[arg(long, conflicts_with_all = ["raw", "message"])]
    pub(crate) slash: bool,

    /// Add a field to the request; may be given several times
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) header: Vec<(String, String)>,

    /// Offer a subprotocol; may be given several times, the one liked best first
    #[arg(short, long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,

    /// The page that the connection is said to come from, as browsers say it: https://example.com
    #[arg(short, long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,

    /// Log in by name and password (HTTP Basic)
    #[arg(long, value_name = "USER:PASSWORD")]
    pub(crate) auth: Option<String>,

    /// Log in by a token (Authorization: Bearer)
    #[arg(long, value_name = "TOKEN", conflicts_with = "auth")]
    pub(crate) token: Option<String>,

    /// Trust the certificates of this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Trust any certificate of the server: anyone may be listening
    #[arg(short = 'k', long, conflicts_with = "ca")]
    pub(crate) insecure: bool,

    /// Offer no compression (permessage-deflate)
    #[arg(long)]
    pub(crate) no_deflate: bool,

    /// The largest message that is accepted; a larger one closes the connection with code 1009
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = size)]
    pub(crate) max_message: u64,

    /// How long it may take until the connection is open
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) connect_timeout: Duration,

    /// After the end of input, close when the server has been silent for so long
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) wait: Duration,

    /// Close when N messages have been received, not before
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Stay after the end of input until the server closes
    #[arg(long, conflicts_with_all = ["wait", "count"])]
    pub(crate) stay: bool,

    /// Ping so often and tell how long the answers take
    #[arg(short, long, value_name = "TIME", value_parser = positive)]
    pub(crate) ping: Option<Duration>,

    /// How long an answer to a ping may take until the connection counts as lost
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) pong_timeout: Duration,

    /// Connect again when the connection is lost or can't be made
    #[arg(short, long)]
    pub(crate) reconnect: bool,

    /// Tell nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Tell what is said in the opening handshake
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

pub(super) const EXAMPLES: &str = "\
Messages go to standard output: a text as a line, a binary message as a line of hexadecimal digits.
All else goes to standard error. The exit status is 0 if the connection was closed by this end, or by
the server with code 1000, 1001 or none; 1 otherwise.

Examples:
  ws-mio-server connect ws://127.0.0.1:8080/echo
  ws-mio-server connect ws://127.0.0.1:8080/echo -m hello -n 1
  ws-mio-server connect wss://example.com/feed --stay --reconnect | jq .
  echo 68656c6c6f | ws-mio-server connect ws://127.0.0.1:8080/echo --hex
  ws-mio-server connect wss://localhost:8443/ --ca dev.pem -s chat.v2 -H 'Cookie: id=1' --ping 5s

With lines typed at a terminal, or --slash: /ping, /close [CODE [REASON]], /hex DIGITS, /help.";
