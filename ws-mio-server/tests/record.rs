//! Connections are recorded, without what is secret, and replayed; recordings that were kept are tests.
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
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{BINARY, Client, PING, PONG, TEXT, close, frame, request, until};
use program::{PROGRAM, Program};

/// A directory of this test's own, which is gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-record-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// All recordings, by the order in which their connections were accepted.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The text of the recording of so many, when their connections are gone.
    fn texts(&self, due: usize) -> Vec<String> {
        let mut texts = Vec::new();
        until("all are recorded", || {
            let read = |file: &PathBuf| fs::read_to_string(file).unwrap();
            texts = self.files().iter().map(read).collect::<Vec<_>>();
            texts.len() == due && texts.iter().all(|text| text.ends_with(" closed\n"))
        });
        texts
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn recording(directory: &Directory, more: &[&str]) -> Program {
    let path = directory.0.to_str().unwrap();
    let arguments = ["--workers", "1", "--log-level", "error", "--record", path];
    Program::with(&[&arguments[..], more].concat())
}

/// What is told of a recording, without the times.
fn replay(file: &Path) -> String {
    let output = Command::new(PROGRAM).arg("replay").arg(file).output().unwrap();
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for line in told.lines() {
        let time = line[..12].trim_start();
        assert!(time.parse::<f64>().is_ok() && line.is_char_boundary(14), "{line}");
    }
    told.lines().map(|line| line[14..].to_owned() + "\n").collect()
}

#[test]
fn what_is_said_is_recorded_and_replayed() {
    let directory = Directory::new("said");
    let program = recording(&directory, &["--deflate", "off", "--record-each", "4MiB"]);
    let mut client = Client::connect(program.address());
    // The first frame comes with the request.
    client.write(&[request("/echo").as_bytes(), &frame(TEXT, b"first")].concat());
    client.accepted();
    client.expect(TEXT, b"first");
    client.write(&frame(PING, b"there?"));
    client.expect(PONG, b"there?");
    // Large ones are read to a place of their own, and sent from there.
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 / 8) as u8).collect();
    client.send(BINARY, &large);
    client.expect(BINARY, &large);
    client.write(&close(4321, "enough"));
    client.closed(4321);
    drop(client);
    let [text] = &directory.texts(1)[..] else { panic!() };
    assert!(text.contains("> GET /echo HTTP/1.1\\r\\nHost: a.example\\r\\n"), "{text}");
    let told = replay(&directory.files()[0]);
    let lines: Vec<_> = told.lines().collect();
    let parts = |who: &str| {
        let of = lines.iter().filter(|line| line.starts_with(who) && line.contains("binary"));
        let bytes = of.map(|line| {
            let (before, _) = line.split_once(" bytes: ").unwrap();
            before.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
        });
        bytes.sum::<usize>()
    };
    assert_eq!((parts("peer"), parts("server")), (200_000, 200_000), "{told}");
    let few: Vec<_> = lines.iter().filter(|line| !line.contains("binary")).collect();
    let due = [
        "peer    152 bytes: GET /echo HTTP/1.1\\r\\nHost: a.example\\r\\nUpgrade: websocket\\r\\nCon...",
        "peer    asks to GET /echo",
        "core    would open a WebSocket",
        "peer    text, 5 bytes: first",
        "server  HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnec...",
        "server  text, 5 bytes: first",
        "peer    ping, 6 bytes: there?",
        "core    answers \\x8a\\x06there?",
        "server  pong, 6 bytes: there?",
        "peer    Close 4321: enough",
        "core    answers \\x88\\x02\\x10\\xe1",
        "server  Close 4321: ",
        "peer    has ended its bytes, cleanly",
        "server  drops the connection",
    ];
    let shown = few.iter().map(|line| line.to_string()).collect::<Vec<_>>();
    assert_eq!(shown, due);
    // Nobody else may read it.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory.0), mode(&directory.files()[0])), (0o700, 0o600));
}

#[test]
fn secrets_are_left_out_also_by_tls_and_messages_are_inflated() {
    let directory = Directory::new("secrets");
    let program = recording(&directory, &["--listen-tls", "127.0.0.1:0", "--tls-self-signed"]);
    let line = program.banner.iter().find(|line| line.contains("echo    wss://")).unwrap();
    let url = line.split_whitespace().nth(1).unwrap().to_owned() + "?a=b&token=s3cret1&c";
    let mut user = Command::new(PROGRAM);
    user.args(["connect", &url, "--insecure", "-n", "1", "-H", "Cookie: id=s3cret2"]);
    user.args(["--token", "s3cret3", "-s", "bearer", "-s", "s3cret4"]);
    let mut user =
        user.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    user.stdin.take().unwrap().write_all("hello ".repeat(100).as_bytes()).unwrap();
    assert!(user.wait().unwrap().success());
    let mut client = Client::connect(program.address());
    let body = r#"{"type":"message","content":"s3cret5"}"#;
    let post = format!(
        "POST /sse/a?token=s3cret6 HTTP/1.1\r\nHost: a\r\nX-Key: s3cret7\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // However it is cut.
    for byte in post.as_bytes() {
        client.write(&[*byte]);
    }
    assert!(client.head().starts_with("HTTP/1.1 200 "));
    drop(client);
    let texts = directory.texts(2);
    for text in &texts {
        assert!(!text.contains("s3cret"), "{text}");
    }
    let encrypted = texts.iter().position(|text| text.contains("websocket head=")).unwrap();
    assert!(texts[encrypted].contains(" deflate="), "{}", texts[encrypted]);
    let told = replay(&directory.files()[encrypted]);
    for who in ["peer", "server"] {
        let due = format!("{who:<6}  text, 600 bytes: hello hello");
        assert!(told.contains(&due), "{due}: {told}");
    }
    let told = replay(&directory.files()[1 - encrypted]);
    assert!(told.contains("core    opens no WebSocket: 405"), "{told}");
}

#[test]
fn what_cannot_be_recorded_is_told() {
    let directory = Directory::new("file");
    fs::write(&directory.0, "in the way").unwrap();
    let mut program = Command::new(PROGRAM);
    program.args(["--listen", "127.0.0.1:0", "--record", directory.0.to_str().unwrap()]);
    let output = program.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("can't be recorded in"), "{said}");
    let output = Command::new(PROGRAM).args(["replay", directory.0.to_str().unwrap()]).output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains("line 1: `ws-mio-server recording 1` is due"), "{said}");
    fs::remove_file(&directory.0).unwrap();
}

/// To make a test of a recording, move it into `tests/recordings`, run this with `BLESS=1`, and read the file with the
/// same name and `.txt` that is made beside it.
#[test]
fn recordings_that_were_kept_come_to_what_they_did() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "rec")).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let (told, kept) = (replay(&file), file.with_extension("txt"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&kept, &told).unwrap();
        }
        let due = fs::read_to_string(&kept).unwrap_or_default();
        assert!(told == due, "{}: it came to\n{told}instead of\n{due}", file.display());
    }
}
