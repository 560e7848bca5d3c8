//! `ws-mio-server connect` against our own server: in pipes, with TLS, and with servers that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;

use common::{BINARY, Client, PING, PONG, Running, TEXT, echo, serve};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ws_mio_server::{CloseCode, Handler, Message, Peer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// What the client came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn stdout(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }
}

/// Runs the client to its end, with input of a pipe.
fn run(url: &str, arguments: &[&str], input: &[u8]) -> Ran {
    let mut client = Command::new(PROGRAM);
    client.args(["connect", url]).args(arguments);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = client.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // Whoever reads no input has its reasons.
    let _ = writer.join().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Ran { code: output.status.code(), stdout: output.stdout, stderr }
}

/// A client whose input stays open.
struct Interactive {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Drop for Interactive {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Interactive {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut client = Command::new(PROGRAM);
        client.args(["connect", url]).args(arguments);
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = client.spawn().unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&mut self, line: &str) {
        let mut heard = String::new();
        self.stdout.read_line(&mut heard).unwrap();
        assert_eq!(heard.trim_end(), line);
    }

    /// Waits for a note that contains a text.
    fn note(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.stderr.read_line(&mut seen).unwrap(), 0, "{part} is not in {seen}");
            if seen[start..].contains(part) {
                return seen[start..].to_owned();
            }
        }
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

fn url(server: &Running, path: &str) -> String {
    format!("ws://{}{path}", server.address)
}

#[test]
fn lines_of_a_pipe_come_back() {
    let server = serve(echo());
    let input = "Grüße\n\n/ping\r\nlast, without an end";
    let ran = run(&url(&server, "/echo"), &["-n", "4"], input.as_bytes());
    assert_eq!(ran.stdout(), "Grüße\n\n/ping\nlast, without an end\n", "{ran:?}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("connected to ws://") && ran.stderr.contains("compressed"));
    assert!(ran.stderr.contains("closed: 1000 (normal)"), "{ran:?}");
    // What is still to come after the end of input is waited for.
    let ran = run(&url(&server, "/echo"), &["--wait", "200ms", "--quiet"], b"a\nb\n");
    assert_eq!((ran.stdout(), ran.stderr.as_str()), ("a\nb\n", ""), "{ran:?}");
    let ran = run(&url(&server, "/echo"), &["-m", "one", "-m=-two", "-n2", "--no-deflate"], b"");
    assert_eq!(ran.stdout(), "one\n-two\n", "{ran:?}");
    assert!(!ran.stderr.contains("compressed"), "{ran:?}");
}

#[test]
fn digits_and_bytes_are_binary_messages() {
    let server = serve(echo());
    let ran = run(&url(&server, "/echo"), &["--hex", "-n", "2"], b"00FF 10\n\n");
    assert_eq!((ran.stdout(), ran.code), ("00ff10\n\n", Some(0)), "{ran:?}");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let ran = run(&url(&server, "/echo"), &["--raw", "--wait", "500ms"], &bytes);
    assert!(ran.stdout == bytes && ran.code == Some(0), "{} {}", ran.stdout.len(), ran.stderr);
    // Nobody is there to correct it.
    let ran = run(&url(&server, "/echo"), &["--hex"], b"0\n");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("pairs of hexadecimal digits"), "{ran:?}");
    let ran = run(&url(&server, "/echo"), &[], b"\xff\n");
    assert!(ran.code == Some(1) && ran.stderr.contains("--raw"), "{ran:?}");
}

#[test]
fn commands_ping_and_close() {
    let server = serve(echo());
    let mut client = Interactive::start(&url(&server, "/echo"), &["--slash"]);
    client.say("/ping");
    let pong = client.note("pong after");
    let time = pong.trim_end().strip_prefix("pong after ").unwrap().strip_suffix(" ms").unwrap();
    assert!(time.parse::<f64>().unwrap() > 0.0, "{pong}");
    client.say("/hex 0102");
    client.hear("0102");
    client.say("//slash");
    client.hear("/slash");
    client.say("/close 4001 enough");
    client.note("closed: 4001 (application code)");
    assert_eq!(client.code(), Some(0));
    let mut client = Interactive::start(&url(&server, "/echo"), &["--ping", "1ms"]);
    for _ in 0..3 {
        client.note("pong after");
    }
    kill_process(Pid::from_child(&client.child), Signal::INT).unwrap();
    client.note("closed: 1001 (going away)");
    assert_eq!(client.code(), Some(0));
}

/// Closes every connection as its path says.
#[derive(Clone)]
struct Closer;

impl Handler for Closer {
    fn subprotocols(&self) -> &[&str] {
        &["v2"]
    }

    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let code = peer.param("code").and_then(|code| code.parse().ok()).and_then(CloseCode::new);
        peer.send(Message::Text("bye"));
        peer.close(code.unwrap(), "so \u{1b} be it");
    }

    fn on_message(&mut self, _: &mut Peer<'_>, _: Message<'_>) {}
}

#[test]
fn codes_of_the_server_are_told_and_decide_the_status() {
    let server = serve(echo().route("/close/{code}", Closer));
    for (code, meaning, status) in [
        (1000, "normal", 0),
        (1001, "going away", 0),
        (1013, "try again later", 1),
        (4321, "application code", 1),
    ] {
        let arguments = ["--stay", "-s", "v1", "-s", "v2"];
        let ran = run(&url(&server, &format!("/close/{code}")), &arguments, b"");
        assert_eq!((ran.stdout(), ran.code), ("bye\n", Some(status)), "{ran:?}");
        let said = format!("closed by the server: {code} ({meaning}): so \\u{{1b}} be it");
        assert!(ran.stderr.contains(&said) && ran.stderr.contains("subprotocol v2"), "{ran:?}");
    }
}

#[test]
fn what_keeps_a_connection_from_being_made_is_told_in_one_line() {
    let server = serve(echo());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, arguments, due) in [
        (url(&server, "/nothing"), &[][..], "404, not 101: nothing is served at this path"),
        (format!("ws://{nobody}"), &[], "refused"),
        (url(&server, "/echo"), &["-H", "Upgrade: x"], "handshake's own"),
        (url(&server, "/echo"), &["-s", "a b"], "subprotocols must be tokens"),
        (format!("wss://{}/echo", server.address), &[], "ws:// is without"),
        ("wss://127.0.0.1:1/".to_owned(), &["--ca", "/nowhere"], "--ca /nowhere"),
    ] {
        let ran = run(&url, arguments, b"");
        assert_eq!((ran.code, ran.stdout()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains(due) && ran.stderr.lines().count() == 1, "{due}: {ran:?}");
    }
    for (url, due) in [("127.0.0.1:80", "ws://"), ("ws://a:b@c", "--auth"), ("ws://a#b", "%23")] {
        let ran = run(url, &[], b"");
        assert!(ran.code == Some(2) && ran.stderr.contains(due), "{ran:?}");
    }
}

/// Accepts a connection and reads its request.
fn accept(listener: &TcpListener) -> (Client, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut client = Client::of(stream);
    let head = client.head();
    (client, head)
}

/// The answer to a request.
fn answer(head: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = accept_value(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// What proves that the key was read, by the code under test of the other role.
fn accept_value(key: &str) -> String {
    use ws_proto::handshake::{Choice, Field, Upgrade};
    let fields = [
        Field::new("Host", "a"),
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "Upgrade"),
        Field::new("Sec-WebSocket-Key", key),
        Field::new("Sec-WebSocket-Version", "13"),
    ];
    let mut response = Vec::new();
    Upgrade::parse("GET", &fields).unwrap().accept(Choice::default(), &mut response).unwrap();
    let response = String::from_utf8(response).unwrap();
    let line = response.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Accept: "));
    line.unwrap().to_owned()
}

#[test]
fn fields_are_sent_and_secrets_not_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut client, head) = accept(&listener);
        client.write(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
        head
    });
    let url = format!("ws://{address}/a?token=s3cret");
    let arguments = ["-H", "Cookie: id=s3cret", "-o", "https://a.example", "--auth", "u:s3cret"];
    let ran = run(
        &url,
        &[&arguments[..], &["-v", "--no-deflate", "-s", "bearer", "-s", "s3cret"]].concat(),
        b"",
    );
    let head = server.join().unwrap();
    for line in [
        "GET /a?token=s3cret HTTP/1.1",
        &format!("Host: {address}"),
        "Cookie: id=s3cret",
        "Origin: https://a.example",
        "Authorization: Basic dTpzM2NyZXQ=",
    ] {
        assert!(head.lines().any(|sent| sent == line), "{line}: {head}");
    }
    assert!(!ran.stderr.contains("s3cret") && !ran.stderr.contains("dTpz"), "{ran:?}");
    assert!(ran.stderr.contains("> Origin: https://a.example"), "{ran:?}");
    assert!(ran.stderr.contains("302, not 101, see /there") && ran.code == Some(1), "{ran:?}");
}

#[test]
fn a_lost_connection_is_made_again_and_input_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut user = Interactive::start(&format!("ws://{address}"), &["--reconnect", "--no-deflate"]);
    let (mut client, head) = accept(&listener);
    client.write(answer(&head).as_bytes());
    user.say("first");
    let masked = read_masked(&mut client);
    assert_eq!(masked, (TEXT, b"first".to_vec()));
    drop(client);
    user.note("(1006); connecting again in 0.");
    let (mut client, head) = accept(&listener);
    client.write(b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nbusy\n");
    assert!(head.starts_with("GET / "));
    // After 0.5 to 1.0 s.
    user.note("503, not 101: busy; connecting again in ");
    let (mut client, head) = accept(&listener);
    // Frames right behind the response, and a message in two parts with a ping between.
    client.write(
        &[answer(&head).as_bytes(), &[0x01, 1, b'a', PING, 1, b'!', 0x80, 1, b'b']].concat(),
    );
    user.hear("ab");
    assert_eq!(read_masked(&mut client), (PONG, b"!".to_vec()));
    user.say("second");
    assert_eq!(read_masked(&mut client), (TEXT, b"second".to_vec()));
    // A violation is answered by its code.
    client.write(&[BINARY | 0x70, 0]);
    assert_eq!(read_masked(&mut client).1[..2], 1002_u16.to_be_bytes());
    drop(client);
    user.note("1002; connecting again");
    let (mut client, head) = accept(&listener);
    client.write(answer(&head).as_bytes());
    user.note("connected");
    user.stdin = None;
    assert_eq!(read_masked(&mut client), (common::CLOSE, 1000_u16.to_be_bytes().to_vec()));
    client.write(&[common::CLOSE, 2, 0x03, 0xe8]);
    // The server closes TCP first.
    drop(client);
    assert_eq!(user.code(), Some(0));
}

/// A client's frame of less than 126 bytes, unmasked.
fn read_masked(client: &mut Client) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    client.stream.read_exact(&mut head).unwrap();
    let [start, len, key @ ..] = head;
    assert!((0x80..0x80 + 126).contains(&len), "{len:#x}");
    let mut payload = vec![0; usize::from(len & 0x7f)];
    client.stream.read_exact(&mut payload).unwrap();
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    (start, payload)
}

/// Speaks TLS for one connection after another, and passes on what is in it. Gives the address and the certificate.
fn tls_front(
    server: SocketAddr,
    version: &'static rustls::SupportedProtocolVersion,
) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]);
    let config = config.unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut client = StreamOwned::new(connection, client.unwrap());
            // A client that does not trust ends it.
            if client.conn.complete_io(&mut client.sock).is_err() {
                continue;
            }
            assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
            let mut server = TcpStream::connect(server).unwrap();
            client.sock.set_nonblocking(true).unwrap();
            server.set_nonblocking(true).unwrap();
            pass(&mut client, &mut server);
        }
    });
    (address, made.cert.pem())
}

/// Passes bytes both ways until either ends.
fn pass(client: &mut StreamOwned<ServerConnection, TcpStream>, server: &mut TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let mut idle = true;
        for up in [true, false] {
            let from: &mut dyn Read = if up { client } else { server };
            let n = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            };
            idle = false;
            let mut bytes = &buffer[..n];
            let to: &mut dyn Write = if up { server } else { client };
            while !bytes.is_empty() {
                match to.write(bytes) {
                    Ok(n) => bytes = &bytes[n..],
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        }
        while client.conn.wants_write() {
            let _ = client.conn.write_tls(&mut client.sock);
        }
        if idle {
            thread::yield_now();
        }
    }
}

#[test]
fn tls_is_spoken_and_certificates_are_checked() {
    let server = serve(echo());
    let folder = std::env::temp_dir().join(format!("ws-mio-server-connect-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let (address, certificate) = tls_front(server.address, version);
        let file = folder.join("ca.pem");
        std::fs::write(&file, certificate).unwrap();
        let (ca, port) = (file.to_str().unwrap(), address.port());
        let named = format!("wss://localhost:{port}/echo");
        let big = "x".repeat(700_000);
        let ran =
            run(&named, &["--ca", ca, "-n", "2", "--no-deflate"], format!("a\n{big}\n").as_bytes());
        assert!(ran.stdout() == format!("a\n{big}\n") && ran.code == Some(0), "{}", ran.stderr);
        let ran = run(&named, &["-k", "-m", "trusting", "-n", "1"], b"");
        assert_eq!((ran.stdout(), ran.code), ("trusting\n", Some(0)), "{ran:?}");
        for (url, arguments, due) in [
            (&named, &[][..], "--insecure"),
            (&format!("wss://127.0.0.1:{port}/echo"), &["--ca", ca], "certificate"),
            (&format!("ws://localhost:{port}/echo"), &[], "wss:// is with"),
        ] {
            let ran = run(url, arguments, b"");
            assert!(ran.code == Some(1) && ran.stderr.contains(due), "{due}: {ran:?}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
