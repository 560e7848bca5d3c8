//! Encrypted connections: both versions, both ends of what may go wrong, and certificates that change.
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
#[path = "common/program.rs"]
mod program;

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{BINARY, CLOSE, Client, LIMIT, TEXT, close, echo, frame, request, serve, until};
use program::{PROGRAM, Program};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use ws_mio_server::{Builder, Handler, Message, Peer, Tls};

/// A certificate and its key, as PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
    }

    fn tls(&self) -> Tls {
        Tls::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

/// A client that trusts one certificate and no other.
struct Encrypted {
    connection: ClientConnection,
    stream: TcpStream,
}

impl Encrypted {
    fn connect(
        address: SocketAddr,
        pair: &Pair,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self, std::io::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = Client::connect(address).stream;
        let mut client = Self { connection, stream };
        while client.connection.is_handshaking() {
            client.connection.complete_io(&mut client.stream)?;
        }
        Ok(client)
    }

    fn open(address: SocketAddr, pair: &Pair) -> Self {
        let mut client = Self::connect(address, pair, &[&TLS13]).unwrap();
        client.upgrade("/echo");
        client
    }

    fn write(&mut self, bytes: &[u8]) {
        rustls::Stream::new(&mut self.connection, &mut self.stream).write_all(bytes).unwrap();
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        rustls::Stream::new(&mut self.connection, &mut self.stream).read_exact(&mut bytes).unwrap();
        bytes
    }

    fn upgrade(&mut self, path: &str) {
        self.write(request(path).as_bytes());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    }

    fn expect(&mut self, start: u8, payload: &[u8]) {
        let mut due = vec![start];
        match payload.len() {
            len @ 0..126 => due.push(len as u8),
            len @ 126..0x1_0000 => due.extend([&[126][..], &(len as u16).to_be_bytes()].concat()),
            len => due.extend([&[127][..], &(len as u64).to_be_bytes()].concat()),
        }
        due.extend(payload);
        assert!(self.read(due.len()) == due, "another frame came");
    }

    fn echo(&mut self, text: &str) {
        self.write(&frame(TEXT, text.as_bytes()));
        self.expect(TEXT, text.as_bytes());
    }

    /// Closes the connection; its end is one that nobody can have cut short.
    fn close(mut self) {
        self.write(&close(1000, ""));
        self.expect(CLOSE, &1000_u16.to_be_bytes());
        let mut rest = Vec::new();
        let mut stream = rustls::Stream::new(&mut self.connection, &mut self.stream);
        assert_eq!(stream.read_to_end(&mut rest).expect("TLS is closed, too"), 0);
    }
}

fn encrypted(builder: Builder, pair: &Pair) -> Builder {
    builder.tls(pair.tls()).listen_tls("127.0.0.1:0".parse().unwrap())
}

#[test]
fn both_versions_carry_messages_of_any_size() {
    let pair = Pair::new();
    let server = serve(encrypted(echo().max_message(8 * 1024 * 1024), &pair));
    for version in [&TLS12, &TLS13] {
        let mut client = Encrypted::connect(server.tls.unwrap(), &pair, &[version]).unwrap();
        assert_eq!(client.connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        client.upgrade("/echo");
        for size in [0, 1, 125, 16_000, 16_384, 70_000, 1_000_000, 5_000_000] {
            let message: Vec<_> = (0..size).map(|i: u32| (i.wrapping_mul(31) >> 5) as u8).collect();
            client.write(&frame(BINARY, &message));
            client.expect(BINARY, &message);
        }
        client.write(&frame(TEXT, b"many").repeat(20_000));
        for _ in 0..20_000 {
            client.expect(TEXT, b"many");
        }
        client.close();
    }
    // Both kinds of listeners lead to the same server.
    server.open("/echo").echo("plain");
    server.until_empty();
    let metrics = server.handle.metrics();
    for version in ["1.2", "1.3"] {
        let counted = format!("\nwsmio_tls_handshakes_total{{version=\"{version}\"}} 1\n");
        assert!(metrics.contains(&counted), "{metrics}");
    }
}

#[test]
fn a_peer_that_does_not_take_its_replies_gets_all_of_them_later() {
    let pair = Pair::new();
    let server = serve(encrypted(echo(), &pair));
    let mut client = Encrypted::open(server.tls.unwrap(), &pair);
    let message = frame(BINARY, &[7; 10_000]);
    // Sends until the server takes no more, for it is not read from.
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    loop {
        client.connection.writer().write_all(&message).unwrap();
        sent += 1;
        let mut refused = false;
        while client.connection.wants_write() && !refused {
            refused = client.connection.write_tls(&mut client.stream).is_err();
        }
        if refused {
            break;
        }
        assert!(sent < 10_000, "the server takes all");
    }
    // What the server has not taken goes out while the client reads.
    let (mut rest, mut stream) = (Vec::new(), client.stream.try_clone().unwrap());
    while client.connection.wants_write() {
        client.connection.write_tls(&mut rest).unwrap();
    }
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let mut other = Encrypted::open(server.tls.unwrap(), &pair);
    other.echo("undisturbed");
    let writing = thread::spawn(move || stream.write_all(&rest));
    for _ in 0..sent {
        client.expect(BINARY, &[7; 10_000]);
    }
    writing.join().unwrap().unwrap();
    client.close();
}

/// Everyone hears what anyone says.
#[derive(Clone)]
struct Room;

impl Handler for Room {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("room");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.publish("room", message);
    }
}

#[test]
fn encrypted_and_plain_peers_share_topics() {
    let pair = Pair::new();
    let server = serve(encrypted(echo().workers(2).route("/room", Room), &pair));
    let mut encrypted: Vec<_> = (0..5)
        .map(|_| {
            let mut client = Encrypted::connect(server.tls.unwrap(), &pair, &[&TLS13]).unwrap();
            client.upgrade("/room");
            client
        })
        .collect();
    let mut plain = server.open("/room");
    let message = vec![b'x'; 100_000];
    for _ in 0..20 {
        plain.send(TEXT, &message);
        for client in &mut encrypted {
            client.expect(TEXT, &message);
        }
    }
    encrypted[0].write(&frame(TEXT, b"from within"));
    plain.expect(TEXT, b"from within");
}

#[test]
fn who_speaks_the_other_language_is_told_so() {
    let pair = Pair::new();
    let server = serve(encrypted(echo(), &pair));
    let mut plain = Client::connect(server.tls.unwrap());
    plain.write(request("/echo").as_bytes());
    let told = String::from_utf8(plain.rest()).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("wss://"), "{told}");
    let error = Encrypted::connect(server.address, &pair, &[&TLS13]).err().unwrap();
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "it is told at once");
    // Garbage, an unknown version, half of a hello: nobody else is disturbed.
    let mut client = Encrypted::open(server.tls.unwrap(), &pair);
    for garbage in [&[0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5][..], &[0x16, 3], &[0; 100], &[0x16; 20_000]]
    {
        let mut peer = Client::connect(server.tls.unwrap());
        // It may be gone already.
        let _ = peer.stream.write_all(garbage);
        client.echo("undisturbed");
        drop(peer);
    }
    // Garbage inside of what was encrypted.
    let mut broken = Encrypted::open(server.tls.unwrap(), &pair);
    broken
        .stream
        .write_all(&[0x17, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
        .unwrap();
    let mut rest = Vec::new();
    let mut stream = rustls::Stream::new(&mut broken.connection, &mut broken.stream);
    assert!(stream.read_to_end(&mut rest).is_err(), "an alert is due");
    drop((client, broken));
    server.until_empty();
}

#[test]
fn half_a_handshake_has_its_time() {
    let pair = Pair::new();
    let server = serve(encrypted(echo().handshake_timeout(Duration::from_millis(200)), &pair));
    let begun = Instant::now();
    let mut half = Client::connect(server.tls.unwrap());
    half.write(&[0x16, 3, 1, 1]);
    // Nothing of it can be decrypted, but its end.
    assert!(half.rest().len() < 20);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    drop(half);
    server.until_empty();
}

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ws-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    fn put(&self, pair: &Pair) {
        fs::write(self.path("cert.pem"), &pair.certificate).unwrap();
        fs::write(self.path("key.pem"), &pair.key).unwrap();
    }

    /// A server with what is in the folder.
    fn program(&self) -> Program {
        let [certificate, key] = [self.path("cert.pem"), self.path("key.pem")];
        let arguments =
            ["--listen-tls", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
        Program::start(Command::new(PROGRAM).args(arguments))
    }
}

fn address(program: &Program) -> SocketAddr {
    let url = program.url("page").strip_prefix("https://").unwrap();
    url.strip_suffix('/').unwrap().parse().unwrap()
}

#[test]
fn an_idle_connection_takes_little_memory() {
    const CONNECTIONS: usize = 300;
    let folder = Folder::new("idle");
    let pair = Pair::new();
    folder.put(&pair);
    let program = folder.program();
    let address = address(&program);
    let open = |count| (0..count).map(|_| Encrypted::open(address, &pair)).collect::<Vec<_>>();
    // What is got once and kept does not count.
    let warm = open(100);
    let before = program.resident();
    let idle = open(CONNECTIONS);
    let each = program.resident().saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes for each of {CONNECTIONS} idle connections");
    assert!(each < 24 * 1024, "{each} bytes each");
    drop((warm, idle));
}

#[test]
fn certificates_change_under_load_and_no_connection_is_lost() {
    let folder = Folder::new("reload");
    let mut pair = Pair::new();
    folder.put(&pair);
    let mut program = folder.program();
    let address = address(&program);
    let stop = AtomicBool::new(false);
    let echoes = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut clients: Vec<_> = (0..5).map(|_| Encrypted::open(address, &pair)).collect();
            let (stop, echoes) = (&stop, &echoes);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for client in &mut clients {
                        client.echo("under load");
                        echoes.fetch_add(1, Ordering::Relaxed);
                    }
                }
                clients.into_iter().for_each(Encrypted::close);
            });
        }
        for _ in 0..5 {
            let new = Pair::new();
            folder.put(&new);
            program.signal(Signal::HUP);
            until("the new one is shown", || {
                Encrypted::connect(address, &new, &[&TLS12, &TLS13]).is_ok()
            });
            assert!(Encrypted::connect(address, &pair, &[&TLS13]).is_err());
            pair = new;
            let before = echoes.load(Ordering::Relaxed);
            until("there is load", || echoes.load(Ordering::Relaxed) > before + 100);
        }
        // What can't be used changes nothing.
        fs::write(folder.path("key.pem"), Pair::new().key).unwrap();
        program.signal(Signal::HUP);
        let before = echoes.load(Ordering::Relaxed);
        until("there is load", || echoes.load(Ordering::Relaxed) > before + 100);
        Encrypted::open(address, &pair).close();
        stop.store(true, Ordering::Relaxed);
    });
    program.signal(Signal::TERM);
    let log = program.log();
    assert_eq!(log.matches("settings are read again").count(), 5, "{log}");
    assert_eq!(log.matches("settings stay as they are").count(), 1, "{log}");
}

#[test]
fn what_can_not_be_a_certificate_is_named() {
    let folder = Folder::new("bad");
    let (pair, other) = (Pair::new(), Pair::new());
    let [good, key] = [folder.path("cert.pem"), folder.path("key.pem")];
    let [empty, wrong] = [folder.path("empty.pem"), folder.path("wrong.pem")];
    folder.put(&pair);
    fs::write(&empty, "").unwrap();
    fs::write(&wrong, other.key).unwrap();
    let listen = ["--listen-tls", "127.0.0.1:0"];
    let tls = |certificate: &str, key: &str| {
        ["--tls-cert", certificate, "--tls-key", key].map(str::to_owned).to_vec()
    };
    for (arguments, due) in [
        (vec![], "--tls-self-signed"),
        (tls("/nowhere", &key), "tls-cert /nowhere"),
        (tls(&good, "/nowhere"), "tls-key /nowhere"),
        (tls(&empty, &key), "there is no certificate"),
        (tls(&good, &empty), "there is no private key"),
        (tls(&good, &wrong), "tls-cert "),
        (vec!["--tls-cert".to_owned(), good.clone()], "need each other"),
        (
            ["--listen-tls", "0.0.0.0:0", "--insecure-no-auth", "--tls-self-signed"]
                .map(str::to_owned)
                .to_vec(),
            "other machines reach 0.0.0.0:0",
        ),
    ] {
        let output = Command::new(PROGRAM)
            .arg("check-config")
            .args(listen)
            .args(&arguments)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains(due) && told.lines().count() == 1, "{arguments:?}: {told}");
    }
    assert!(Tls::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes()).is_ok());
}

/// Runs a program that others wrote until it has printed `until`, or to its end: what it printed, if this machine has it.
fn run(
    program: impl AsRef<std::ffi::OsStr>,
    arguments: &[&str],
    input: &[u8],
    until: &str,
) -> Option<String> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.stderr(Stdio::piped()).spawn() else {
        assert!(std::env::var_os("CI").is_none(), "{program:?} is missing; CI must install it");
        eprintln!("skipped: no {program:?} on this machine");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    // Its input ends when it has printed all that it is to, which may come in several reads.
    let mut out = child.stdout.take().unwrap();
    let (mut printed, mut chunk) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&printed).contains(until) {
        match out.read(&mut chunk).unwrap() {
            0 => break,
            n => printed.extend_from_slice(&chunk[..n]),
        }
    }
    let _ = child.kill();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    printed.extend(output.stderr);
    Some(String::from_utf8_lossy(&printed).into_owned())
}

#[test]
fn clients_of_others_get_through() {
    let folder = Folder::new("others");
    let pair = Pair::new();
    folder.put(&pair);
    let program = folder.program();
    let (address, ca) = (address(&program), folder.path("cert.pem"));
    let hello = frame(TEXT, b"hello");
    let asked = [request("/echo").as_bytes(), &hello].concat();
    for version in ["-tls1_2", "-tls1_3"] {
        let connect = address.to_string();
        let arguments = [
            "s_client",
            "-connect",
            &connect,
            "-quiet",
            version,
            "-CAfile",
            &ca,
            "-verify_return_error",
        ];
        if let Some(printed) = run("openssl", &arguments, &asked, "hello") {
            assert!(printed.contains(" 101 ") && printed.contains("hello"), "{printed}");
        }
    }
    let url = format!("https://localhost:{}/echo", address.port());
    let fields = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    // It prints what it got when its time is over, for a connection that has become another goes on.
    let mut arguments = vec!["-si", "--max-time", "5", "--http1.1", "--cacert", &ca, "-4"];
    fields.iter().for_each(|field| arguments.extend(["-H", field]));
    arguments.push(&url);
    if let Some(printed) = run("curl", &arguments, b"", "\n\r\n") {
        assert!(printed.starts_with("HTTP/1.1 101 "), "{printed}");
    }
    let python = std::env::var_os("INTEROP_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let script = "import ssl, sys\nfrom websockets.sync.client import connect\n\
                  context = ssl.create_default_context(cafile=sys.argv[2])\n\
                  with connect(sys.argv[1], ssl=context) as ws:\n    ws.send('hello ' * 20000)\n    \
                  assert ws.recv() == 'hello ' * 20000\nprint('hello', ws.close_code)\n";
    let probe = Command::new(&python).args(["-c", "import websockets"]).output();
    if probe.as_ref().is_ok_and(|output| output.status.success()) {
        let url = format!("wss://localhost:{}/echo", address.port());
        let printed = run(&python, &["-c", script, &url, &ca], b"", "\n").unwrap();
        assert!(printed.starts_with("hello 1000"), "{printed}");
    } else {
        assert!(std::env::var_os("CI").is_none(), "Python's websockets is missing: {probe:?}");
    }
    // Our own.
    let url = format!("wss://localhost:{}/echo", address.port());
    let printed = run(PROGRAM, &["connect", &url, "--ca", &ca], b"hello\n", "hello").unwrap();
    assert!(printed.starts_with("hello"), "{printed}");
}

#[test]
fn a_certificate_to_try_is_made() {
    let arguments = ["--listen-tls", "127.0.0.1:0", "--tls-self-signed"];
    let program = Program::start(Command::new(PROGRAM).args(arguments));
    let url = program.url("echo");
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    assert!(!program.banner.iter().any(|line| line.contains("ws://")), "{:?}", program.banner);
    let printed = run(PROGRAM, &["connect", url, "--insecure"], b"hello\n", "hello").unwrap();
    assert!(printed.starts_with("hello"), "{printed}");
}
