//! Who may connect: a check of one's own, tokens, and what those who are refused and the log are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Client, TEXT, close, echo, serve};
use rustix::process::{Pid, Signal, kill_process};
use ws_mio_server::{Denied, Handler, Identity, Message, OnDenied, Peer, Request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-mio-server");

/// A request with further fields.
fn request(target: &str, fields: &str) -> String {
    let request = common::request(target);
    format!("{}{fields}\r\n", request.strip_suffix("\r\n").unwrap())
}

/// Tells each peer who it is.
#[derive(Clone)]
struct WhoAmI;

impl Handler for WhoAmI {
    fn subprotocols(&self) -> &[&str] {
        &["chat"]
    }

    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let user = peer.identity().map_or("nobody", Identity::user).to_owned();
        peer.send(Message::Text(&user));
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, _: Message<'_>) {
        let claims = peer.identity().unwrap().claims().to_owned();
        peer.send(Message::Text(&claims));
    }
}

fn by_key(request: &Request<'_>) -> Result<Identity, Denied> {
    match request.header("X-Key") {
        Some("sesame") => Ok(Identity::new("ali").with_claims(&request.query("room").unwrap())),
        Some(_) => Err(Denied::new("the key is wrong")),
        None => Err(Denied::missing()),
    }
}

#[test]
fn a_check_of_ones_own_decides_and_handlers_know_the_user() {
    let server = serve(echo().route("/who", WhoAmI).authenticate(by_key));
    let mut client = server.connect();
    client.write(request("/who?room=a%20b", "X-Key: sesame\r\n").as_bytes());
    client.accepted();
    client.expect(TEXT, b"ali");
    client.send(TEXT, b"?");
    client.expect(TEXT, b"a b");
    for (fields, challenge, told) in [
        ("", "\r\nWWW-Authenticate: Bearer\r\n", "a token is required\n"),
        (
            "X-Key: x\r\n",
            "\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
            "the token is not accepted\n",
        ),
    ] {
        let mut client = server.connect();
        client.write(request("/who", fields).as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 401 ") && head.contains(challenge), "{head}");
        assert_eq!(client.rest(), told.as_bytes());
    }
    assert_eq!(server.handle.stats().refused, 2);
}

#[test]
fn a_web_page_can_see_why_it_was_denied_if_so_wanted() {
    /// Counts what it hears of.
    #[derive(Clone)]
    struct Never(&'static AtomicUsize);

    impl Handler for Never {
        fn on_open(&mut self, _: &mut Peer<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn on_message(&mut self, _: &mut Peer<'_>, _: Message<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn on_close(&mut self, _: &mut Peer<'_>, _: ws_mio_server::Ending<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    static HEARD: AtomicUsize = AtomicUsize::new(0);
    let builder = echo().route("/never", Never(&HEARD)).on_denied(OnDenied::Close);
    let server = serve(builder.authenticate(by_key));
    let mut client = server.connect();
    // What comes behind the request is not served either.
    client.write(&[request("/never", "").as_bytes(), &common::frame(TEXT, b"hello")].concat());
    client.accepted();
    let frame = client.frame();
    assert_eq!((frame.code(), &frame.payload[2..]), (4401, &b"a token is required"[..]));
    client.ended();
    client.write(&close(4401, ""));
    drop(client);
    server.until_empty();
    assert_eq!((HEARD.load(Ordering::SeqCst), server.handle.stats().refused), (0, 1));
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
        let name = format!("ws-mio-server-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }
}

/// Runs the command to its end: its status, and what it printed and told.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn start(arguments: &[&str]) -> (Child, String) {
    let mut program = Command::new(PROGRAM);
    program.args(["--listen", "127.0.0.1:0"]).args(arguments);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| line.strip_prefix("  echo    ").map(str::to_owned));
    lines.find(|line| line.contains("Ctrl-C")).unwrap();
    (child, url.unwrap())
}

/// Stops the program; what it logged.
fn stop(mut child: Child) -> String {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let mut log = String::new();
    child.stderr.unwrap().read_to_string(&mut log).unwrap();
    log
}

#[test]
fn tokens_of_the_command_open_connections_and_stand_in_no_log() {
    let folder = Folder::new("auth");
    let keys = folder.file("keys.json");
    let token = |arguments: &[&str]| {
        let (code, token, stderr) = run(&[&["token", "--jwks", &keys], arguments].concat());
        assert_eq!(code, Some(0), "{stderr}");
        token
    };
    let (code, _, stderr) = run(&["token", "--jwks", &keys, "--user", "a"]);
    assert!(code == Some(1) && stderr.contains("--generate"), "{stderr}");
    let good = token(&["--generate", "--user", "a", "--issuer", "i", "--audience", "ws"]);
    // It is there now and stays as it is.
    let other = token(&["--generate", "--user", "a", "--issuer", "i", "--audience", "x"]);
    let stale = token(&["--user", "a", "--issuer", "i", "--audience", "ws", "--expires", "0s"]);
    let limits = ["--auth-issuer", "i", "--auth-audience", "ws", "--auth-leeway", "0s"];
    let (child, url) = start(&[&["--auth-jwks", &keys][..], &limits].concat());
    let connect = |url: &str, arguments: &[&str]| {
        run(&[&["connect", url, "-m", "hello", "-n", "1"], arguments].concat())
    };
    for (url, arguments) in [
        (&url, &["--token", &good][..]),
        (&url, &["-s", "bearer", "-s", &good]),
        (&format!("{url}?token={good}"), &[]),
    ] {
        let (code, stdout, stderr) = connect(url, arguments);
        assert_eq!((code, stdout.as_str()), (Some(0), "hello"), "{arguments:?}: {stderr}");
    }
    for (arguments, due) in [
        (&[][..], "401, not 101: a token is required"),
        (&["--token", "x"], "401, not 101: the token is not accepted"),
        (&["--token", &other], "the token is not accepted"),
        (&["--token", &stale], "the token is not accepted"),
        (&["--token", &good, "-s", "bearer", "-s", &good], "the token is not accepted"),
    ] {
        let (code, _, stderr) = connect(&url, arguments);
        assert!(code == Some(1) && stderr.contains(due), "{arguments:?}: {stderr}");
    }
    let (code, _, stderr) = connect(&format!("{url}?token={stale}"), &[]);
    assert!(code == Some(1) && stderr.contains("401"), "{stderr}");
    // Pages are for everyone.
    let address = url.strip_prefix("ws://").unwrap().strip_suffix("/echo").unwrap();
    let mut client = Client::connect(address.parse().unwrap());
    client.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 200 "));
    let log = stop(child);
    for due in
        ["status=401", "no token came", "malformed", "(`aud`)", "expired", "more than one way"]
    {
        assert!(log.contains(due), "{due}: {log}");
    }
    for secret in [good, other, stale] {
        let (_, signature) = secret.rsplit_once('.').unwrap();
        assert!(!log.contains(signature), "{log}");
    }
    let (child, url) = start(&["--auth-jwks", &keys, "--auth-denied", "close"]);
    let (code, _, stderr) = run(&["connect", &url, "--stay"]);
    assert!(code == Some(1) && stderr.contains("4401 (application code): a token is required"));
    assert!(stop(child).contains("4401"));
}

#[test]
fn a_server_that_anyone_could_use_does_not_start_by_accident() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let (code, _, stderr) = run(&["--listen", "127.0.0.1:0", "--listen", address]);
        assert_eq!(code, Some(1));
        for due in [address, "--auth-jwks", "--insecure-no-auth"] {
            assert!(stderr.contains(due) && stderr.lines().count() == 1, "{stderr}");
        }
    }
    let folder = Folder::new("auth-keys");
    let file = folder.file("keys.json");
    for (content, due) in [("{", "JSON"), ("{}", "`keys`"), (r#"{"keys": []}"#, "none of the keys")]
    {
        fs::write(&file, content).unwrap();
        let (code, _, stderr) = run(&["--auth-jwks", &file]);
        assert!(code == Some(1) && stderr.contains(due) && stderr.contains(&file), "{stderr}");
    }
    let (code, _, stderr) = run(&["--auth-jwks", &folder.file("nothing")]);
    assert!(code == Some(1) && stderr.contains("auth-jwks"), "{stderr}");
}
