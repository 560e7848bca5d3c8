//! The proof that no call of the core's public API can panic, in either role, whatever comes: everything is
//! called with values that the compiler can't know, and the image links only if no panic can be reached. The
//! feature `control` adds one, and it must not link.
#![no_std]
#![no_main]

#[path = "../proof.rs"]
mod proof;

use board::Uart;
use core::fmt::Write as _;
use core::hint::black_box;
use core::time::Duration;
use embedded_io::Read as _;
use heapless::{String, Vec};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Ask, Choice, Field, Pending, Response, Upgrade};
use ws_proto::keepalive::{Instant, Keepalive, Timing};
use ws_proto::{
    Assembler, Client, CloseCode, Config, Connection, Event, Header, Input, KeyedClient, Kind,
    Pongs, Role, Scratch, Slice, Store, mask,
};

board::entry!(main);

/// Bytes that the compiler can't know.
fn unknown(buffer: &mut [u8; 512]) -> &mut [u8] {
    let n = Uart::new().read(&mut buffer[..]).unwrap_or_default();
    buffer.get_mut(..n).unwrap_or_default()
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

fn main() -> bool {
    #[cfg(feature = "control")]
    black_box(unknown(&mut [0; 512])[black_box(7)]);
    let mut buffer = [0; 300];
    server(&mut Slice::new(&mut buffer));
    server(&mut Vec::<u8, 300>::new());
    client(&mut Slice::new(&mut buffer));
    pure();
    true
}

fn server(out: &mut impl Store) {
    let mut bytes = [0; 512];
    let bytes = unknown(&mut bytes);
    let mut reader = HeadReader::request();
    match reader.end(bytes) {
        Ok(_) => {}
        Err(error) => _ = black_box((error.status(), write!(String::<200>::new(), "{error}"))),
    }
    let Ok(request) = head::request_of::<20>(bytes) else { return };
    let upgrade = match Upgrade::parse(request.method, &request.fields) {
        Ok(upgrade) => upgrade,
        Err(reject) => {
            let _ = black_box(reject.write(out));
            return;
        }
    };
    black_box(upgrade.subprotocols().count());
    let subprotocol = upgrade.choose(&["a", text(request.target.as_bytes())]);
    let fields = &[Field { name: request.target, value: request.method.as_bytes() }];
    let response = Response { status: request.minor_version.into(), fields, body: bytes };
    let _ = black_box((response.write(out), response.write_head(out)));
    let Ok(agreed) = upgrade.accept(Choice { subprotocol, fields }, out) else { return };
    let config = Config { max_message: black_box(1 << 33), pongs: Pongs::Manual };
    let mut server = Connection::new(ws_proto::Server, config, agreed);
    serve(&mut server, out);
    if let Some(parked) = server.park() {
        black_box(parked.state());
        serve(&mut parked.resume(), out);
    }
}

fn client(out: &mut impl Store) {
    let (mut bytes, mut head) = ([0; 512], [0; 512]);
    let (bytes, head) = (unknown(&mut bytes), unknown(&mut head));
    let name = text(bytes);
    let (subprotocols, fields) = (&[name, "b"], &[Field { name, value: name.as_bytes() }]);
    let ask = Ask { host: name, target: name, subprotocols, fields };
    let pending = match Pending::request(ask, black_box([7; 16]), out) {
        Ok(pending) => pending,
        Err(error) => {
            let _ = black_box(write!(String::<200>::new(), "{error}"));
            return;
        }
    };
    let proof = pending.proof();
    if let Ok(response) = head::response(head) {
        let _ = black_box(pending.finish(response.status, &response.fields).is_ok());
    }
    match Pending::of_proof(proof, subprotocols).finish_head(head) {
        Ok(accepted) => {
            black_box(accepted.subprotocol);
            let config = Config::default();
            let mut client = Connection::new(Client(|| black_box([1; 4])), config, accepted.agreed);
            serve(&mut client, out);
            let agreed = ws_proto::handshake::Agreed::elsewhere();
            let mut keyed = Connection::new(KeyedClient::default(), config, agreed);
            keyed.role_mut().set_keys(black_box([[1; 4]; 2]));
            serve(&mut keyed, out);
        }
        Err(error) => _ = black_box(write!(String::<200>::new(), "{error}")),
    }
}

fn serve<R: Role>(conn: &mut Connection<R>, out: &mut impl Store) {
    let (mut bytes, mut more) = ([0; 512], [0; 512]);
    let (bytes, more) = (unknown(&mut bytes), unknown(&mut more));
    let (mut scratch, mut store) = (Scratch::new(), [0; 200]);
    let mut messages = Assembler::new(Slice::new(&mut store));
    for read in [bytes, more] {
        let mut input = Input::new(read, &mut scratch);
        black_box(input.len());
        loop {
            match conn.next_event(&mut input) {
                Ok(Some(event)) => {
                    match event {
                        Event::Text(part) => _ = black_box(conn.send(part.data, part.last, out)),
                        Event::Binary(part) => _ = black_box(conn.send(part.data, part.last, out)),
                        Event::Ping(data) => _ = black_box(conn.pong(data, out)),
                        Event::Pong(data) => _ = black_box(conn.ping(data, out)),
                        Event::Close(code, reason) => {
                            let code = code.unwrap_or(CloseCode::NORMAL);
                            let _ = black_box(conn.close(code, reason, out));
                        }
                    }
                    if let Ok(Some(message)) = messages.push(event) {
                        black_box((message.kind(), message.as_bytes()));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    black_box((
                        error.close_code(),
                        write!(String::<200>::new(), "{error}").is_ok(),
                    ));
                    break;
                }
            }
        }
        let _ = black_box(conn.poll_transmit(out));
        let len = u64::from(black_box(7u32)) << black_box(40);
        if let Ok(header) = conn.send_header(Kind::Binary, len, black_box(true)) {
            let _ = black_box(out.put(header.as_bytes(), &[]).is_ok());
            black_box(header.masking_key());
        }
        black_box((conn.state(), conn.transport(), out.room(), out.stored()));
        out.clear();
    }
    black_box((conn.peer_eof(), messages.stored()));
}

/// What needs no connection.
fn pure() {
    let mut bytes = [0; 512];
    let bytes = unknown(&mut bytes);
    let n = bytes.len() as u64;
    mask::apply(bytes, black_box([1; 4]));
    black_box(mask::rotate([1, 2, 3, 4], bytes.len()));
    black_box(Header::broadcast(Kind::Text, n << 40));
    black_box(CloseCode::new(black_box(1005)).map(CloseCode::get));
    let timing = Timing { pong_within: Duration::new(n << 50, black_box(5)), ..Timing::default() };
    let mut keepalive = Keepalive::new(Instant::from_millis(n));
    for now in [n, n << 55] {
        let now = Instant::from_millis(now);
        black_box((keepalive.poll(&timing, now), keepalive.deadline(&timing)));
        keepalive.heard(now.after(now.since(Instant::from_millis(black_box(9)))));
        keepalive.closing(now);
    }
}
