//! The client of `apps` over TLS 1.3: the serial port is the TCP stream, `embedded-tls` speaks TLS over it, and
//! `ws_proto::io` speaks WebSocket over that. The server's certificate must be from the authority that the
//! variable `TLS_CA` named when this was compiled: a file in DER, with a key of P-256.
#![no_std]
#![no_main]

mod provider;

use board::semihosting::{self, Host};
use board::{Uart, stack};
use core::fmt::Write as _;
use embedded_tls::blocking::{
    Aes128GcmSha256, MaxFragmentLength, TlsConfig, TlsConnection, TlsContext,
};
use provider::Provider;
use scenario::Random;

board::entry!(main);

/// The longest record of the server, which is asked for payloads of 2 KiB at most. One that does not keep to that
/// needs 16,640 bytes.
const RECORD: usize = 2048 + 256;
/// What is written is cut into records of this length.
const WRITE: usize = 2048;
/// Bytes of the longest message.
const LONG: usize = 10_000;

static CA: &[u8] = include_bytes!(env!("TLS_CA"));

fn main() -> bool {
    stack::paint();
    let (mut read, mut write) = ([0; RECORD], [0; WRITE]);
    let seed = semihosting::seed();
    let mut session: TlsConnection<'_, _, Aes128GcmSha256> =
        TlsConnection::new(Uart::new(), &mut read, &mut write);
    let config = TlsConfig::new()
        .with_server_name("ws.example")
        .with_max_fragment_length(MaxFragmentLength::Bits11);
    if let Err(error) = session.open(TlsContext::new(&config, Provider::new(CA, seed))) {
        let _ = writeln!(Host, "no TLS: {error:?}");
        return false;
    }
    let done = scenario::echo(&mut session, "/echo", &mut Random::new(seed), LONG);
    match &done {
        // How deep the stack went beyond these buffers, and how large the session is.
        Ok(()) => stack::tell(RECORD + WRITE, size_of_val(&session)),
        Err(failure) => drop(writeln!(Host, "failed: {failure}")),
    }
    done.is_ok()
}
