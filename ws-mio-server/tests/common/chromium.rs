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
    let (child, [found]) = start_with(command, [mark]);
    (child, found)
}

/// The same for several marks.
pub fn start_with<const N: usize>(
    command: &mut Command,
    marks: [&str; N],
) -> (Running, [String; N]) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let child = Running(child);
    let (said, lines) = std::sync::mpsc::channel();
    for output in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
        let said = said.clone();
        // Reads to the end, so that the command never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
    }
    drop(said);
    let mut found = marks.map(|_| None);
    while found.iter().any(Option::is_none) {
        let line = lines.recv_timeout(Duration::from_secs(60));
        let line = line.unwrap_or_else(|_| panic!("{command:?} did not say {marks:?}"));
        for (found, mark) in found.iter_mut().zip(marks) {
            if let (None, Some((_, rest))) = (&found, line.split_once(mark)) {
                *found = Some(rest.trim().to_owned());
            }
        }
    }
    (child, found.map(Option::unwrap))
}

type Key = fn() -> [u8; 4];

/// The debugging protocol of one page.
pub struct Page {
    stream: TcpStream,
    connection: Connection<Client<Key>>,
    calls: u32,
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
        Self { stream, connection, calls: 0, early: bytes[end..].to_vec() }
    }

    /// The string that `expression`, a promise, comes to; `None` if the page was left meanwhile, as the
    /// browser's first, empty one is.
    pub fn evaluate(&mut self, expression: &str) -> Option<String> {
        let params = json!({ "expression": expression, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params);
        let left = answer["error"]["message"] == "Execution context was destroyed.";
        let value = answer["result"]["result"]["value"].as_str();
        assert!(left || value.is_some(), "{answer}");
        value.map(str::to_owned)
    }

    /// Calls a method of the debugging protocol. Events are passed over.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let call = json!({ "id": self.calls, "method": method, "params": params }).to_string();
        let mut out = Vec::new();
        self.connection.send(call.as_str(), true, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
        let mut messages = Assembler::new(Vec::new());
        let mut bytes = std::mem::take(&mut self.early);
        loop {
            let mut scratch = Scratch::new();
            let mut input = Input::new(&mut bytes, &mut scratch);
            let mut answer = None;
            while let Some(event) = self.connection.next_event(&mut input).unwrap() {
                if let Some(Message::Text(text)) = messages.push(event).unwrap() {
                    let message: Value = serde_json::from_str(text).unwrap();
                    if message["id"] == self.calls {
                        answer = Some(message);
                    }
                }
            }
            if let Some(answer) = answer {
                return answer;
            }
            bytes.clear();
            read(&mut self.stream, &mut bytes);
        }
    }

    /// Goes to a URL; returns when its document is there.
    pub fn go(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert!(answer["result"]["errorText"].is_null(), "{url}: {answer}");
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Waits until an expression is true.
    pub fn wait(&mut self, expression: &str) {
        let script = format!(
            "new Promise(done => {{
                let tries = 0;
                const step = () => {{
                    let met = false;
                    try {{ met = {expression}; }} catch {{ /* Not yet. */ }}
                    if (met || ++tries > 3000) done(String(Boolean(met)));
                    else setTimeout(step, 10);
                }};
                step();
            }})"
        );
        // A page that is left takes the wait with it.
        let met = (0..50).find_map(|_| self.evaluate(&script));
        if met.as_deref() != Some("true") {
            let shown = self.evaluate("Promise.resolve(document.body.innerText)");
            panic!("never true: {expression}; the page shows: {shown:?}");
        }
    }

    /// Types a text where the focus is, as an input method does.
    pub fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key and lets it go.
    pub fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": key, "code": key, "text": text,
                "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// As large as a phone or not, and light or dark.
    pub fn look(&mut self, width: u32, height: u32, theme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Keeps a picture of the page in the folder that `SCREENSHOTS` names, if it does.
    pub fn picture(&mut self, name: &str) {
        use base64::Engine as _;
        let Some(folder) = std::env::var_os("SCREENSHOTS") else { return };
        let answer = self.call("Page.captureScreenshot", json!({}));
        let data = answer["result"]["data"].as_str().unwrap();
        let image = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), image).unwrap();
    }

    /// The string that an expression comes to on a page that stays.
    pub fn text(&mut self, expression: &str) -> String {
        self.evaluate(&format!("Promise.resolve(String({expression}))")).expect("the page stays")
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

/// What the browser's debugging server answers.
fn ask(address: &str, request: &str) -> Value {
    let mut stream = connect(address);
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    loop {
        read(&mut stream, &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Ok(value) = serde_json::from_str::<Value>(body) {
            return value;
        }
    }
}

/// The path of a page's debugging endpoint.
fn devtools_path(page: &Value) -> &str {
    let url = page["webSocketDebuggerUrl"].as_str().unwrap();
    &url[url.find("/devtools").unwrap()..]
}

/// The path of the first page's debugging endpoint.
fn page_path(address: &str) -> String {
    let list = ask(address, "GET /json/list");
    let pages = list.as_array().unwrap();
    let page = pages.iter().find(|page| page["type"] == "page").expect("a page");
    devtools_path(page).to_owned()
}

/// A browser that shows one page.
pub struct Chromium {
    pub page: Page,
    address: String,
    browser: Option<Running>,
    profile: PathBuf,
}

impl Chromium {
    /// Opens `url`; `None` if there is no browser on this machine, which CI must have.
    pub fn open(url: &str) -> Option<Self> {
        Self::speaking("en-US", url)
    }

    /// Opens `url` in a browser whose user speaks this language.
    pub fn speaking(language: &str, url: &str) -> Option<Self> {
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
        chromium.args([format!("--lang={language}"), format!("--accept-lang={language}")]);
        chromium.arg(format!("--user-data-dir={}", profile.display())).arg(url);
        let (browser, devtools) = start(&mut chromium, "DevTools listening on ws://");
        let address = devtools.split('/').next().unwrap();
        let page = Page::open(address, &page_path(address));
        Some(Self { page, address: address.to_owned(), browser: Some(browser), profile })
    }

    /// Another window, as large as those of desks are.
    pub fn window(&self) -> Page {
        let address = &self.address;
        let window = ask(address, "PUT /json/new?about:blank");
        let mut page = Page::open(address, devtools_path(&window));
        let size = json!({ "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        page.call("Emulation.setDeviceMetricsOverride", size);
        // Else its timers are slowed down while another window is in front.
        page.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        page
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.browser.take());
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
