//! The settings, as flags of the command line. All else follows from these.

mod apply;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::{Network, OriginPattern, SlowPeers, WindowBits};

use super::cluster::ClusterArgs;
use super::rooms::{CommonArgs, RoomArgs};
use super::values::{address, duration, positive, size, slow_peers, window};

/// What the server is set to.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Address and port to listen on; may be given several times
    ///
    /// Port 0 stands for any that is free. 0.0.0.0 or [::] stands for all addresses of the machine. The default
    /// is not listened on where `listen-tls` or `listen-unix` is set.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(super) listen: Vec<SocketAddr>,

    /// Address and port to listen on for TLS; may be given several times
    ///
    /// TLS 1.2 and 1.3, for wss:// and https://.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(super) listen_tls: Vec<SocketAddr>,

    /// Path of a Unix socket to listen on; may be given several times
    ///
    /// A file that a server has left there is replaced. Who connects there counts as 127.0.0.1. The default of
    /// `listen` is not listened on where this is set.
    #[arg(long, value_name = "PATH")]
    pub(super) listen_unix: Vec<PathBuf>,

    /// The certificate for TLS, and those that vouch for it, as PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Make a certificate for TLS that nobody else vouches for: to try it, on loopback addresses only
    #[arg(long)]
    tls_self_signed: bool,

    /// Address and port of those who run the server: /admin, /metrics, /healthz, /readyz; the first two are there alone
    ///
    /// Whoever reaches it may see who is connected, close connections, and stop the server: no token is asked for.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    admin_listen: Option<SocketAddr>,

    /// Event loops, each on a thread of its own [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// The largest message that is accepted; a larger one closes the connection with code 1009
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size)]
    pub(super) max_message: u64,

    /// How many WebSockets may be open; requests beyond get status 503 [default: as many as descriptors]
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,

    /// How many WebSockets one address may have open; requests beyond get status 429 [default: any number]
    ///
    /// Behind a trusted proxy it is the address of the client.
    #[arg(long, value_name = "N")]
    max_connections_per_address: Option<u32>,

    /// How many WebSockets one user may have open; requests beyond get status 429 [default: any number]
    ///
    /// A user is what a token names as its subject (`sub`).
    #[arg(long, value_name = "N")]
    max_connections_per_user: Option<u32>,

    /// How many WebSockets may be opened in a second; requests beyond get status 503 [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_handshakes_per_second: Option<u32>,

    /// How many messages a peer may send in a second [default: any number]
    ///
    /// What is not used of a second is saved for the next. It is looked at after each read of up to 64 KiB.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_messages_per_second: Option<u32>,

    /// How many bytes a peer may send in a second, as they come from the network [default: any number]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    max_bytes_per_second: Option<u64>,

    /// What happens to a peer that sends more than it may in a second
    #[arg(long, value_name = "HOW", default_value = "delay")]
    on_rate: Rate,

    /// How many bytes may wait for a peer that does not take them
    ///
    /// What happens beyond says `on-slow`. Replies to what a peer itself has sent may take as much as
    /// `max-message` more; with more than 64 KiB of them it is not read from. What somebody missed of a room and gets
    /// as it comes back does not count.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size)]
    max_queued: u64,

    /// How long bytes may wait for a peer that takes none of them
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive)]
    stall_timeout: Duration,

    /// What happens to a peer for which too much waits, or for too long
    #[arg(long, value_name = "HOW", default_value = "close")]
    on_slow: Slow,

    /// The last three for one route alone; may be given several times
    ///
    /// The path of the route, and what is other than elsewhere, as in
    /// `/relay/{room} on-slow=drop-oldest max-queued=64KiB stall-timeout=10s`.
    #[arg(long, value_name = "ROUTE", value_parser = slow_peers)]
    slow_peers: Vec<(String, SlowPeers)>,

    /// How long the request that opens a connection may take to come
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive)]
    handshake_timeout: Duration,

    /// How long a closing handshake may take, also when the server stops
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive)]
    close_timeout: Duration,

    /// Over which time SIGTERM closes connections, one after the other, before the server stops; 0s: at once
    ///
    /// Each gets code 1012. What the close timeout needs of this time is for the last ones to answer; each
    /// worker closes 20 a second or more, so a few need less time. SIGINT closes all at once, with code 1001.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) drain: Duration,

    /// After how much silence a peer is pinged; 0s: never
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    ping_interval: Duration,

    /// How long a peer that was pinged may stay silent until it counts as dead
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pong_timeout: Duration,

    /// Let browsers connect from pages of this origin, too; may be given several times
    ///
    /// `https://example.com`, `https://*.example.com`, `http://localhost:*`, `null`, or `*` for all. Pages of the same
    /// host may always connect, and so may whatever is no browser.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<OriginPattern>,

    /// Require a token of everyone who connects, signed by a key of this set (JWKS)
    ///
    /// JSON Web Tokens of HS256, RS256, ES256 and EdDSA come by `Authorization: Bearer TOKEN`, by the
    /// subprotocols `bearer, TOKEN`, or by `?token=TOKEN`. `ws-mio-server token` makes some to try.
    #[arg(long, value_name = "FILE")]
    auth_jwks: Option<PathBuf>,

    /// The issuer (`iss`) that tokens must be of
    #[arg(long, value_name = "NAME")]
    auth_issuer: Option<String>,

    /// An audience (`aud`) that tokens may be meant for; may be given several times
    #[arg(long, value_name = "NAME")]
    auth_audience: Vec<String>,

    /// How far the clocks of those who sign tokens may be off
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    auth_leeway: Duration,

    /// How those are told who may not connect
    #[arg(long, value_name = "HOW", default_value = "status")]
    auth_denied: Denial,

    /// Believe the proxy at this address when it says whom it speaks for; may be given several times
    #[arg(long, value_name = "NETWORK")]
    trusted_proxy: Vec<Network>,

    /// The field of a request in which trusted proxies say it; only the one that yours sets is safe
    #[arg(long, value_name = "FIELD", default_value = "x-forwarded-for")]
    proxy_header: Field,

    /// Expect connections to come from trusted proxies and to begin with a PROXY protocol header (v1 or v2)
    #[arg(long)]
    proxy_protocol: bool,

    /// Let anyone connect from other machines, without a token
    #[arg(long)]
    insecure_no_auth: bool,

    /// The keys of the HTTP API, one in each line of 16 or more visible ASCII characters
    ///
    /// Whoever has one may publish as anybody, read all rooms and disconnect users. Keys are read again by SIGHUP; whether
    /// there is an API is decided at the start: without this, there is one only where no other machine reaches the
    /// server and no proxy is trusted, with a key that is made at each start and shown.
    #[arg(long, value_name = "FILE")]
    pub(super) api_keys: Option<PathBuf>,

    #[command(flatten)]
    pub(super) common: CommonArgs,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) rooms: RoomArgs,

    /// How the log is written, to standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) log_format: LogFormat,

    /// Record what each connection says in a file of its own in this directory, to be replayed
    ///
    /// Tokens, cookies, queries and bodies of requests are left out; messages are not. `ws-mio-server replay FILE` goes
    /// through a file. Nothing is ever deleted.
    #[arg(long, value_name = "DIRECTORY")]
    record: Option<PathBuf>,

    /// How much is recorded of a connection
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size)]
    record_each: u64,

    /// How large the recordings in the directory may be together; what is there when the server starts counts
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = size)]
    record_all: u64,

    /// What the log tells: connections that ended well are told of at debug, others at info
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(super) log_level: LogLevel,

    /// Whether and how messages are compressed, if clients offer it (permessage-deflate)
    #[arg(long, value_name = "HOW", default_value = "shared")]
    deflate: Compression,

    /// How hard to compress: 0 (not at all) to 9
    #[arg(long, value_name = "LEVEL", default_value = "1", value_parser = clap::value_parser!(u8).range(0..=9))]
    deflate_level: u8,

    /// How far back compressed data may refer: 9 (512 bytes) to 15 (32 KiB)
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = window)]
    deflate_window: WindowBits,

    /// A message of fewer bytes goes uncompressed [default: 256, or 32 if dedicated]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    deflate_threshold: Option<u64>,

    /// Memory that compression may come to need in all; beyond, new connections share, then go without
    ///
    /// Each connection has 64 KiB reserved, or up to 355 KiB if dedicated; an idle one uses none of it,
    /// unless dedicated.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = size)]
    deflate_memory: u64,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For the eye
    Human,
    /// An object of JSON a line
    Json,
}

/// What the log tells at least, from the quietest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum LogLevel {
    /// What keeps the server from serving
    Error,
    /// What an operator should look at
    Warn,
    /// Refused requests, and connections that ended badly
    Info,
    /// Also connections that ended well
    Debug,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Field {
    /// X-Forwarded-For
    XForwardedFor,
    /// Forwarded (RFC 7239)
    Forwarded,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Denial {
    /// By status 401 instead of a connection
    Status,
    /// By code 4401 that closes it at once, which web pages can see
    Close,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Rate {
    /// It is not read from until it may send more
    Delay,
    /// It is closed with code 1008
    Close,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Slow {
    /// It is closed with code 1013, and what waits is dropped
    Close,
    /// The oldest messages of rooms that wait for it are dropped; it is closed only if there are none
    DropOldest,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Compression {
    /// Not at all
    Off,
    /// Each message for itself: an idle connection costs nothing more
    Shared,
    /// With a compressor of each connection's own: smaller messages, up to 355 KiB a connection
    Dedicated,
}
