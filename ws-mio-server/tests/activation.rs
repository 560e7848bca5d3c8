//! Sockets that are passed to the program, as systemd does.
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

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Client, LIMIT, request};
use program::{PROGRAM, Program};
use rustix::process::Signal;

/// Binds what its arguments say up to `--`, passes it on under these names, and becomes the program.
const LAUNCHER: &str = r#"
import os, socket, sys
words = sys.argv[1:sys.argv.index("--")]
program = sys.argv[sys.argv.index("--") + 1:]
sockets, names = [], []
for word in words:
    name, kind, where = word.split(",")
    if kind == "file":
        passed = open(where)
    else:
        passed = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        if kind == "unix":
            passed.bind(where)
        else:
            passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            passed.bind((where, 0))
        if kind != "deaf":
            passed.listen()
    sockets.append(passed)
    names.append(name)
# Out of the way first, so that none takes the place of another.
high = [os.dup2(passed.fileno(), 100 + i) for i, passed in enumerate(sockets)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
    os.close(fd)
env = dict(os.environ, LISTEN_FDS=str(len(sockets)), LISTEN_PID=str(os.getpid()))
env["LISTEN_FDNAMES"] = ":".join(names)
env.update(word.split("=", 1) for word in os.environ.get("OVERRIDE", "").split() if word)
os.execve(program[0], program, env)
"#;

/// The program with sockets (`NAME,KIND,WHERE`); nothing if this machine has no Python.
fn launcher(sockets: &[&str], arguments: &[&str]) -> Option<Command> {
    if Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing; CI must install it");
        eprintln!("skipped: no python3 on this machine");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", LAUNCHER]).args(sockets).arg("--").arg(PROGRAM).args(arguments);
    Some(command)
}

/// The socket that is at an address which the banner has behind a word.
fn address(program: &Program, word: &str, scheme: &str) -> SocketAddr {
    let lines = program.banner.iter().filter_map(|line| line.trim().strip_prefix(word));
    let url = { lines }.find_map(|line| line.trim().strip_prefix(scheme)).unwrap();
    url.split('/').next().unwrap().parse().unwrap()
}

/// The answer to a plain request.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A path that is gone with the test.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn sockets_are_served_by_their_names() {
    let path = std::env::temp_dir().join(format!("ws-mio-server-{}.sock", std::process::id()));
    let unix = Gone(path);
    let of_unix = format!("ws.socket,unix,{}", unix.0.display());
    let sockets = ["tls,tcp,127.0.0.1", "ws.socket,tcp,127.0.0.1", "admin,tcp,127.0.0.1", &of_unix];
    let arguments = ["--workers", "2", "--tls-self-signed", "--drain", "1s"];
    let Some(mut command) = launcher(&sockets, &arguments) else { return };
    let mut program = Program::start(&mut command);
    // The default is not listened on.
    let pages = program.banner.iter().filter(|line| line.contains("page ")).count();
    assert_eq!(pages, 2, "{:?}", program.banner);
    // It is not known who reaches these: no key is made for them.
    assert!(!program.banner.iter().any(|line| line.contains("Bearer")), "{:?}", program.banner);
    let plain = address(&program, "page", "http://");
    for _ in 0..10 {
        let mut client = Client::connect(plain);
        client.upgrade("/echo");
        client.echo("by a socket that was passed");
    }
    // Metrics are served to those who run the server alone.
    let admin = address(&program, "admin", "http://");
    assert!(get(plain, "/metrics").starts_with("HTTP/1.1 404 "));
    assert!(get(admin, "/metrics").contains("wsmio_connections"));
    // Who speaks to the wrong one is told so.
    let encrypted = address(&program, "page", "https://");
    assert!(get(encrypted, "/").contains("wss://"));
    let output = Command::new(PROGRAM)
        .args(["connect", &format!("wss://{encrypted}/echo"), "--insecure", "-n", "1", "--quiet"])
        .args(["-m", "encrypted"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"encrypted\n", "{}", String::from_utf8_lossy(&output.stderr));
    let mut local = UnixStream::connect(&unix.0).unwrap();
    local.set_read_timeout(Some(LIMIT)).unwrap();
    local.write_all(request("/echo").as_bytes()).unwrap();
    let mut head = [0; 12];
    local.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    drop(local);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
    assert!(unix.0.exists(), "whoever has bound it removes it");
}

/// What the program says that does not start.
fn refused(sockets: &[&str], arguments: &[&str], overridden: &str) -> Option<String> {
    let mut command = launcher(sockets, arguments)?;
    let output = command.env("OVERRIDE", overridden).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    Some(said)
}

#[test]
fn what_can_not_be_served_is_named() {
    let tcp = "a,tcp,127.0.0.1";
    for (sockets, overridden, due) in [
        (&["a,deaf,127.0.0.1"][..], "", "socket 1 of those that were passed"),
        (&[tcp, "a,deaf,127.0.0.1"], "", "socket 2 of those"),
        (&[tcp, "a,file,/dev/null"], "", "descriptor 4 is no socket"),
        (&[tcp], "LISTEN_FDS=40", "is no socket"),
        (&[tcp], "LISTEN_FDS=many", "a number of sockets"),
        (&[tcp], "LISTEN_FDS=4294967295", "a number of sockets"),
        (&[tcp], "LISTEN_FDNAMES=a:b:c", "1 names are due"),
        (&["tls,tcp,127.0.0.1"], "", "--tls-cert"),
        (&["a,tcp,0.0.0.0"], "", "--insecure-no-auth"),
    ] {
        let Some(said) = refused(sockets, &[], overridden) else { return };
        assert!(said.contains(due), "{sockets:?} {overridden}: {said}");
    }
    let said = refused(&["tls,tcp,0.0.0.0"], &["--tls-self-signed", "--insecure-no-auth"], "");
    assert!(said.unwrap().contains("tls-self-signed"));
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    let listen = ["--listen", "127.0.0.1:0"];
    let Some(mut command) = launcher(&["a,tcp,127.0.0.1"], &listen) else { return };
    let program = Program::start(command.env("OVERRIDE", "LISTEN_PID=1"));
    let pages = program.banner.iter().filter(|line| line.contains("page ")).count();
    assert_eq!(pages, 1, "{:?}", program.banner);
    program.open("/echo").echo("hello");
}
