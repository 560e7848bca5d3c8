//! Headless Chromium, driven over its debugging protocol by our own client role.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Ask, Pending};
use ws_proto::{Assembler, Client, Config, Connection, Input, Message, Scratch};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A child process that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a command; returns what stands behind `mark` in the first line of its output that has it.
pub fn start(command: &mut Command, mark: &str) -> (Running, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let child = Running(child);
    let (found, line) = std::sync::mpsc::channel();
    for output in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
        let (mark, found) = (mark.to_owned(), found.clone());
        // Reads to the end, so that the command never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once(&mark) {
                    let _ = found.send(rest.trim().to_owned());
                }
            }
        });
    }
    drop(found);
    let line = line.recv_timeout(Duration::from_secs(60));
    (child, line.unwrap_or_else(|_| panic!("{command:?} did not say {mark:?}")))
}

type Key = fn() -> [u8; 4];

/// The debugging protocol of one page.
pub struct Page {
    stream: TcpStream,
    connection: Connection<Client<Key>>,
    /// What came behind the handshake's response.
    early: Vec<u8>,
}

impl Page {
    fn open(address: &str, path: &str) -> Self {
        let mut stream = connect(address);
        let mut request = Vec::new();
        let ask = Ask { host: address, target: path, ..Ask::default() };
        let pending = Pending::request(ask, *b"a browser's test", &mut request).unwrap();
        stream.write_all(&request).unwrap();
        let (mut reader, mut bytes) = (HeadReader::response(), Vec::new());
        let end = loop {
            if let Some(end) = reader.end(&bytes).unwrap() {
                break end;
            }
            read(&mut stream, &mut bytes);
        };
        let response = head::response(&bytes[..end]).unwrap();
        let accepted = pending.finish(response.status, &response.fields).unwrap();
        let key: Key = || [0x55, 0xaa, 0x5a, 0xa5];
        let config = Config { max_message: 64 * 1024 * 1024, ..Config::default() };
        let connection = Connection::new(Client(key), config, accepted.agreed);
        Self { stream, connection, early: bytes[end..].to_vec() }
    }

    /// The string that `expression`, a promise, comes to; `None` if the page was left meanwhile, as the
    /// browser's first, empty one is.
    pub fn evaluate(&mut self, expression: &str) -> Option<String> {
        let params = json!({ "expression": expression, "awaitPromise": true });
        let call = json!({ "id": 1, "method": "Runtime.evaluate", "params": params }).to_string();
        let mut out = Vec::new();
        self.connection.send(call.as_str(), true, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
        let mut messages = Assembler::new(Vec::new());
        let mut bytes = std::mem::take(&mut self.early);
        loop {
            let mut scratch = Scratch::new();
            let mut input = Input::new(&mut bytes, &mut scratch);
            while let Some(event) = self.connection.next_event(&mut input).unwrap() {
                if let Some(Message::Text(text)) = messages.push(event).unwrap() {
                    let answer: Value = serde_json::from_str(text).unwrap();
                    if answer["id"] == 1 {
                        let left = answer["error"]["message"] == "Execution context was destroyed.";
                        let value = answer["result"]["result"]["value"].as_str();
                        assert!(left || value.is_some(), "{answer}");
                        return value.map(str::to_owned);
                    }
                }
            }
            bytes.clear();
            read(&mut self.stream, &mut bytes);
        }
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    stream
}

fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) {
    let mut buffer = [0; 16 * 1024];
    let n = stream.read(&mut buffer).unwrap();
    assert!(n > 0, "the browser closed the connection");
    bytes.extend_from_slice(&buffer[..n]);
}

/// The path of the page's debugging endpoint.
fn page_path(address: &str) -> String {
    let mut stream = connect(address);
    write!(stream, "GET /json/list HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    loop {
        read(&mut stream, &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let list = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Ok(list) = serde_json::from_str::<Value>(list) {
            let pages = list.as_array().unwrap();
            let page = pages.iter().find(|page| page["type"] == "page").expect("a page");
            let url = page["webSocketDebuggerUrl"].as_str().unwrap();
            return url[url.find("/devtools").unwrap()..].to_owned();
        }
    }
}

/// A browser that shows one page.
pub struct Chromium {
    pub page: Page,
    browser: Option<Running>,
    profile: PathBuf,
}

impl Chromium {
    /// Opens `url`; `None` if there is no browser on this machine, which CI must have.
    pub fn open(url: &str) -> Option<Self> {
        let found = |name: &&&str| {
            let mut version = Command::new(name);
            let version = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
            version.status().is_ok_and(|status| status.success())
        };
        let Some(browser) = BROWSERS.iter().find(found) else {
            assert!(std::env::var_os("CI").is_none(), "Chromium is missing; CI must install it");
            eprintln!("skipped: no Chromium on this machine");
            return None;
        };
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("ws-mio-server-{}-{number}", std::process::id());
        let profile = std::env::temp_dir().join(name);
        let mut chromium = Command::new(browser);
        chromium.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            // Those that a test has made are of no authority.
            "--ignore-certificate-errors",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-port=0",
        ]);
        chromium.arg(format!("--user-data-dir={}", profile.display())).arg(url);
        let (browser, devtools) = start(&mut chromium, "DevTools listening on ws://");
        let address = devtools.split('/').next().unwrap();
        let page = Page::open(address, &page_path(address));
        Some(Self { page, browser: Some(browser), profile })
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.browser.take());
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
