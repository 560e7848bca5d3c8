//! The real nginx and haproxy with the configurations that the command writes.
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

#[path = "common/balancer.rs"]
mod balancer;
mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use balancer::{Folder, LIMIT, PROGRAM, Process, Proxy, Server, free};
use rustix::process::{Pid, Signal, kill_process};

/// A client whose input stays open.
struct Client(Process, BufReader<std::process::ChildStdout>);

impl Client {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["connect", url, "--quiet"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self(Process(child), stdout)
    }

    fn exchange(&mut self, text: &str) -> bool {
        let sent = writeln!(self.0.0.stdin.as_mut().unwrap(), "{text}");
        let mut heard = String::new();
        let read = self.1.read_line(&mut heard);
        sent.is_ok() && read.is_ok() && heard.trim_end() == text
    }
}

/// The status of the answer to a request for a WebSocket that comes from another address than the proxy.
fn from_elsewhere(to: SocketAddr, path: &str) -> String {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    String::from_utf8_lossy(&status[9..]).into_owned()
}

/// How long connections are idle that outlive a proxy's timeout.
struct Idle {
    timeout: &'static str,
    pings: &'static [&'static str],
    length: Duration,
}

impl Idle {
    /// A moment, or with `PROXY_IDLE=full` in the environment more than a minute, by the server's own pings.
    fn new() -> Self {
        let seconds = Duration::from_secs;
        match std::env::var_os("PROXY_IDLE").is_some_and(|value| value == "full") {
            true => Self { timeout: "60s", pings: &[], length: seconds(70) },
            false => {
                Self { timeout: "1s", pings: &["--ping-interval", "200ms"], length: seconds(3) }
            }
        }
    }

    fn pass(&self) {
        let begun = Instant::now();
        while begun.elapsed() < self.length {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What must work behind a proxy, however it tells the client's address.
fn check(proxy: Proxy, flags: &[&str]) {
    let Some(program) = proxy.program() else { return };
    let name = format!("{}{}", proxy.name(), flags.concat());
    let folder = Folder::new(&name);
    let idle = Idle::new();
    let mut server = Server::start(&[idle.pings, flags].concat());
    let (listen, backend) = (free(), server.address.to_string());
    let arguments = [&["--backend", &backend, "--idle-timeout", idle.timeout], flags].concat();
    let _proxy = proxy.start(&program, &folder, listen, &arguments);

    let url = format!("ws://{listen}/echo");
    let mut client = Client::start(&url, &[]);
    assert!(client.exchange("through a proxy"), "{name}");
    // The client's address is the true one, whatever the client says.
    assert_eq!(from_elsewhere(listen, "/nothing"), "404");
    server.logs(&["404", "client=\"127.0.0.2\"", "nothing is served"]);
    assert_eq!(from_elsewhere(listen, "/echo"), "101");
    // An idle connection outlives the proxy's timeout by pings,
    idle.pass();
    assert!(client.exchange("still there"), "{name}");
    // and not without them.
    drop(server);
    let silent = Server::start(&[&["--ping-interval", "0s", "--listen", &backend], flags].concat());
    let mut client = Client::start(&url, &["--reconnect"]);
    assert!(client.exchange("again"), "{name}");
    drop(client);
    let mut client = Client::start(&url, &[]);
    assert!(client.exchange("hello"), "{name}");
    idle.pass();
    assert!(!client.exchange("cut"), "{name}");
    drop(silent);
}

#[test]
fn nginx() {
    check(Proxy::Nginx, &[]);
}

#[test]
fn haproxy() {
    check(Proxy::Haproxy, &[]);
}

#[test]
fn haproxy_with_the_proxy_protocol() {
    check(Proxy::Haproxy, &["--proxy-protocol"]);
}

/// Two servers behind a proxy are restarted, one after the other, while clients come and stay: each connection
/// gets a Close, and whoever comes is let in.
fn check_rolling_restart(proxy: Proxy) {
    let Some(program) = proxy.program() else { return };
    let folder = Folder::new(&format!("rolling-{}", proxy.name()));
    let drain = ["--drain", "2s", "--close-timeout", "1s", "--workers", "1"];
    let mut servers = [Server::start(&drain), Server::start(&drain)];
    let backends = [0, 1].map(|i| servers[i].address.to_string());
    let arguments = ["--backend", &backends[0], "--backend", &backends[1]];
    let listen = free();
    let _proxy = proxy.start(&program, &folder, listen, &arguments);
    let (mut closed, mut clients) = (0, Vec::new());
    let fill = |clients: &mut Vec<common::Client>| {
        while clients.len() < 20 {
            let mut client = common::Client::connect(listen);
            client.write(common::request("/echo").as_bytes());
            let head = client.head();
            let log = fs::read_to_string(folder.0.join("error.log")).unwrap_or_default();
            assert!(head.starts_with("HTTP/1.1 101 "), "{proxy:?}: {head}{log}");
            client.echo("through a proxy");
            clients.push(client);
        }
    };
    fill(&mut clients);
    for i in [0, 1] {
        let process = &mut servers[i].process;
        kill_process(Pid::from_child(&process.0), Signal::TERM).unwrap();
        let begun = Instant::now();
        let status = loop {
            assert!(begun.elapsed() < LIMIT, "{proxy:?}: it does not stop");
            // Some are closed, by a Close that comes through, and those who come again are let in.
            clients.retain_mut(|client| {
                client.stream.set_nonblocking(true).unwrap();
                let waits = client.stream.peek(&mut [0]).is_err();
                client.stream.set_nonblocking(false).unwrap();
                if !waits {
                    assert_eq!(client.frame().code(), 1012, "{proxy:?}");
                    client.write(&common::close(1012, ""));
                    client.ended();
                    closed += 1;
                }
                waits
            });
            fill(&mut clients);
            if let Some(status) = process.0.try_wait().unwrap() {
                break status;
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(0), "{proxy:?}");
        assert!(closed >= 5, "{proxy:?}: {closed} were closed");
        servers[i] = Server::start(&[&drain[..], &["--listen", &backends[i]]].concat());
        // Within a second the proxy sees that the server is there again.
        let up = Instant::now();
        while up.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(50));
        }
    }
    for client in &mut clients {
        client.echo("still there");
    }
    // What is counted is not for everyone.
    let mut client = common::Client::connect(listen);
    client.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 404 "), "{proxy:?}");
}

#[test]
fn servers_behind_nginx_are_restarted_one_after_the_other() {
    check_rolling_restart(Proxy::Nginx);
}

#[test]
fn servers_behind_haproxy_are_restarted_one_after_the_other() {
    check_rolling_restart(Proxy::Haproxy);
}

/// One of three servers behind a proxy is killed: those whom it had are let in at once, and nobody who comes is
/// turned away, before it is there again and afterwards.
fn check_killed(proxy: Proxy) {
    let Some(program) = proxy.program() else { return };
    let folder = Folder::new(&format!("killed-{}", proxy.name()));
    let mut servers: Vec<_> = (0..3).map(|_| Server::start(&["--workers", "1"])).collect();
    let backends: Vec<_> = servers.iter().map(|server| server.address.to_string()).collect();
    let arguments: Vec<_> = backends.iter().flat_map(|backend| ["--backend", backend]).collect();
    let listen = free();
    let _proxy = proxy.start(&program, &folder, listen, &arguments);
    let come = || {
        let mut client = common::Client::connect(listen);
        client.write(common::request("/echo").as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{proxy:?}: {head}");
        client.echo("let in");
        client
    };
    let mut clients: Vec<_> = (0..30).map(|_| come()).collect();
    let at = servers[1].address;
    let process = &mut servers[1].process;
    kill_process(Pid::from_child(&process.0), Signal::KILL).unwrap();
    process.0.wait().unwrap();
    // Whose server it was sees the end; all others have noticed nothing.
    let mut gone = 0;
    for client in &mut clients {
        client.send(common::TEXT, b"anybody?");
        match client.next() {
            Some(frame) => assert_eq!(frame.payload, b"anybody?"),
            None => gone += 1,
        }
    }
    assert!((5..=15).contains(&gone), "{proxy:?}: {gone} of 30 were on one of three servers");
    clients.extend((0..gone).map(|_| come()));
    servers[1] = Server::start(&["--workers", "1", "--listen", &at.to_string()]);
    clients.extend((0..30).map(|_| come()));
    drop(clients);
}

#[test]
fn one_of_three_servers_behind_nginx_is_killed() {
    check_killed(Proxy::Nginx);
}

#[test]
fn one_of_three_servers_behind_haproxy_is_killed() {
    check_killed(Proxy::Haproxy);
}

#[test]
fn servers_may_have_names() {
    for proxy in ["nginx", "haproxy"] {
        let backends =
            ["--backend", "ws-1:8080", "--backend", "ws-2.example:81", "--backend", "[::1]:1"];
        let arguments = [&["gen", proxy], &backends[..]].concat();
        let output = Command::new(PROGRAM).args(&arguments).output().unwrap();
        let written = String::from_utf8(output.stdout).unwrap();
        for server in [" ws-1:8080 ", " ws-2.example:81 ", " [::1]:1 ", "--listen 0.0.0.0:81 "] {
            assert!(written.contains(server), "{server} is missing in {written}");
        }
    }
    for name in ["ws-1", "ws-1:0", "ws-1:65536", ":80", "1.2.3:80", "a b:80", "a;b:80", "a\n:80"] {
        let output = Command::new(PROGRAM).args(["gen", "nginx", "--backend", name]).output();
        let output = output.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains("such as"), "{name}: {stderr}");
    }
}

#[test]
fn proxies_terminate_tls() {
    for proxy in [Proxy::Nginx, Proxy::Haproxy] {
        let Some(program) = proxy.program() else { continue };
        let folder = Folder::new(&format!("tls-{}", proxy.name()));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let ca = folder.write("ca.pem", &certificate);
        let both = folder.write("both.pem", &format!("{certificate}{key}"));
        let key = folder.write("key.pem", &key);
        let server = Server::start(&[]);
        let (listen, backend) = (free(), server.address.to_string());
        let tls = match proxy {
            Proxy::Nginx => vec!["--certificate", &ca, "--key", &key],
            Proxy::Haproxy => vec!["--certificate", &both],
        };
        let arguments = [&["--backend", backend.as_str()][..], &tls].concat();
        let _proxy = proxy.start(&program, &folder, listen, &arguments);
        let url = format!("wss://localhost:{}/echo", listen.port());
        let mut client = Client::start(&url, &["--ca", &ca]);
        assert!(client.exchange("through TLS"), "{proxy:?}");
        drop(server.process);
    }
}

#[test]
fn what_a_proxy_can_not_do_is_refused() {
    for (arguments, due) in [
        (&["gen", "nginx", "--proxy-protocol"][..], "X-Forwarded-For"),
        (&["gen", "nginx", "--certificate", "a"], "--key"),
        (&["gen", "haproxy", "--certificate", "a", "--key", "b"], "one file"),
        (&["gen", "haproxy", "--certificate", "a\"b"], "no proxy reads"),
    ] {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(due), "{arguments:?}: {stderr}");
    }
}
