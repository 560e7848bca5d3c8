//! The arguments of what writes configurations of proxies.

use std::net::SocketAddr;
use std::path::PathBuf;
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

    /// Where a server listens; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) backend: Vec<SocketAddr>,

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

pub(super) const EXAMPLES: &str = "\
Examples:
  ws-mio-server gen nginx --listen 0.0.0.0:443 --certificate /etc/ssl/a.pem --key /etc/ssl/a.key > ws.conf
  ws-mio-server gen haproxy --backend 10.0.0.1:8080 --backend 10.0.0.2:8080 --proxy-protocol > haproxy.cfg";
