//! The command line.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use ws_mio_server::{Builder, Deflate, StartError, WindowBits};

/// A WebSocket server that is useful at once: an echo, relay rooms, and a page to try them.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct Args {
    /// Address and port to listen on; may be given several times
    ///
    /// Port 0 stands for any that is free. 0.0.0.0 or [::] stands for all addresses of the machine.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: Vec<SocketAddr>,

    /// Event loops, each on a thread of its own [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// The largest message that is accepted; a larger one closes the connection with code 1009
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size)]
    pub(crate) max_message: u64,

    /// How long the request that opens a connection may take to come
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive)]
    handshake_timeout: Duration,

    /// How long a closing handshake may take, also when the server stops
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive)]
    close_timeout: Duration,

    /// After how much silence a peer is pinged; 0s: never
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    ping_interval: Duration,

    /// How long a peer that was pinged may stay silent until it counts as dead
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pong_timeout: Duration,

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

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Compression {
    /// Not at all
    Off,
    /// Each message for itself: an idle connection costs nothing more
    Shared,
    /// With a compressor of each connection's own: smaller messages, up to 355 KiB a connection
    Dedicated,
}

const EXAMPLES: &str = "\
Sizes: 64KiB, 16MiB, 1000000. Times: 500ms, 5s, 2m.

Examples:
  ws-mio-server                                     on 127.0.0.1:8080
  ws-mio-server --listen 127.0.0.1:9001 --listen [::1]:9001
  ws-mio-server --listen 0.0.0.0:80 --workers 4 --max-message 16MiB

Open the page that the banner names, or connect with any WebSocket client to
  /echo          every message comes back
  /relay/ROOM    every message goes to everyone else in ROOM
GET /healthz answers `ok` while the server runs. SIGINT or SIGTERM closes every
connection with code 1001 and exits with 0; a second one exits at once.";

impl Args {
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        let builder = builder
            .max_message(self.max_message)
            .handshake_timeout(self.handshake_timeout)
            .close_timeout(self.close_timeout)
            .ping_interval(Some(self.ping_interval).filter(|interval| !interval.is_zero()))
            .pong_timeout(self.pong_timeout)
            .deflate(match self.deflate {
                Compression::Off => Deflate::Off,
                Compression::Shared => Deflate::Shared,
                Compression::Dedicated => Deflate::Dedicated,
            })
            .deflate_level(self.deflate_level)
            .deflate_window(self.deflate_window)
            .deflate_memory(usize::try_from(self.deflate_memory).unwrap_or(usize::MAX));
        let builder = match self.deflate_threshold {
            Some(bytes) => builder.deflate_threshold(usize::try_from(bytes).unwrap_or(usize::MAX)),
            None => builder,
        };
        match self.workers {
            Some(workers) => builder.workers(workers),
            None => builder,
        }
    }
}

/// What to do about an error, to be put behind it.
pub(crate) fn advice(error: &StartError) -> &'static str {
    match error {
        StartError::Bind(_, error) => match error.kind() {
            ErrorKind::AddrInUse => "; stop it, or choose another port with --listen",
            ErrorKind::PermissionDenied => {
                "; ports below 1024 need a privilege: choose another with --listen"
            }
            ErrorKind::AddrNotAvailable => {
                "; no interface of this machine has that address: 0.0.0.0 or [::] listens on all"
            }
            _ => "",
        },
        _ => "",
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let due = "an IP address and a port are due, such as 127.0.0.1:8080 or [::1]:8080";
    text.parse().map_err(|_| due.to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    let due = "a number of bytes is due, such as 1000000, 64KiB or 16MiB";
    parse_size::parse_size(text).map_err(|error| format!("{error}; {due}"))
}

fn window(text: &str) -> Result<WindowBits, String> {
    let bits = text.parse().ok().and_then(WindowBits::new);
    bits.ok_or_else(|| "a number from 9 to 15 is due".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let due = "a number and a unit are due, such as 500ms, 5s or 2m";
    humantime::parse_duration(text).map_err(|error| format!("{error}; {due}"))
}

/// A duration that would leave no time at all if it were zero.
fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("more than no time is due, such as 5s".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, address, duration, positive, size};
    use clap::{CommandFactory as _, Parser as _};
    use std::time::Duration;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_need_no_arguments() {
        let args = Args::parse_from(["ws-mio-server"]);
        assert_eq!(args.listen, ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(args.max_message, 1024 * 1024);
    }

    #[test]
    fn values_have_units_and_errors_say_what_is_due() {
        assert_eq!(size("16MiB"), Ok(16 * 1024 * 1024));
        assert_eq!(size("64k"), Ok(64_000));
        assert_eq!(duration("1m 500ms"), Ok(Duration::from_millis(60_500)));
        assert!(size("16 apples").unwrap_err().contains("64KiB"));
        assert!(size("-1").is_err());
        assert!(duration("5").unwrap_err().contains("500ms"));
        assert_eq!(positive("1ms"), Ok(Duration::from_millis(1)));
        assert!(positive("0s").unwrap_err().contains("5s"));
        assert!(address("8080").unwrap_err().contains("127.0.0.1:8080"));
    }
}
