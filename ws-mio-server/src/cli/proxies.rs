//! The arguments of what writes configurations of proxies.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ws_mio_server::settings::values::positive;

/// What a configuration is for.
#[derive(Debug, Args)]
pub(crate) struct GenArgs {
    /// The proxy
    pub(crate) proxy: Proxy,

    /// Where the proxy listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:80")]
    pub(crate) listen: SocketAddr,

    /// Where a server listens; may be given several times. A name is looked up when the proxy starts
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) backend: Vec<Backend>,

    /// Speak TLS with the certificate of this PEM file; for haproxy, its key must be in it, too
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,

    /// The certificate's key, a PEM file; for nginx only
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,

    /// After how much silence the proxy cuts a connection: more than the server's ping interval
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = positive)]
    pub(crate) idle_timeout: Duration,

    /// Tell the client's address by the PROXY protocol, not by a field; for haproxy only
    #[arg(long)]
    pub(crate) proxy_protocol: bool,
}

/// A proxy that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proxy {
    /// A file for conf.d
    Nginx,
    /// A whole haproxy.cfg
    Haproxy,
}

/// Where a server listens: an address, or a name that the proxy looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Address(SocketAddr),
    Name(String, u16),
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let due =
            || format!("{text:?} is no HOST:PORT, such as 10.0.0.1:8080, [::1]:8080 or ws-1:8080");
        let (name, port) = text.rsplit_once(':').ok_or_else(due)?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let is_name = (1..=253).contains(&name.len()) && name.bytes().all(known);
        // Four numbers that are no address are a mistake, not a name.
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match port.parse() {
            Ok(port @ 1..) if is_name && !is_number => Ok(Self::Name(name.to_owned(), port)),
            _ => Err(due()),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

pub(super) const EXAMPLES: &str = "\
Examples:
  ws-mio-server gen nginx --listen 0.0.0.0:443 --certificate /etc/ssl/a.pem --key /etc/ssl/a.key > ws.conf
  ws-mio-server gen haproxy --backend 10.0.0.1:8080 --backend 10.0.0.2:8080 --proxy-protocol > haproxy.cfg
  ws-mio-server gen nginx --backend ws-1:8080 --backend ws-2:8080 --backend ws-3:8080 > ws.conf";
