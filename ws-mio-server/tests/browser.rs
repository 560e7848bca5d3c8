//! The pages in a real browser: headless Chromium, driven over its debugging protocol by our own client role.
//! With `SCREENSHOTS=DIR` it leaves pictures of them there.
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
#[path = "common/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use chromium::{Chromium, Page, Running, start, start_with};
use wire::Wire;

/// A server of the binary.
struct Server {
    arguments: Vec<String>,
    running: Option<Running>,
    address: SocketAddr,
}

impl Server {
    fn with(arguments: &[&str]) -> Self {
        let mut server = Self {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            running: None,
            address: "127.0.0.1:0".parse().unwrap(),
        };
        server.start();
        server
    }

    /// Starts it, at the address that it had.
    fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
        command.args(["--listen", &self.address.to_string()]).args(&self.arguments);
        let (running, url) = start(&mut command, "  page    http://");
        self.running = Some(running);
        self.address = url.trim_end_matches('/').parse().unwrap();
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        drop(self.running.take());
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The chat as somebody sees it, in a room.
fn enter(chromium: &Chromium, address: SocketAddr, name: &str, room: &str) -> Page {
    let mut page = chromium.window();
    page.go(&format!("http://{address}/?username={}#{}", encode(name), encode(room)));
    page.wait("document.querySelector('#connection').dataset.state === 'open'");
    page
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Writes a message and presses Enter.
fn say(page: &mut Page, text: &str) {
    page.text("document.querySelector('#text').focus()");
    page.insert(text);
    page.press("Enter", 13);
}

const SHOWN: &str = "[...document.querySelectorAll('.log:not([hidden]) > li')].map(li => \
                     (li.querySelector('.bubble') ?? li).innerText)";

/// Waits until these lines, each with these words, are shown in this order, whatever else is.
fn shows(page: &mut Page, lines: &[&str]) {
    let lines = serde_json::to_string(lines).unwrap();
    page.wait(&format!(
        "(() => {{
            let at = 0;
            const lines = {lines};
            for (const line of {SHOWN}) if (line.includes(lines[at])) at += 1;
            return at === lines.length;
        }})()"
    ));
}

/// The ids and contents of all messages that are shown, as one text.
fn messages(page: &mut Page) -> String {
    page.text(
        "[...document.querySelectorAll('.log:not([hidden]) > .message')].map(li => \
         `${li.dataset.id} ${li.querySelector('.bubble').innerText}`).join('\\n')",
    )
}

#[test]
fn two_people_talk_across_cuts_and_a_crash() {
    let Some(chromium) = Chromium::speaking("ko-KR", "about:blank") else { return };
    let data = Folder::new("browser");
    let mut server = Server::with(&["--data", data.path()]);
    let wire = Wire::to(server.address);
    let mut jisu = enter(&chromium, wire.address, "지수", "개발자 모임");
    assert_eq!(jisu.text("document.documentElement.lang"), "ko");
    shows(&mut jisu, &["먼저 인사해 보세요"]);
    jisu.wait("document.querySelector('#count').innerText === '1명 참여 중'");
    let mut ada = enter(&chromium, server.address, "Ada", "개발자 모임");
    shows(&mut jisu, &["Ada님이 입장했습니다"]);
    for page in [&mut jisu, &mut ada] {
        page.wait("document.querySelector('#count').innerText === '2명 참여 중'");
        page.wait("document.querySelectorAll('#people li').length === 2");
    }
    // Typing is seen while it goes on, by the other only.
    ada.text("document.querySelector('#text').focus()");
    ada.insert("Hi");
    jisu.wait("document.querySelector('#typing').innerText.includes('Ada님이 입력하고 있습니다')");
    assert_eq!(ada.text("document.querySelector('#typing').innerText"), "");
    ada.press("Enter", 13);
    jisu.wait("document.querySelector('#typing').innerText === ''");
    say(&mut jisu, "안녕하세요, 반갑습니다 👋");
    for page in [&mut jisu, &mut ada] {
        shows(page, &["Hi", "안녕하세요, 반갑습니다 👋"]);
        page.wait("!document.querySelector('.pending')");
    }

    // One is cut off; what was said meanwhile comes.
    wire.cut();
    jisu.wait("document.querySelector('#connection').dataset.state === 'waiting'");
    jisu.wait("/[0-9]+초 후 다시 시도/.test(document.querySelector('#countdown').innerText)");
    jisu.picture("cut");
    for text in ["하나", "둘", "셋"] {
        say(&mut ada, text);
    }
    shows(&mut ada, &["하나", "둘", "셋"]);
    wire.mend();
    jisu.text("document.querySelector('#retry').click()");
    shows(&mut jisu, &["메시지 3개를 복구했습니다", "하나", "둘", "셋"]);

    // The server dies; what is said meanwhile is said when it lives again.
    server.kill();
    for page in [&mut jisu, &mut ada] {
        page.wait("document.querySelector('#connection').dataset.state !== 'open'");
    }
    say(&mut jisu, "서버가 없을 때 쓴 글");
    say(&mut ada, "written meanwhile");
    shows(&mut jisu, &["서버가 없을 때 쓴 글"]);
    jisu.wait("document.querySelectorAll('.pending').length === 1");
    server.start();
    for page in [&mut jisu, &mut ada] {
        page.wait(
            "document.querySelector('#connection').dataset.state === 'open' \
             && document.querySelectorAll('.message').length === 7 \
             && !document.querySelector('.pending')",
        );
    }
    say(&mut ada, "끝");
    let mut seen = [&mut jisu, &mut ada].map(|page| {
        shows(page, &["셋", "끝"]);
        page.wait("!document.querySelector('.pending')");
        messages(page)
    });
    assert_eq!(seen[0], seen[1], "both see the same, in the same order");
    let mut told: Vec<_> = seen[0].lines().map(|line| line.split_once(' ').unwrap().1).collect();
    told[5..7].sort_unstable();
    let meanwhile = ["written meanwhile", "서버가 없을 때 쓴 글"];
    let before = ["Hi", "안녕하세요, 반갑습니다 👋", "하나", "둘", "셋"];
    assert_eq!(told, [&before[..], &meanwhile, &["끝"]].concat());
    // One epoch, and offsets without gaps.
    let ids: Vec<_> = seen[0].lines().map(|line| line.split(' ').next().unwrap()).collect();
    let epoch = ids[0].rsplit_once(':').unwrap().0;
    let due: Vec<_> = (1..=8).map(|offset| format!("{epoch}:{offset}")).collect();
    assert_eq!(ids, due);

    for (name, width, height, theme) in
        [("light", 1280, 800, "light"), ("dark", 1280, 800, "dark"), ("phone", 390, 844, "light")]
    {
        jisu.look(width, height, theme);
        jisu.picture(name);
        let wide = jisu.text("document.documentElement.scrollWidth > innerWidth");
        assert_eq!(wide, "false", "{name}: it does not fit");
    }
    // Who comes later is told what was said; who leaves is seen to.
    let mut late = enter(&chromium, server.address, "민준", "개발자 모임");
    shows(&mut late, &["Hi", "끝"]);
    seen[1] = messages(&mut late);
    assert_eq!(seen[0], seen[1]);
    ada.call("Page.navigate", serde_json::json!({ "url": "about:blank" }));
    shows(&mut jisu, &["Ada님이 나갔습니다"]);
    jisu.wait("document.querySelector('#count').innerText === '2명 참여 중'");
}

/// What would run a script, or become something else than text, if it were taken for HTML.
const PROBES: [&str; 7] = [
    "<img src=x onerror=top.pwned=1>",
    "<script>top.pwned=1</script>",
    "\"><svg onload=top.pwned=1>",
    "<iframe srcdoc=\"<script>top.pwned=1</script>\"></iframe>",
    "' onmouseover='top.pwned=1",
    "javascript:top.pwned=1",
    "{{constructor.constructor('top.pwned=1')()}}${top.pwned=1}",
];

const STRANGE: &str = "document.querySelectorAll('#side :is(script, iframe, svg, b), #logs :is(script, \
     iframe, svg, img, b), table :is(script, iframe, svg, img), #side img:not(.brand img), [onerror], \
     [onload], [onmouseover]').length";

#[test]
fn what_users_say_is_text() {
    let Some(mut chromium) = Chromium::open("about:blank") else { return };
    // The probes are good: where they are taken for HTML, one runs.
    let probe = quote(PROBES[0]);
    chromium.page.text(&format!("document.body.innerHTML = {probe}"));
    chromium.page.wait("window.pwned === 1");

    let server = Server::with(&[]);
    for name in &PROBES[..3] {
        let mut other = enter(&chromium, server.address, &format!("{name}2"), name);
        let mut page = enter(&chromium, server.address, "Ada", name);
        other.text("document.querySelector('#text').focus()");
        other.insert("x");
        page.wait("document.querySelector('#typing').innerText !== ''");
        page.wait("document.querySelectorAll('#people li').length === 2");
        other.press("Enter", 13);
        for probe in PROBES {
            say(&mut other, probe);
        }
        for page in [&mut page, &mut other] {
            shows(page, &PROBES);
            // As it was sent, to the letter.
            let last = page.text("[...document.querySelectorAll('.bubble')].at(-1).textContent");
            assert_eq!(last, PROBES[6]);
            assert_eq!(page.text("document.querySelector('#room').textContent"), *name);
            page.text("document.querySelector('#language').click()");
            page.text("document.querySelector('#theme').click()");
            assert_eq!(page.text(STRANGE), "0", "{name}");
            assert_eq!(page.text("window.pwned"), "undefined", "{name}");
        }
    }
    // And if something were: the browser would not let it, by the policy.
    let mut page = enter(&chromium, server.address, "Ada", "general");
    let refused = page.text(&format!(
        "(() => {{ try {{ document.querySelector('#logs').innerHTML = {probe}; return 'set'; }} \
         catch (error) {{ return error.name; }} }})()"
    ));
    assert_eq!(refused, "TypeError");
    page.text(
        "(() => { const script = document.createElement('script'); try { script.text = 'window.pwned = 1'; } \
         catch { /* Trusted types. */ } document.head.append(script); })()",
    );
    assert_eq!(page.text("window.pwned"), "undefined");
}

#[test]
fn somebody_new_says_who_and_where_and_all_of_it_has_names_for_screen_readers() {
    let Some(chromium) = Chromium::open("about:blank") else { return };
    let server = Server::with(&[]);
    let mut page = chromium.window();
    page.go(&format!("http://{}/", server.address));
    page.wait("document.querySelector('#welcome').open && document.activeElement.id === 'name'");
    assert_eq!(page.text("document.documentElement.lang"), "en");
    page.picture("welcome");
    // By the keyboard alone.
    page.insert("Ada");
    page.press("Tab", 9);
    page.text("document.activeElement.select()");
    page.insert("tea room");
    page.press("Enter", 13);
    page.wait("!document.querySelector('#welcome').open && document.title === '#tea room'");
    page.wait("document.querySelector('#connection').dataset.state === 'open'");
    page.wait("document.querySelector('#count').innerText === '1 person here'");
    page.wait("document.activeElement.id === 'text'");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    page.press("Tab", 9);
    assert_eq!(page.text("document.activeElement.id"), "send");
    assert_eq!(page.text(outline), "solid", "the focus can be seen");
    // What one can do has a name, and what changes is told.
    let tree = page.call("Accessibility.getFullAXTree", serde_json::json!({}));
    let nodes = tree["result"]["nodes"].as_array().unwrap();
    let roles = ["button", "textbox", "link", "list", "log", "status", "navigation", "dialog"];
    let mut found = 0;
    for node in nodes.iter().filter(|node| node["ignored"] == false) {
        let (role, name) = (&node["role"]["value"], &node["name"]["value"]);
        if roles[..3].contains(&role.as_str().unwrap_or_default()) {
            found += 1;
            assert!(name.as_str().is_some_and(|name| !name.is_empty()), "{node}");
        }
    }
    assert!(found >= 6, "{found}");
    for live in ["#status[role=status]", ".log[role=log][aria-live=polite]", "#typing[aria-live]"] {
        assert_eq!(page.text(&format!("document.querySelectorAll({live:?}).length")), "1");
    }
    // Another language and theme, which stay.
    page.text("document.querySelector('#language').click()");
    page.wait("document.querySelector('#count').innerText === '1명 참여 중'");
    page.text("[1, 2].forEach(() => document.querySelector('#theme').click())");
    page.wait("getComputedStyle(document.body).colorScheme.trim() === 'dark'");
    // Another room, and back; both stay connected, and the one behind counts.
    page.text("document.querySelector('#add-room').focus()");
    page.insert("차 마시는 방");
    page.press("Enter", 13);
    page.wait("document.querySelectorAll('#rooms li').length === 2");
    let mut other = enter(&chromium, server.address, "Bob", "tea room");
    say(&mut other, "anybody here?");
    page.wait("document.querySelector('#rooms .badge').innerText === '1'");
    page.wait("document.title === '(1) #차 마시는 방'");
    page.text("document.querySelector('#rooms .go').click()");
    shows(&mut page, &["anybody here?"]);
    page.wait("!document.querySelector('#rooms .badge')");
    page.go(&format!("http://{}/", server.address));
    page.wait("document.querySelectorAll('#rooms li').length === 2");
    assert_eq!(page.text("document.documentElement.lang"), "ko");
    assert_eq!(page.text("document.documentElement.dataset.theme"), "dark");
    assert_eq!(page.text("document.querySelector('#me .name').innerText"), "Ada");
    // Korean is composed: its Enter is none.
    page.text("document.querySelector('#text').focus()");
    page.insert("한글");
    page.text(
        "document.querySelector('#text').dispatchEvent(new KeyboardEvent('keydown', \
         { key: 'Enter', isComposing: true, bubbles: true }))",
    );
    assert_eq!(page.text("document.querySelector('#text').value"), "한글");
}

#[test]
fn who_may_not_come_in_is_told_and_asked_for_a_token() {
    let Some(chromium) = Chromium::open("about:blank") else { return };
    let folder = Folder::new("tokens");
    std::fs::create_dir_all(&folder.0).unwrap();
    let keys = folder.0.join("keys.json");
    let made = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"))
        .args(["token", "--generate", "--user", "alice", "--jwks"])
        .arg(&keys)
        .output()
        .unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    for denied in ["status", "close"] {
        let server =
            Server::with(&["--auth-jwks", keys.to_str().unwrap(), "--auth-denied", denied]);
        let mut page = chromium.window();
        page.go(&format!("http://{}/?username=Mallory", server.address));
        page.wait(
            "document.querySelector('#welcome').open && document.querySelector('#access').open",
        );
        page.wait("document.activeElement.id === 'token'");
        page.insert(token.trim());
        page.press("Enter", 13);
        page.wait("document.querySelector('#connection').dataset.state === 'open'");
        // Whom the token names, whatever was typed.
        page.wait("document.querySelector('#me .name').innerText === 'alice'");
        // Not in the address, and still there when the page is loaded again.
        page.go(&format!("http://{}/?token={}", server.address, token.trim()));
        page.wait("document.querySelector('#connection').dataset.state === 'open'");
        assert_eq!(page.text("location.search"), "");
    }
}

#[test]
fn where_websockets_are_blocked_the_page_works_all_the_same() {
    let Some(chromium) = Chromium::open("about:blank") else { return };
    let server = Server::with(&[]);
    let wire = Wire::without_websockets(server.address);
    let mut blocked = enter(&chromium, wire.address, "지수", "general");
    blocked.wait("document.querySelector('#status').innerText === 'Connected without WebSocket'");
    let mut other = enter(&chromium, server.address, "Ada", "general");
    shows(&mut blocked, &["Ada joined"]);
    say(&mut other, "Can you hear me?");
    shows(&mut blocked, &["Can you hear me?"]);
    blocked.text("document.querySelector('#text').focus()");
    blocked.insert("네");
    other.wait("document.querySelector('#typing').innerText !== ''");
    blocked.press("Enter", 13);
    shows(&mut other, &["네"]);
    blocked.wait("!document.querySelector('.pending')");
    wire.cut();
    blocked.wait("document.querySelector('#connection').dataset.state === 'waiting'");
    say(&mut other, "Still there?");
    wire.mend();
    blocked.text("document.querySelector('#retry').click()");
    shows(&mut blocked, &["1 message recovered", "Still there?"]);
    assert_eq!(messages(&mut blocked), messages(&mut other));
}

#[test]
fn who_runs_the_server_sees_it_notifies_kicks_and_drains() {
    let Some(chromium) = Chromium::open("about:blank") else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let (mut server, [address, admin]) =
        start_with(&mut command, ["  page    http://", "  admin   http://"]);
    let address = address.trim_end_matches('/').parse().unwrap();
    let admin = admin.split('/').next().unwrap();
    let (room, strange) = ("차 마시는 방", PROBES[0]);
    let mut jisu = enter(&chromium, address, "지수", room);
    let mut other = enter(&chromium, address, strange, strange);
    say(&mut jisu, "안녕하세요");

    let mut page = chromium.window();
    page.go(&format!("http://{admin}/admin"));
    page.wait("document.querySelector('#state').innerText === 'running'");
    let cells = "[...document.querySelectorAll('#connections tbody tr')].map(row => row.innerText)";
    for (name, room) in [("지수", room), (strange, strange)] {
        let words = format!("[{}, {}]", quote(name), quote(room));
        page.wait(&format!("{cells}.some(row => {words}.every(word => row.includes(word)))"));
        page.wait(&format!(
            "[...document.querySelectorAll('#rooms tbody td')].some(cell => cell.textContent === {})",
            quote(room)
        ));
    }
    assert_eq!(page.text(STRANGE), "0");
    assert_eq!(page.text("window.pwned"), "undefined");
    // The plots go on by themselves.
    page.wait("document.querySelector('[data-plot=in] .line').getAttribute('d').length > 10");
    page.wait("document.querySelector('[data-plot=connections] output').innerText >= '2'");
    page.picture("admin");
    page.look(1280, 900, "dark");
    page.picture("admin-dark");
    page.look(390, 844, "light");
    assert_eq!(page.text("document.documentElement.scrollWidth > innerWidth"), "false");
    page.picture("admin-phone");
    page.look(1280, 900, "light");

    page.text("document.querySelector('#whom').focus()");
    page.insert(room);
    page.text("document.querySelector('#notice').focus()");
    page.insert("잠시 후 점검합니다 <b>");
    page.press("Enter", 13);
    page.wait("document.querySelector('#told').innerText.startsWith('Sent')");
    jisu.wait("document.querySelector('.announcement').innerText.includes('점검합니다 <b>')");

    page.text(&format!(
        "[...document.querySelectorAll('#connections tbody tr')].find(row => \
         row.cells[1].textContent === {}).querySelector('button').click()",
        quote(strange)
    ));
    page.wait("document.querySelector('#sure').open");
    page.text("document.querySelector('#sure-input').value = 'enough <i>'");
    page.text("document.querySelector('#sure-yes').click()");
    other.wait("document.querySelector('#connection').dataset.state === 'closed'");
    other.wait("document.querySelector('#status').innerText.includes('enough <i>')");

    page.text("document.querySelector('#drain').click()");
    page.wait("document.querySelector('#sure').open");
    page.text("document.querySelector('#sure-input').value = '0'");
    page.text("document.querySelector('#sure-yes').click()");
    jisu.wait("document.querySelector('#connection').dataset.state === 'waiting'");
    assert!(server.0.wait().unwrap().success());
    page.wait("document.querySelector('#state').innerText === 'not reached'");
    // Nobody comes back who was sent away.
    assert_eq!(other.text("document.querySelector('#connection').dataset.state"), "closed");
}

#[test]
fn a_page_connects_by_tls() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws-mio-server"));
    command.args(["--listen-tls", "127.0.0.1:0", "--tls-self-signed"]);
    let (_server, url) = start(&mut command, "  page    ");
    assert!(url.starts_with("https://"), "{url}");
    let Some(chromium) = Chromium::open("about:blank") else { return };
    let mut page = chromium.window();
    page.go(&url);
    let exchange = "new Promise(done => {\
        const socket = new WebSocket(`wss://${location.host}/echo`);\
        socket.onopen = () => socket.send('by TLS');\
        socket.onmessage = event => done(event.data);\
        socket.onerror = () => done('failed'); })";
    page.wait("location.protocol === 'https:'");
    assert_eq!(page.evaluate(exchange).as_deref(), Some("by TLS"));
}
