//! Resident memory of a server per idle connection.
//!
//! `cargo build --release && cargo run --release -p benches --bin idle` starts the `ws-mio-server` beside
//! this program, opens 10,000 connections to `/echo`, and prints what the server's resident set grew
//! by: when they are open, after each has echoed, and after traffic. In the traffic, each echoes 16 messages
//! of 1 KiB in a burst and one of 64 KiB, and one in a hundred 1 MiB; a thousand at a time are in the middle
//! of a message. `--connections N` opens another number, `--server PATH` takes another server, `--peer
//! NAME` adds one of the program `peers`, `--deflate off|shared` has clients offer permessage-deflate to a
//! server that is set to that, and `--at-most BYTES` fails if a connection takes more.
//!
//! `--deflate dedicated` opens 1,000 connections for each window and for levels 1 and 6, has each of them
//! echo 64 KiB of noise and 64 KiB of JSON, too, so that all of its contexts' memory is in use, prints a
//! line for each next to what is documented, and fails if that is wrong by more than 10 %. `--window BITS`
//! and `--level LEVEL` measure that one only.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement, not a product"
)]

mod contexts;
mod traffic;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fmt, fs};

use benches::cores::processor_time;
use benches::{Result, Server, open, raise_descriptor_limit};
use ws_proto::deflate::WindowBits;

use contexts::Filling;

/// Connections that come and go first, so that one-time costs are not counted.
const WARM_UP: usize = 100;

const FRAME: [u8; 14] = *b"\x81\x88\0\0\0\0eight by";
const ECHO: [u8; 10] = *b"\x81\x08eight by";

fn echo(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(&FRAME)?;
    let mut reply = [0; ECHO.len()];
    stream.read_exact(&mut reply)?;
    if reply == ECHO { Ok(()) } else { Err("not what was sent".into()) }
}

/// What the server's resident set has grown by for each connection.
struct Grown {
    opened: f64,
    echoed: f64,
    /// After traffic, or after the contexts were filled.
    busied: f64,
    /// The server's resident set before, in all.
    alone: u64,
    /// What the kernel's own memory has grown by for each connection's two ends, when they were open.
    kernel: f64,
    /// Processor time that the server took to open a connection, in microseconds.
    opening: f64,
}

impl fmt::Display for Grown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opened, echoed, busied, alone, .. } = self;
        write!(f, "{opened:.1} | {echoed:.1} | {busied:.1} | {alone}")
    }
}

/// Memory of the kernel's own for sockets and such, of all processes, in bytes.
fn kernel() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:")).ok_or("no Slab")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse::<u64>()? * 1024)
}

/// What is measured.
struct Load {
    program: PathBuf,
    connections: usize,
    offer: &'static str,
    filling: Option<Filling>,
}

impl Load {
    fn run(&self, options: &[String]) -> Result<Grown> {
        self.run_on(Server::start(&self.program, options)?)
    }

    fn run_on(&self, (server, address): (Server, String)) -> Result<Grown> {
        let open_many = |n| (0..n).map(|_| open(&address, "/echo", self.offer));
        let mut first = open_many(WARM_UP).collect::<Result<Vec<_>>>()?;
        for stream in &mut first {
            echo(stream)?;
        }
        // Each is gone before the next takes memory, so that only what a worker keeps for all of them is
        // not counted.
        first.into_iter().try_for_each(|stream| self.busy(&mut [stream]))?;
        let (alone, kernel_alone) = (server.settled()?, kernel()?);
        let taken = processor_time(server.id())?;
        let mut open = open_many(self.connections).collect::<Result<Vec<_>>>()?;
        let (opened, kernel_opened) = (server.settled()?, kernel()?);
        let taken = processor_time(server.id())?.saturating_sub(taken);
        let opening = taken as f64 / self.connections as f64 / 1000.0;
        for stream in &mut open {
            echo(stream)?;
        }
        let echoed = server.settled()?;
        self.busy(&mut open)?;
        let busied = server.settled()?;
        let each = |now: u64| now.saturating_sub(alone) as f64 / self.connections as f64;
        let (opened, echoed, busied) = (each(opened), each(echoed), each(busied));
        let kernel = kernel_opened.saturating_sub(kernel_alone) as f64 / self.connections as f64;
        Ok(Grown { opened, echoed, busied, alone, kernel, opening })
    }

    /// Makes the server take memory. Where a connection has contexts, all messages go through them: the
    /// server may compress what does not shrink, too.
    fn busy(&self, streams: &mut [TcpStream]) -> Result<()> {
        match &self.filling {
            Some(filling) => streams.iter_mut().try_for_each(|stream| filling.exchange(stream)),
            None => traffic::pass(streams),
        }
    }
}

fn main() -> Result<()> {
    let (mut connections, mut at_most) = (None, f64::INFINITY);
    let (mut deflate, mut window, mut level) = ("off".to_owned(), None, None);
    let mut peers = Vec::new();
    let mut program = env::current_exe()?.with_file_name("ws-mio-server");
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--connections" => connections = Some(value.parse::<usize>()?),
            "--server" => program = value.into(),
            "--peer" => peers.push(value),
            "--deflate" => deflate = value,
            "--window" => {
                let bits = value.parse().ok().and_then(WindowBits::new);
                window = Some(bits.ok_or("a window of 9 to 15 is due")?);
            }
            "--level" => level = Some(value.parse::<u8>()?),
            "--at-most" => at_most = value.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    raise_descriptor_limit()?;
    let offer = match deflate.as_str() {
        "off" => "",
        _ => "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    };
    let few = if deflate == "dedicated" { 1_000 } else { 10_000 };
    let load = Load { program, connections: connections.unwrap_or(few), offer, filling: None };
    let worst = if deflate == "dedicated" {
        let levels = level.map_or_else(|| vec![1, 6], |level| vec![level]);
        contexts::dedicated(load, &contexts::windows(window), &levels)?
    } else {
        println!("{} idle connections, resident bytes each:\n", load.connections);
        println!("| | opened | after one echo | after traffic | the server alone |");
        println!("|---|---|---|---|---|");
        let ours = load.run(&["--deflate".to_owned(), deflate])?;
        println!("| ours | {ours} |");
        for peer in peers {
            let program = env::current_exe()?.with_file_name("peers");
            let grown = load.run_on(Server::spawn(Command::new(program).arg(&peer))?)?;
            println!("| {peer} | {grown} |");
        }
        println!(
            "\nThe kernel's own memory for both ends of a connection: {:.0} bytes.",
            ours.kernel
        );
        println!("Processor time of ours to open one: {:.0} µs.", ours.opening);
        ours.opened.max(ours.echoed).max(ours.busied)
    };
    if worst > at_most { Err(format!("{worst} bytes, more than {at_most}").into()) } else { Ok(()) }
}
