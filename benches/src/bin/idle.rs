//! Resident memory of a server per idle connection.
//!
//! `cargo build --release && cargo run --release -p benches --bin idle` starts the `ws-mio-server` beside
//! this program, opens 10,000 connections to `/echo`, and prints what the server's resident set grew
//! by: when they are open, and after each has echoed. `--connections N` opens another number,
//! `--server PATH` takes another server, `--deflate off|shared|dedicated` has clients offer
//! permessage-deflate to a server that is set to that, `--window BITS` to that window, `--level LEVEL`
//! to that level, and `--at-most BYTES` fails if a connection takes more.
//!
//! With `--deflate dedicated`, each connection also echoes 64 KiB of noise and 64 KiB of JSON, so that all
//! of its contexts' memory is in use, and what that is expected to be is printed next to it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement, not a product"
)]

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;

use benches::{Result, Server, json, noise, open, raise_descriptor_limit, state_size};
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
    fn new(window: u8) -> Result<Self> {
        let window = WindowBits::new(window).ok_or("a window of 9 to 15 is due")?;
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

fn main() -> Result<()> {
    let (mut connections, mut at_most) = (10_000, f64::INFINITY);
    let (mut offer, mut options) = ("", Vec::new());
    let (mut window, mut dedicated) = (15, false);
    let mut program = env::current_exe()?.with_file_name("ws-mio-server");
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--connections" => connections = value.parse::<usize>()?,
            "--server" => program = value.into(),
            "--deflate" => {
                offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
                dedicated = value == "dedicated";
                if value == "off" {
                    offer = "";
                }
                options.extend([name, value]);
            }
            "--window" => {
                window = value.parse()?;
                options.extend(["--deflate-window".to_owned(), value]);
            }
            "--level" => options.extend(["--deflate-level".to_owned(), value]),
            "--at-most" => at_most = value.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    raise_descriptor_limit()?;
    if dedicated {
        // As much as it takes, so that none of them has to share.
        options.extend(["--deflate-memory", "1TiB"].map(str::to_owned));
    }
    let filling = if dedicated { Some(Filling::new(window)?) } else { None };

    let (server, address) = Server::start(&program, &options)?;
    let warm = (0..WARM_UP).map(|_| open(&address, "/echo", offer)).collect::<Result<Vec<_>>>()?;
    for mut stream in warm {
        echo(&mut stream)?;
    }
    let before = server.settled()?;
    let mut open =
        (0..connections).map(|_| open(&address, "/echo", offer)).collect::<Result<Vec<_>>>()?;
    let opened = server.settled()?;
    for stream in &mut open {
        echo(stream)?;
    }
    let echoed = server.settled()?;
    if let Some(filling) = &filling {
        for stream in &mut open {
            filling.exchange(stream)?;
        }
    }
    let filled = server.settled()?;

    let each = |now: u64| now.saturating_sub(before) as f64 / connections as f64;
    println!("{connections} idle connections, resident bytes each");
    println!("  opened            {:>8.1}", each(opened));
    println!("  after one echo    {:>8.1}", each(echoed));
    if filling.is_some() {
        let (inflater, deflater) = state_size(window, 8, LARGE as u64);
        let expected = (inflater + deflater) as f64;
        println!("  after 2 x 64 KiB  {:>8.1}", each(filled));
        println!(
            "  expected of that  {expected:>8.1}  ({:+.1} %)",
            (each(filled) / expected - 1.0) * 100.0
        );
    }
    println!("  (the server alone {before:>8} bytes)");
    let worst = each(opened.max(echoed).max(filled));
    if worst > at_most { Err(format!("{worst} bytes, more than {at_most}").into()) } else { Ok(()) }
}
