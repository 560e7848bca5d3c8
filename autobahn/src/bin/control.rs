//! `autobahn-control`: an echo server that doesn't validate UTF-8, as a negative control.
//!
//! Everything else is `ws-proto`'s server role. The judge must refuse it in section 6 of the suite,
//! and only there; else it would not notice if the product stopped validating.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::io::{Cursor, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use autobahn::disguise::Disguise;
use autobahn::wire;
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Choice, Upgrade};
use ws_proto::{Connection, Kind, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // The form in which `autobahn/run` learns the port.
    println!("echo without validation of UTF-8 on http://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        thread::spawn(move || {
            if let Err(error) = serve(&stream) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn serve(mut stream: &TcpStream) -> Result<(), Box<dyn Error>> {
    wire::prepare(stream)?;
    let (bytes, rest) = wire::read_head(stream, HeadReader::request())?;
    let request = head::request(&bytes)?;
    let mut response = Vec::new();
    let agreed = Upgrade::parse(request.method, &request.fields)?
        .accept(Choice::default(), &mut response)?;
    stream.write_all(&response)?;

    let kinds = RefCell::new(VecDeque::new());
    let from = Disguise::new(Cursor::new(rest).chain(stream), &kinds);
    let mut conn = Connection::new(Server, wire::config(), agreed);
    wire::converse(&mut conn, from, stream, None, |conn, message, _, out| {
        // The message seems to be binary, and goes back as what it was.
        let kind = kinds.borrow_mut().pop_front().unwrap_or(Kind::Binary);
        let payload = message.as_bytes();
        let header = conn.send_header(kind, payload.len() as u64, true)?;
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(payload);
        Ok(())
    })?;
    Ok(())
}
