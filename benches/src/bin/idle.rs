//! Resident memory of a server per idle connection.
//!
//! `cargo build --release && cargo run --release -p benches --bin idle` starts the `ws-mio-server` beside
//! this program, opens 10,000 connections to `/echo`, and prints what the server's resident set grew
//! by: when they are open, and after each has echoed. `--connections N` opens another number,
//! `--server PATH` takes another server, `--deflate off|shared` has clients offer permessage-deflate to a
//! server that is set to that, and `--at-most BYTES` fails if a connection takes more.
//!
//! `--deflate dedicated` opens 300 connections for each window and for levels 1 and 6, has each of them
//! echo 64 KiB of noise and 64 KiB of JSON, too, so that all of its contexts' memory is in use, prints a
//! line for each next to what is documented, and fails if that is wrong by more than 10 %. `--window BITS`
//! and `--level LEVEL` measure that one only.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement, not a product"
)]

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use benches::{Result, Server, json, noise, open, raise_descriptor_limit};
use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings, WindowBits};
use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Event, Input, Message, Part, Scratch};

/// Connections that come and go first, so that one-time costs are not counted.
const WARM_UP: usize = 100;

/// Bytes of each message that fills a connection's contexts.
const LARGE: usize = 64 * 1024;

const FRAME: [u8; 14] = *b"\x81\x88\0\0\0\0eight by";
const ECHO: [u8; 10] = *b"\x81\x08eight by";

fn echo(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(&FRAME)?;
    let mut reply = [0; ECHO.len()];
    stream.read_exact(&mut reply)?;
    if reply == ECHO { Ok(()) } else { Err("not what was sent".into()) }
}

/// What a connection sends, and reads of what comes back, to fill its contexts.
struct Filling {
    wire: Vec<u8>,
    context: Context,
    /// Bytes that come back.
    due: usize,
}

type Key = fn() -> [u8; 4];

impl Filling {
    fn new(window: WindowBits) -> Result<Self> {
        let context = Context { window, takeover: true };
        let (noise, text) = (noise(1, LARGE), json(1, LARGE));
        let mut deflater = Deflater::new(&Settings::default(), context);
        let (mut connection, mut wire) = (Self::connection(context), Vec::new());
        for message in [Message::Binary(&noise), Message::Text(&text)] {
            connection.send_deflated(message, true, &mut deflater, &mut wire)?;
        }
        Ok(Self { wire, context, due: noise.len() + text.len() })
    }

    fn connection(context: Context) -> Connection<Client<Key>> {
        let agreed = Agreed::elsewhere();
        let agreed = agreed.with_deflate(Agreement { sent: context, received: context });
        Connection::new(Client(|| [0x37, 0xfa, 0x21, 0x3d]), Config::default(), agreed)
    }

    fn exchange(&self, stream: &mut TcpStream) -> Result<()> {
        stream.write_all(&self.wire)?;
        let (mut connection, mut inflater) =
            (Self::connection(self.context), Inflater::new(self.context));
        let (mut due, mut buffer) = (self.due, vec![0; LARGE]);
        while due > 0 {
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                return Err("closed".into());
            }
            let mut scratch = Scratch::new();
            let mut input = Input::new(buffer.get_mut(..n).unwrap_or_default(), &mut scratch);
            while let Some(event) = connection.next_event_inflated(&mut input, &mut inflater)? {
                let len = match event {
                    Event::Text(Part { data, .. }) => data.len(),
                    Event::Binary(Part { data, .. }) => data.len(),
                    other => return Err(format!("{other:?}").into()),
                };
                due = due.checked_sub(len).ok_or("more than was sent")?;
            }
        }
        Ok(())
    }
}

/// What the server's resident set has grown by for each connection.
struct Grown {
    opened: f64,
    echoed: f64,
    filled: f64,
    /// The server's resident set before, in all.
    alone: u64,
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
        let (server, address) = Server::start(&self.program, options)?;
        let open_many = |n| (0..n).map(|_| open(&address, "/echo", self.offer));
        for mut stream in open_many(WARM_UP).collect::<Result<Vec<_>>>()? {
            echo(&mut stream)?;
        }
        let alone = server.settled()?;
        let mut open = open_many(self.connections).collect::<Result<Vec<_>>>()?;
        let opened = server.settled()?;
        for stream in &mut open {
            echo(stream)?;
        }
        let echoed = server.settled()?;
        for stream in &mut open {
            if let Some(filling) = &self.filling {
                filling.exchange(stream)?;
            }
        }
        let filled = server.settled()?;
        let each = |now: u64| now.saturating_sub(alone) as f64 / self.connections as f64;
        let (opened, echoed, filled) = (each(opened), each(echoed), each(filled));
        Ok(Grown { opened, echoed, filled, alone })
    }
}

fn windows(given: Option<WindowBits>) -> Vec<WindowBits> {
    given.map_or_else(|| (9..=15).filter_map(WindowBits::new).collect(), |window| vec![window])
}

/// A line for each window and level.
fn dedicated(mut load: Load, windows: &[WindowBits], levels: &[u8]) -> Result<f64> {
    println!("{} idle connections, resident bytes each", load.connections);
    println!("  level  window    opened  after 64 KiB  documented");
    let (mut most, mut wrong) = (0f64, 0f64);
    for &level in levels {
        for &window in windows {
            load.filling = Some(Filling::new(window)?);
            // As much memory as it takes, so that none of them has to share.
            let options = ["--deflate", "dedicated", "--deflate-memory", "1TiB"].map(str::to_owned);
            let mut options = options.to_vec();
            options.extend(["--deflate-window".to_owned(), window.get().to_string()]);
            options.extend(["--deflate-level".to_owned(), level.to_string()]);
            let Grown { opened, filled, .. } = load.run(&options)?;
            let settings = Settings { level, ..Settings::default() };
            let deflater = Deflater::memory(&settings, window).resident;
            let documented = (Inflater::MEMORY + deflater) as f64;
            let deviation = (filled / documented - 1.0) * 100.0;
            println!(
                "  {level:>5}  {:>6}  {opened:>8.0}  {filled:>12.0}  {documented:>10}  ({deviation:+.1} %)",
                window.get()
            );
            (most, wrong) = (most.max(filled), wrong.max(deviation.abs()));
        }
    }
    if wrong > 10.0 {
        return Err(format!("what is documented is wrong by {wrong:.1} %").into());
    }
    Ok(most)
}

fn main() -> Result<()> {
    let (mut connections, mut at_most) = (None, f64::INFINITY);
    let (mut deflate, mut window, mut level) = ("off".to_owned(), None, None);
    let mut program = env::current_exe()?.with_file_name("ws-mio-server");
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--connections" => connections = Some(value.parse::<usize>()?),
            "--server" => program = value.into(),
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
    let few = if deflate == "dedicated" { 300 } else { 10_000 };
    let load = Load { program, connections: connections.unwrap_or(few), offer, filling: None };
    let worst = if deflate == "dedicated" {
        let levels = level.map_or_else(|| vec![1, 6], |level| vec![level]);
        dedicated(load, &windows(window), &levels)?
    } else {
        let Grown { opened, echoed, alone, .. } = load.run(&["--deflate".to_owned(), deflate])?;
        println!("{} idle connections, resident bytes each", load.connections);
        println!("  opened            {opened:>8.1}");
        println!("  after one echo    {echoed:>8.1}");
        println!("  (the server alone {alone:>8} bytes)");
        opened.max(echoed)
    };
    if worst > at_most { Err(format!("{worst} bytes, more than {at_most}").into()) } else { Ok(()) }
}
