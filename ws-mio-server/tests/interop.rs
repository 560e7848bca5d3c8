//! Clients that others wrote, and a browser, against the binary with permessage-deflate: what they send comes
//! back, and a proxy between them and the server sees that it is compressed on the wire. And the binary's own
//! client against servers that others wrote.
//!
//! What is needed beside Chromium is made by `eval "$(ws-mio-server/tests/interop/setup)"`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

#[path = "common/chromium.rs"]
mod chromium;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chromium::{Chromium, Running, start};

/// How long anything may take until the test has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// The sizes that every client exchanges, each as a text and as a binary message.
const SIZES: [u64; 9] = [65535, 0, 1, 63, 64, 125, 126, 65536, 1024 * 1024];

/// What the messages are like.
const KINDS: [&str; 2] = ["compressible", "random"];

const SETUP: &str = "run: eval \"$(ws-mio-server/tests/interop/setup)\"";

/// The bytes of all messages of one connection in one direction.
fn payload() -> u64 {
    2 * SIZES.iter().sum::<u64>()
}

/// One direction of a connection, as it was on the wire.
struct Flow {
    head: String,
    /// The first byte behind the head: FIN, reserved bits and opcode of the first frame.
    first: Option<u8>,
    /// How many bytes came behind the head.
    bytes: u64,
}

/// A connection that went through the proxy.
struct Link {
    up: Flow,
    down: Flow,
}

impl Link {
    fn target(&self) -> &str {
        self.up.head.split(' ').nth(1).unwrap_or_default()
    }

    /// What speaks against compression, in words.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, flow) in [("to the server", &self.up), ("to the client", &self.down)] {
            let head = flow.head.to_ascii_lowercase();
            if !head.contains("\r\nsec-websocket-extensions: permessage-deflate") {
                faults.push(format!("{name}: no permessage-deflate in the head"));
            }
            // FIN may wait for a later frame, but the opcode is that of a text, and RSV1 comes with it.
            if flow.first.is_none_or(|first| first & 0x7f != 0x41) {
                faults.push(format!("{name}: RSV1 is not set: {:x?}", flow.first));
            }
            // What can't be compressed must not grow by much either.
            let (due, limit) = match self.target().contains("compressible") {
                true => ("far fewer than", payload() / 5),
                false => ("hardly more than", payload() + payload() / 100),
            };
            if flow.bytes >= limit {
                let bytes = flow.bytes;
                faults.push(format!("{name}: {bytes} bytes are not {due} {}", payload()));
            }
        }
        faults
    }
}

/// Passes connections on to a server and keeps account of them.
struct Proxy {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Link>>,
}

impl Proxy {
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut links = Vec::new();
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
                let up = flow(&client, &server);
                links.push((up, flow(&server, &client)));
            }
            let end = |flow: JoinHandle<Flow>| flow.join().unwrap();
            links.into_iter().map(|(up, down)| Link { up: end(up), down: end(down) }).collect()
        });
        Self { address, stop, thread }
    }

    /// Waits for the end of all connections.
    fn finish(self) -> Vec<Link> {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address).unwrap();
        self.thread.join().unwrap()
    }
}

/// Passes on what comes from one stream to another, to its end.
fn flow(from: &TcpStream, to: &TcpStream) -> JoinHandle<Flow> {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    from.set_read_timeout(Some(LIMIT)).unwrap();
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut flow = Flow { head: String::new(), first: None, bytes: 0 };
        let mut buffer = vec![0; 64 * 1024];
        let mut in_head = true;
        loop {
            // A reset is an end, too.
            let n = from.read(&mut buffer).unwrap_or(0);
            if n == 0 || to.write_all(&buffer[..n]).is_err() {
                let _ = to.shutdown(Shutdown::Write);
                return flow;
            }
            let mut behind = &buffer[..n];
            while let ([byte, rest @ ..], true) = (behind, in_head) {
                flow.head.push(char::from(*byte));
                in_head = !flow.head.ends_with("\r\n\r\n");
                behind = rest;
            }
            flow.first = flow.first.or(behind.first().copied());
            flow.bytes += u64::try_from(behind.len()).unwrap();
        }
    })
}

/// Has a client exchange messages with the server, in each mode of compression.
///
/// The client gets the URL to connect to and the kinds of messages to exchange, and comes to a line that counts
/// them. It opens one connection to the echo and two to a room for each kind, and passes all messages in
/// both directions of each.
fn check(mut client: impl FnMut(&str, &[&str]) -> String) {
    for (mode, kinds) in [("shared", &KINDS[..]), ("dedicated", &KINDS), ("off", &KINDS[..1])] {
        let mut server = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
        server.args(["--listen", "127.0.0.1:0", "--max-message", "4MiB", "--deflate", mode]);
        // Chromium's page has no origin.
        server.args(["--allow-origin", "null"]);
        let (_server, url) = start(&mut server, "  echo    ws://");
        let proxy = Proxy::start(url.strip_suffix("/echo").unwrap().parse().unwrap());
        let said = client(&format!("ws://{}", proxy.address), kinds);

        let targets = |kind| ["/echo?K", "/relay/K?a", "/relay/K?b"].map(|t| t.replace('K', kind));
        let mut due: Vec<_> = kinds.iter().flat_map(|kind| targets(kind)).collect();
        let connections = u64::try_from(due.len()).unwrap();
        let messages = connections * 2 * u64::try_from(SIZES.len()).unwrap();
        let bytes = connections * payload();
        assert_eq!(said, format!("exchanged {messages} messages of {bytes} bytes"), "{mode}");

        let links = proxy.finish();
        let mut targets: Vec<_> = links.iter().map(Link::target).collect();
        targets.sort_unstable();
        due.sort_unstable();
        assert_eq!(targets, due, "{mode}");
        for link in &links {
            let (target, faults) = (link.target(), link.faults());
            println!("{mode} {target}: {} bytes up, {} down", link.up.bytes, link.down.bytes);
            if mode != "off" {
                assert!(faults.is_empty(), "--deflate {mode}, {target}: {faults:#?}");
                continue;
            }
            // The check itself is checked: without compression, it must see that there is none.
            let seen = |what: &str| faults.iter().filter(|fault| fault.contains(what)).count();
            assert_eq!(seen("to the client: no permessage-deflate"), 1, "{target}: {faults:#?}");
            assert_eq!(seen("RSV1 is not set"), 2, "{target}: {faults:#?}");
            assert_eq!(seen("far fewer than"), 2, "{target}: {faults:#?}");
        }
    }
}

/// Whether something of others is there, as `probe` shows.
fn is_there(what: &str, mut probe: Command) -> bool {
    probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let there = probe.status().is_ok_and(|status| status.success());
    if !there {
        assert!(std::env::var_os("CI").is_none(), "{what} is missing; CI must install it, {SETUP}");
        eprintln!("skipped: no {what} on this machine; to have it, {SETUP}");
    }
    there
}

/// Has the client that a command starts exchange messages, if `probe` shows that it is there.
fn check_command(what: &str, probe: Command, client: impl Fn() -> Command) {
    if is_there(what, probe) {
        check(|url, kinds| output(client().arg(url).args(kinds)));
    }
}

/// Has our own client exchange messages with the server that a command starts, which sends back what it
/// gets, and closes with 4000 when it gets `bye`.
fn check_server(what: &str, probe: Command, mut server: Command) {
    if !is_there(what, probe) {
        return;
    }
    let (_server, url) = start(&mut server, "url ");
    let text: String = (0..70_000).map(|n| format!("{n} Grüße ")).collect();
    let lines = format!("\n{text}\nlast\n");
    let digits = "00ff".repeat(100_000);
    for deflate in [&[][..], &["--no-deflate"]] {
        let (out, err, code) = connect(&url, &[&["-n", "3"], deflate].concat(), lines.as_bytes());
        assert!(out == lines && code == 0, "{what}: {} bytes, {err}", out.len());
        assert_eq!(err.contains("compressed"), deflate.is_empty(), "{what}: {err}");
        assert!(err.contains("closed: 1000"), "{what}: {err}");
        let arguments = [&["--hex", "-n", "1"], deflate].concat();
        let (out, err, code) = connect(&url, &arguments, digits.as_bytes());
        assert!(out.trim_end() == digits && code == 0, "{what}: {} bytes, {err}", out.len());
    }
    let (_, err, code) = connect(&url, &["--stay"], b"bye\n");
    assert!(err.contains("closed by the server: 4000 (application code): as you wish"), "{err}");
    assert_eq!(code, 1, "{what}");
}

/// Runs our own client; gives what it printed, what it told, and its status.
fn connect(url: &str, arguments: &[&str], input: &[u8]) -> (String, String, i32) {
    let mut client = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
    client.args(["connect", url]).args(arguments);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = client.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// What a command says, without the line's end. It must succeed.
fn output(command: &mut Command) -> String {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let (stdout, stderr) = (running.0.stdout.take().unwrap(), running.0.stderr.take().unwrap());
    let (ended, end) = channel();
    let read = |mut pipe: Box<dyn Read + Send>, ended: std::sync::mpsc::Sender<()>| {
        thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).unwrap();
            drop(ended);
            text
        })
    };
    let (stdout, stderr) = (read(Box::new(stdout), ended.clone()), read(Box::new(stderr), ended));
    // Nothing is ever sent: the channel closes when both outputs have ended.
    let in_time = end.recv_timeout(LIMIT) != Err(std::sync::mpsc::RecvTimeoutError::Timeout);
    if !in_time {
        let _ = running.0.kill();
    }
    let status = running.0.wait().unwrap();
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(in_time && status.success(), "{command:?}, in time: {in_time}: {stdout}{stderr}");
    stdout.trim_end().to_owned()
}

fn script(name: &str) -> String {
    format!("{}/tests/interop/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn python() -> Command {
    let python = std::env::var_os("INTEROP_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let mut python = Command::new(python);
    python.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    python
}

fn check_python(module: &str) {
    let mut probe = python();
    probe.args(["-c", &format!("import {module}")]);
    check_command(&format!("Python's {module}"), probe, || {
        let mut client = python();
        client.arg(script(&format!("{module}_client.py")));
        client
    });
}

fn node() -> Command {
    let mut node = Command::new("node");
    if let Some(modules) = std::env::var_os("INTEROP_NODE_MODULES") {
        node.env("NODE_PATH", modules);
    }
    node
}

#[test]
fn node_ws() {
    let mut probe = node();
    probe.args(["-e", "require('ws')"]);
    check_command("Node's ws", probe, || {
        let mut client = node();
        client.arg(script("ws.cjs"));
        client
    });
}

#[test]
fn python_websockets() {
    check_python("websockets");
}

#[test]
fn python_aiohttp() {
    check_python("aiohttp");
}

#[test]
fn our_client_with_node_ws() {
    let (mut probe, mut server) = (node(), node());
    probe.args(["-e", "require('ws')"]);
    server.arg(script("ws_server.cjs"));
    check_server("Node's ws", probe, server);
}

#[test]
fn our_client_with_python_websockets() {
    let (mut probe, mut server) = (python(), python());
    probe.args(["-c", "import websockets"]);
    server.arg(script("websockets_server.py"));
    check_server("Python's websockets", probe, server);
}

#[test]
fn chromium() {
    let Some(mut chromium) = Chromium::open("about:blank") else { return };
    check(|url, kinds| {
        let exchange = include_str!("interop/exchange.js");
        let call = format!("exchange(WebSocket, {url:?}, {kinds:?})");
        let script = format!("{exchange}\n{call}.catch(error => String(error.stack))");
        (0..10).find_map(|_| chromium.page.evaluate(&script)).expect("the page stays")
    });
}

/// A server, and the URL that it is reached by.
fn serve(options: &[&str]) -> (Running, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
    server.args(["--listen", "127.0.0.1:0"]).args(options);
    let (server, url) = start(&mut server, "  echo    ws://");
    (server, format!("ws://{}", url.strip_suffix("/echo").unwrap()))
}

/// What clients say that know the table of the chat's messages.
const TALKED: &str = "5 messages, all as they should be";

#[test]
fn chat_with_node_ws() {
    let mut probe = node();
    probe.args(["-e", "require('ws')"]);
    if is_there("Node's ws", probe) {
        let (_server, url) = serve(&["--workers", "2"]);
        assert_eq!(output(node().arg(script("table.js")).arg(&url)), TALKED);
    }
}

#[test]
fn chat_with_chromium() {
    let Some(mut chromium) = Chromium::open("about:blank") else { return };
    // Chromium's page has no origin.
    let (_server, url) = serve(&["--workers", "2", "--allow-origin", "null"]);
    let call = format!("talk(WebSocket, {url:?}).catch(error => String(error.stack))");
    let script = format!("{}\n{call}", include_str!("interop/table.js"));
    let talked = (0..10).find_map(|_| chromium.page.evaluate(&script));
    assert_eq!(talked.expect("the page stays"), TALKED);
}

#[test]
fn chat_with_python_websockets_and_a_token() {
    let mut probe = python();
    probe.args(["-c", "import websockets.sync.client"]);
    if !is_there("Python's websockets", probe) {
        return;
    }
    let keys = std::env::temp_dir().join(format!("ws-mio-server-{}.jwks", std::process::id()));
    let mut token = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
    token.args(["token", "--generate", "--user", "파이썬", "--jwks"]).arg(&keys);
    let token = output(&mut token);
    let (_server, url) = serve(&["--auth-jwks", keys.to_str().unwrap()]);
    let said = output(python().arg(script("chat_client.py")).arg(&url).arg(&token));
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(said, "파이썬 said 안녕");
}
