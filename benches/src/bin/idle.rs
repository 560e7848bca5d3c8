//! Resident memory of a server per idle connection.
//!
//! `cargo build --release && cargo run --release -p benches --bin idle` starts the `ws-mio-server` beside
//! this program, opens 10,000 connections to `/echo`, and prints what the server's resident set grew
//! by: when they are open, and after each has echoed. `--connections N` opens another number,
//! `--server PATH` takes another server, `--deflate off|shared|dedicated` has clients offer
//! permessage-deflate to a server that is set to that, `--window BITS` to that window, and
//! `--at-most BYTES` fails if a connection takes more.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement, not a product"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Connections that come and go first, so that one-time costs are not counted.
const WARM_UP: usize = 100;

const FRAME: [u8; 14] = *b"\x81\x88\0\0\0\0eight by";
const ECHO: [u8; 10] = *b"\x81\x08eight by";

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(program: &PathBuf, options: &[String]) -> Result<(Self, String)> {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--ping-interval", "0s"]).args(options);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| {
            format!("{}: {e}; build it with `cargo build --release`", program.display())
        })?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let server = Self(child);
        for line in BufReader::new(stdout).lines() {
            if let Some((_, rest)) = line?.split_once("ws://") {
                return Ok((server, rest.split('/').next().unwrap_or_default().to_owned()));
            }
        }
        Err("the server ended without a banner".into())
    }

    /// Resident memory that is its own, in bytes.
    fn resident(&self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.0.id());
        let text = fs::read_to_string(path)?;
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        };
        let dirty = of("Private_Dirty:").zip(of("Private_Clean:")).ok_or("no such lines")?;
        Ok((dirty.0 + dirty.1) * 1024)
    }

    /// Resident memory once it has stopped changing.
    fn settled(&self) -> Result<u64> {
        let mut last = self.resident()?;
        loop {
            thread::sleep(Duration::from_millis(200));
            let now = self.resident()?;
            if now == last {
                return Ok(now);
            }
            last = now;
        }
    }
}

fn open(address: &str, offer: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET /echo HTTP/1.1\r\nHost: {address}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )?;
    let (mut response, mut byte) = (Vec::new(), [0]);
    while !response.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        response.push(byte[0]);
    }
    if !response.starts_with(b"HTTP/1.1 101 ") {
        return Err(String::from_utf8_lossy(&response).into());
    }
    Ok(stream)
}

fn echo(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(&FRAME)?;
    let mut reply = [0; ECHO.len()];
    stream.read_exact(&mut reply)?;
    if reply == ECHO { Ok(()) } else { Err("not what was sent".into()) }
}

fn main() -> Result<()> {
    let (mut connections, mut at_most) = (10_000, f64::INFINITY);
    let (mut offer, mut options) = ("", Vec::new());
    let mut program = env::current_exe()?.with_file_name("ws-mio-server");
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--connections" => connections = value.parse::<usize>()?,
            "--server" => program = value.into(),
            "--deflate" => {
                offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
                options.extend([name, value]);
            }
            "--window" => options.extend(["--deflate-window".to_owned(), value]),
            "--at-most" => at_most = value.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;

    let (server, address) = Server::start(&program, &options)?;
    let warm = (0..WARM_UP).map(|_| open(&address, offer)).collect::<Result<Vec<_>>>()?;
    for mut stream in warm {
        echo(&mut stream)?;
    }
    let before = server.settled()?;
    let mut open = (0..connections).map(|_| open(&address, offer)).collect::<Result<Vec<_>>>()?;
    let opened = server.settled()?;
    for stream in &mut open {
        echo(stream)?;
    }
    let echoed = server.settled()?;

    let each = |now: u64| now.saturating_sub(before) as f64 / connections as f64;
    println!("{connections} idle connections, resident bytes each");
    println!("  opened            {:>8.1}", each(opened));
    println!("  after one echo    {:>8.1}", each(echoed));
    println!("  (the server alone {before:>8} bytes)");
    let worst = each(opened.max(echoed));
    if worst > at_most { Err(format!("{worst} bytes, more than {at_most}").into()) } else { Ok(()) }
}
