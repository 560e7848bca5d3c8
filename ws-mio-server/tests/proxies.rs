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

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// How long anything may take until the test has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.0.join(name);
        fs::write(&file, text).unwrap();
        file.into_os_string().into_string().unwrap()
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proxy {
    Nginx,
    Haproxy,
}

impl Proxy {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// The program, if this machine has it.
    fn program(self) -> Option<PathBuf> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&folders).chain(["/usr/sbin".into()]);
        let found = folders.map(|folder| folder.join(self.name())).find(|file| file.exists());
        if found.is_none() {
            assert!(
                std::env::var_os("CI").is_none(),
                "{} is missing; CI must install it",
                self.name()
            );
            eprintln!("skipped: no {} on this machine", self.name());
        }
        found
    }

    /// Starts the program with the configuration that the command writes.
    fn start(
        self,
        program: &Path,
        folder: &Folder,
        listen: SocketAddr,
        arguments: &[&str],
    ) -> Process {
        let listen = listen.to_string();
        let arguments = [&["gen", self.name(), "--listen", &listen], arguments].concat();
        let output = Command::new(PROGRAM).args(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let written = String::from_utf8(output.stdout).unwrap();
        let mut command = Command::new(program);
        match self {
            Self::Nginx => {
                let include = folder.write("ws.conf", &written);
                let at = folder.0.display();
                let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
                    .concat();
                let main = format!(
                    "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\n\
                     http {{ access_log off;\n{temporary}include {include};\n}}\n"
                );
                command.arg("-e").arg(folder.0.join("error.log"));
                command.arg("-c").arg(folder.write("nginx.conf", &main)).arg("-p").arg(&folder.0);
            }
            Self::Haproxy => {
                command.arg("-db").arg("-f").arg(folder.write("haproxy.cfg", &written));
            }
        }
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = Process(child.unwrap());
        let begun = Instant::now();
        while TcpStream::connect(listen.as_str()).is_err() {
            assert!(begun.elapsed() < LIMIT, "{self:?} does not listen");
            assert!(
                process.0.try_wait().unwrap().is_none(),
                "{self:?} ended; it was to run\n{written}"
            );
            thread::sleep(Duration::from_millis(10));
        }
        process
    }
}

/// A server behind a proxy.
struct Server {
    process: Process,
    address: SocketAddr,
    log: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let page =
            lines.find_map(|line| line.trim().strip_prefix("page    http://").map(str::to_owned));
        let address = page.unwrap().trim_end_matches('/').parse().unwrap();
        lines.find(|line| line.contains("Ctrl-C")).unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { process: Process(child), address, log }
    }

    /// The next line of the log that has all of these parts.
    fn logs(&mut self, parts: &[&str]) {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.log.read_line(&mut seen).unwrap(), 0, "{parts:?} is not in {seen}");
            if parts.iter().all(|part| seen[start..].contains(part)) {
                return;
            }
        }
    }
}

/// A port that is free now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

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
