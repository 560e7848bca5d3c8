//! Memory of dedicated compression contexts, next to what is documented.

use std::io::{Read, Write};
use std::net::TcpStream;

use benches::{Result, json, noise};
use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings, WindowBits};
use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Event, Input, Message, Part, Scratch};

use crate::{Grown, Load};

/// Bytes of each message that fills a connection's contexts.
const LARGE: usize = 64 * 1024;

/// What a connection sends, and reads of what comes back, to fill its contexts.
pub(crate) struct Filling {
    wire: Vec<u8>,
    context: Context,
    /// What comes back, inflated.
    due: Vec<u8>,
}

type Key = fn() -> [u8; 4];

impl Filling {
    pub(crate) fn new(window: WindowBits) -> Result<Self> {
        let context = Context { window, takeover: true };
        let (noise, text) = (noise(1, LARGE), json(1, LARGE));
        let mut deflater = Deflater::new(&Settings::default(), context);
        let (mut connection, mut wire) = (Self::connection(context), Vec::new());
        for message in [Message::Binary(&noise), Message::Text(&text)] {
            connection.send_deflated(message, true, &mut deflater, &mut wire)?;
        }
        Ok(Self { wire, context, due: [noise, text.into_bytes()].concat() })
    }

    fn connection(context: Context) -> Connection<Client<Key>> {
        let agreed = Agreed::elsewhere();
        let agreed = agreed.with_deflate(Agreement { sent: context, received: context });
        Connection::new(Client(|| [0x37, 0xfa, 0x21, 0x3d]), Config::default(), agreed)
    }

    pub(crate) fn exchange(&self, stream: &mut TcpStream) -> Result<()> {
        stream.write_all(&self.wire)?;
        let (mut connection, mut inflater) =
            (Self::connection(self.context), Inflater::new(self.context));
        let (mut due, mut buffer) = (self.due.as_slice(), vec![0; LARGE]);
        while !due.is_empty() {
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                return Err("closed".into());
            }
            let mut scratch = Scratch::new();
            let mut input = Input::new(buffer.get_mut(..n).unwrap_or_default(), &mut scratch);
            while let Some(event) = connection.next_event_inflated(&mut input, &mut inflater)? {
                let came = match event {
                    Event::Text(Part { data, .. }) => data.as_bytes(),
                    Event::Binary(Part { data, .. }) => data,
                    other => return Err(format!("{other:?}").into()),
                };
                due = due.strip_prefix(came).ok_or("not what was sent")?;
            }
        }
        Ok(())
    }
}

pub(crate) fn windows(given: Option<WindowBits>) -> Vec<WindowBits> {
    given.map_or_else(|| (9..=15).filter_map(WindowBits::new).collect(), |window| vec![window])
}

/// A line for each window and level.
pub(crate) fn dedicated(mut load: Load, windows: &[WindowBits], levels: &[u8]) -> Result<f64> {
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
            let Grown { opened, busied: filled, .. } = load.run(&options)?;
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
