//! What the measurements share: a server beside this program, connections to it, and messages.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    reason = "measurements, not a product"
)]

pub mod cores;
pub mod load;
pub mod point;
pub mod servers;
pub mod spread;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Whatever fails ends the measurement.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A server beside this program, which ends with this value.
#[derive(Debug)]
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts a `ws-mio-server` on a free port; the address comes with it.
    pub fn start(program: &Path, options: &[String]) -> Result<(Self, String)> {
        let mut command = Command::new(program);
        command
            .args(["--listen", "127.0.0.1:0", "--log-level", "warn", "--ping-interval", "0s"])
            .args(options);
        Self::spawn(&mut command)
    }

    /// Starts any server that prints `ws://` and its address; that comes with it.
    pub fn spawn(command: &mut Command) -> Result<(Self, String)> {
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| {
            let program = Path::new(command.get_program()).display();
            format!("{program}: {error}; build it with `cargo build --release`")
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

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Resident memory that is its own, in bytes.
    pub fn resident(&self) -> Result<u64> {
        resident(&self.0.id().to_string())
    }

    /// Processor time that it has taken, its own and the kernel's for it, in seconds.
    pub fn processor_time(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let (_, fields) = text.rsplit_once(')').ok_or("no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks = ticks.map(str::parse::<u32>).sum::<std::result::Result<u32, _>>()?;
        let per_second = u32::try_from(clock_ticks_per_second())?;
        Ok(f64::from(ticks) / f64::from(per_second))
    }

    /// Resident memory once it has stopped changing.
    pub fn settled(&self) -> Result<u64> {
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

/// Resident memory that is the process's own, in bytes; `self` names this one.
pub fn resident(process: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let of = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
    };
    let dirty = of("Private_Dirty:").zip(of("Private_Clean:")).ok_or("no such lines")?;
    Ok((dirty.0 + dirty.1) * 1024)
}

/// Allows as many descriptors as may be allowed.
pub fn raise_descriptor_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// Opens a connection; `offer` is more of the request's head, in lines.
pub fn open(address: &str, path: &str, offer: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    // In one piece, so that the floor server need not put it together.
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (mut response, mut byte) = (Vec::new(), [0]);
    while !response.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        response.extend(byte);
    }
    let response = String::from_utf8_lossy(&response);
    let compressed = response.contains("permessage-deflate");
    if !response.starts_with("HTTP/1.1 101 ") || compressed == offer.is_empty() {
        return Err(response.into());
    }
    Ok(stream)
}

/// Numbers that look random, and are the same each time (SplitMix64).
#[derive(Clone, Copy, Debug)]
pub struct Numbers(pub u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(z ^ (z >> 31))
    }
}

/// Bytes that do not shrink.
#[must_use]
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    Numbers(seed).flat_map(u64::to_le_bytes).take(len).collect()
}

/// A JSON text of exactly `len` bytes, at least 48, as a service might send it: the keys repeat, most
/// of the values don't. Each seed makes another.
#[must_use]
pub fn json(seed: u64, len: usize) -> String {
    const NAMES: [&str; 8] =
        ["Amsterdam", "Bogota", "Cairo", "Delhi", "Lagos", "Lima", "Osaka", "Toronto"];
    const STATES: [&str; 4] = ["open", "filled", "partial", "cancelled"];
    let mut numbers = Numbers(seed);
    let mut next = move || numbers.next().unwrap_or(0);
    let mut text = format!(r#"{{"seq":{},"at":{},"#, seed % 100_000, 1_760_000_000 + seed * 7);
    text.push_str(r#""items":["#);
    let mut item = String::new();
    loop {
        item.clear();
        let (id, price, amount, pick) = (next() >> 24, next() % 100_000, next() % 5_000, next());
        let (name, state) = (NAMES[(pick % 8) as usize], STATES[(pick >> 8) as usize % 4]);
        let _ = write!(
            item,
            r#"{{"id":"{id:010x}","place":"{name}","state":"{state}","price":{}.{:02},"amount":{amount}}},"#,
            price / 100,
            price % 100,
        );
        if text.len() + item.len() + 3 > len {
            break;
        }
        text.push_str(&item);
    }
    if text.ends_with(',') {
        text.pop();
    }
    text.push(']');
    // What is left is a note of letters that say nothing, or blanks.
    if text.len() + 8 <= len {
        text.push_str(r#","n":""#);
        while text.len() + 2 < len {
            text.push(char::from(b"etaoin shrdlu"[(next() % 13) as usize]));
        }
        text.push('"');
    }
    while text.len() + 1 < len {
        text.push(' ');
    }
    text.push('}');
    text
}
