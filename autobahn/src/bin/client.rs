//! `autobahn-client`: an echo client on `ws-proto`'s client role, for `wstest -m fuzzingserver`.
//!
//! It runs every case that the fuzzing server has to offer. How well it does is not for it to say:
//! it fails only if a connection could not be made.

use std::io::{Cursor, Read, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;

use autobahn::wire;
use ws_proto::deflate::{Deflater, Inflater, Settings};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Ask, Pending};
use ws_proto::{Client, Connection, Message, SendError};

/// Entropy of the operating system, as RFC 6455 §5.3 and §4.1 want it for keys and nonces.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // A connection has no use for an error here: without entropy there is no client.
        eprintln!("autobahn-client: the operating system gives no entropy: {error}");
        std::process::exit(2);
    }
    bytes
}

type ClientConnection = Connection<Client<fn() -> [u8; 4]>>;
type Opened = (ClientConnection, Option<(Inflater, Deflater)>, Vec<u8>);

/// Makes a connection to `target` and serves it to its end.
fn visit(
    server: &str,
    target: &str,
    on_message: impl FnMut(
        &mut ClientConnection,
        Message<'_>,
        Option<&mut Deflater>,
        &mut Vec<u8>,
    ) -> Result<(), SendError>,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("ws://{server}{target}: {error}");
    let stream = TcpStream::connect(server).map_err(|error| failed(&error))?;
    let (mut conn, deflate, rest) =
        open(&stream, server, target).map_err(|error| failed(&*error))?;
    let from = Cursor::new(rest).chain(&stream);
    // The suite may drop a connection at any time, and knows best whether that was right.
    if let Err(error) = wire::converse(&mut conn, from, &stream, deflate, on_message) {
        eprintln!("{}", failed(&error));
    }
    Ok(())
}

/// The opening handshake; gives the connection, what it compresses with, and the bytes that came behind the response.
fn open(
    mut stream: &TcpStream,
    server: &str,
    target: &str,
) -> Result<Opened, Box<dyn std::error::Error>> {
    wire::prepare(stream)?;
    let mut request = Vec::new();
    let settings = Settings::default();
    let ask = Ask { host: server, target, ..Ask::default() };
    let pending = Pending::request_deflate(ask, settings, random(), &mut request)?;
    stream.write_all(&request)?;
    let (bytes, rest) = wire::read_head(stream, HeadReader::response())?;
    let response = head::response(&bytes)?;
    let accepted = pending.finish(response.status, &response.fields)?;
    let key: fn() -> [u8; 4] = random;
    let deflate = wire::deflate(&accepted.agreed, &settings);
    Ok((Connection::new(Client(key), wire::config(), accepted.agreed), deflate, rest))
}

fn run(server: &str, agent: &str) -> Result<(), String> {
    let mut count = None;
    visit(server, "/getCaseCount", |_, message, _, _| {
        count = str::from_utf8(message.as_bytes()).ok().and_then(|text| text.parse().ok());
        Ok(())
    })?;
    let count: u32 = count.ok_or("the fuzzing server did not tell how many cases it has")?;
    for case in 1..=count {
        let target = format!("/runCase?case={case}&agent={agent}");
        visit(server, &target, |conn, message, deflater, out| match deflater {
            Some(deflater) => conn.send_deflated(message, true, deflater, out),
            None => conn.send(message, true, out),
        })?;
    }
    visit(server, &format!("/updateReports?agent={agent}"), |_, _, _, _| Ok(()))
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [server, agent] = arguments.as_slice() else {
        eprintln!("usage: autobahn-client HOST:PORT AGENT\n\nAGENT is its name in the report.");
        return ExitCode::from(2);
    };
    match run(server, agent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("autobahn-client: {error}");
            ExitCode::FAILURE
        }
    }
}
