//! Goes through a recording with the protocol core, without sockets, and tells what it makes of it.

use std::fmt::Write as _;

use ws_proto::deflate::{Agreement, Context, Inflater, WindowBits};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Agreed, Upgrade};
use ws_proto::{Client, Closed, Config, Connection, Event, Input, Part, Role, Scratch, Server};

use super::TITLE;
use super::line::escape;

/// How much of a payload is shown.
const SHOWN: usize = 60;

/// What the core makes of a recording: a line for each event, with its time in seconds, and who it is of: the peer,
/// the server as it was recorded, or the core, which says what it would answer by itself.
///
/// # Errors
/// The number of a line, what is wrong with it, and what is due there.
pub fn replay(recording: &str) -> Result<String, String> {
    let Some(lines) = recording.strip_prefix(TITLE) else {
        return Err(format!("line 1: `{}` is due", TITLE.trim_end()));
    };
    let mut replay = Replay::default();
    for (number, line) in (2..).zip(lines.lines()) {
        replay.line(line).map_err(|error| format!("line {number}: {error}"))?;
    }
    replay.end();
    Ok(replay.told)
}

#[derive(Default)]
struct Replay {
    told: String,
    time: f64,
    /// What has come before a WebSocket was open.
    request: Vec<u8>,
    /// What the server has answered until then.
    response: Vec<u8>,
    open: Option<Open>,
}

/// Of whom nothing is sent: it masks nothing.
type Key = fn() -> [u8; 4];

/// What each end hears of the other.
struct Open {
    peer: Half<Server>,
    server: Half<Client<Key>>,
    /// Whether the frames of the server have begun.
    is_answered: bool,
}

struct Half<R: Role> {
    connection: Connection<R>,
    inflater: Option<Inflater>,
    scratch: Scratch,
}

impl Replay {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let due = "a time in seconds, a word, and what belongs to it are due";
        let (time, rest) = line.split_once(' ').ok_or(due)?;
        self.time = time.parse().map_err(|_| due)?;
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            ">" => self.came(&unescape(rest)?),
            "<" => self.sent(&unescape(rest)?),
            "websocket" => self.opened(rest)?,
            "eof" => self.eof(),
            "broken" => self.tell("peer", &format!("is gone: {rest}")),
            "closed" => self.tell("server", "drops the connection"),
            "full" => self.tell("", "there was no room for more"),
            "lost" => self.tell("", "what follows is not kept"),
            _ => {
                return Err(format!(
                    "`{word}` is not known: >, <, websocket, eof, broken, closed, full, lost are"
                ));
            }
        }
        Ok(())
    }

    fn tell(&mut self, who: &str, what: &str) {
        // A string takes everything.
        let _ = writeln!(self.told, "{:>12.6}  {who:<6}  {what}", self.time);
    }

    fn came(&mut self, bytes: &[u8]) {
        match &mut self.open {
            None => {
                self.tell("peer", &format!("{} bytes: {}", bytes.len(), shown(bytes)));
                self.request.extend_from_slice(bytes);
            }
            Some(open) => {
                let (heard, owed) = open.peer.take(bytes);
                heard.iter().for_each(|event| self.tell("peer", event));
                if !owed.is_empty() {
                    self.tell("core", &format!("answers {}", shown(&owed)));
                }
            }
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        let Some(open) = &mut self.open else {
            self.response.extend_from_slice(bytes);
            return self.tell("server", &format!("{} bytes: {}", bytes.len(), shown(bytes)));
        };
        let mut frames = bytes;
        let mut response = None;
        if !open.is_answered {
            self.response.extend_from_slice(bytes);
            let end = self.response.windows(4).position(|part| part == b"\r\n\r\n");
            let Some(end) = end.map(|at| at.saturating_add(4)) else { return };
            open.is_answered = true;
            let behind = self.response.len().saturating_sub(end);
            frames = bytes.get(bytes.len().saturating_sub(behind)..).unwrap_or_default();
            response = self.response.get(..end).map(shown);
        }
        let (heard, _) = open.server.take(frames);
        response.iter().chain(&heard).for_each(|event| self.tell("server", event));
    }

    fn opened(&mut self, rest: &str) -> Result<(), String> {
        let field = |name: &str| {
            rest.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let number = |name: &str| {
            let number = field(name).and_then(|digits| digits.parse::<u64>().ok());
            number.ok_or_else(|| format!("{name}=NUMBER is due"))
        };
        let (head, max_message) = (number("head")?, number("max-message")?);
        let deflate = field("deflate").map(agreement).transpose()?;
        let came = self.request.len();
        let at = usize::try_from(head).ok().and_then(|head| came.checked_sub(head));
        let at = at.ok_or_else(|| format!("{head} bytes of head, but {came} have come"))?;
        let head = self.request.split_off(at);
        self.answer(&head);
        if deflate.is_some() {
            self.tell("", "messages may be compressed");
        }
        self.request.clear();
        self.response.clear();
        let config = Config { max_message, ..Config::default() };
        let key: Key = || [0; 4];
        let of_server = Config { max_message: u64::MAX, ..Config::default() };
        self.open = Some(Open {
            peer: Half::new(Server, config, deflate, deflate.map(|both| both.received)),
            server: Half::new(Client(key), of_server, deflate, deflate.map(|both| both.sent)),
            is_answered: false,
        });
        Ok(())
    }

    /// What the core answers to a head.
    fn answer(&mut self, head: &[u8]) {
        let request = match head::request(head) {
            Ok(request) => request,
            Err(error) => {
                return self.tell("core", &format!("refuses it: {}, {error}", error.status()));
            }
        };
        let said = format!("asks to {} {}", request.method, request.target.escape_debug());
        self.tell("peer", &said);
        match Upgrade::parse(request.method, &request.fields) {
            Ok(_) => self.tell("core", "would open a WebSocket"),
            Err(reject) => {
                let said = format!("opens no WebSocket: {}, {reject}", reject.status());
                self.tell("core", &said);
            }
        }
    }

    fn eof(&mut self) {
        let how = self.open.as_mut().map(|open| open.peer.connection.peer_eof());
        self.tell(
            "peer",
            match how {
                None => "has ended its bytes",
                Some(Closed::Clean) => "has ended its bytes, cleanly",
                Some(Closed::Abnormal) => "has ended its bytes without a closing handshake (1006)",
            },
        );
    }

    /// Nothing more is recorded.
    fn end(&mut self) {
        if self.open.is_some() || self.request.is_empty() {
            return;
        }
        let request = std::mem::take(&mut self.request);
        match HeadReader::request().end(&request) {
            Ok(Some(end)) => self.answer(request.get(..end).unwrap_or_default()),
            Ok(None) => self.tell("core", "would wait for the rest of the head"),
            Err(error) => self.tell("core", &format!("refuses it: {}, {error}", error.status())),
        }
    }
}

impl<R: Role> Half<R> {
    fn new(role: R, config: Config, deflate: Option<Agreement>, received: Option<Context>) -> Self {
        let agreed = Agreed::elsewhere();
        let agreed = match deflate {
            Some(agreement) => agreed.with_deflate(agreement),
            None => agreed,
        };
        let connection = Connection::new(role, config, agreed);
        Self { connection, inflater: received.map(Inflater::new), scratch: Scratch::new() }
    }

    /// What the core makes of one read, and what it owes for it.
    fn take(&mut self, bytes: &[u8]) -> (Vec<String>, Vec<u8>) {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes, &mut self.scratch);
        let (mut heard, mut owed) = (Vec::new(), Vec::new());
        loop {
            let event = match &mut self.inflater {
                Some(inflater) => self.connection.next_event_inflated(&mut input, inflater),
                None => self.connection.next_event(&mut input),
            };
            match event {
                Ok(None) => break,
                Ok(Some(event)) => heard.push(told(event)),
                Err(error) => {
                    let code = error.close_code();
                    heard.push(format!("breaks the protocol: {error} ({code})"));
                }
            }
            // A vector takes everything.
            let _ = self.connection.poll_transmit(&mut owed);
        }
        (heard, owed)
    }
}

fn told(event: Event<'_>) -> String {
    fn part<T: ?Sized + AsRef<[u8]>>(kind: &str, part: Part<'_, T>) -> String {
        let place = match (part.first, part.last) {
            (true, true) => "",
            (true, false) => ", its first part",
            (false, false) => ", a further part",
            (false, true) => ", its last part",
        };
        let data = part.data.as_ref();
        format!("{kind}{place}, {} bytes: {}", data.len(), shown(data))
    }
    match event {
        Event::Text(text) => part("text", text),
        Event::Binary(bytes) => part("binary", bytes),
        Event::Ping(payload) => format!("ping, {} bytes: {}", payload.len(), shown(payload)),
        Event::Pong(payload) => format!("pong, {} bytes: {}", payload.len(), shown(payload)),
        Event::Close(None, _) => "Close without a code".to_owned(),
        Event::Close(Some(code), reason) => format!("Close {code}: {}", shown(reason.as_bytes())),
    }
}

fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    escape(bytes.get(..SHOWN).unwrap_or(bytes), &mut text);
    if bytes.len() > SHOWN {
        text.push_str("...");
    }
    text
}

/// `15+/15-`: windows and whether they are taken over, from the peer and to it.
fn agreement(text: &str) -> Result<Agreement, String> {
    let due = || "deflate=BITS and + or -, twice, with / between, are due: 15+/15-".to_owned();
    let context = |text: &str| {
        let (bits, takeover) = match text.strip_suffix('+') {
            Some(bits) => (bits, true),
            None => (text.strip_suffix('-')?, false),
        };
        Some(Context { window: bits.parse().ok().and_then(WindowBits::new)?, takeover })
    };
    let (received, sent) = text.split_once('/').ok_or_else(due)?;
    match (context(received), context(sent)) {
        (Some(received), Some(sent)) => Ok(Agreement { sent, received }),
        _ => Err(due()),
    }
}

/// The bytes that [`escape`] has written.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (byte, behind) = match *rest {
            [b'\\', ref behind @ ..] => (b'\\', behind),
            [b'r', ref behind @ ..] => (b'\r', behind),
            [b'n', ref behind @ ..] => (b'\n', behind),
            [b't', ref behind @ ..] => (b'\t', behind),
            [b'x', high, low, ref behind @ ..] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => (high << 4 | low, behind),
                _ => return Err("two hexadecimal digits are due behind \\x".to_owned()),
            },
            _ => return Err("\\\\, \\r, \\n, \\t or \\xHH is due behind a backslash".to_owned()),
        };
        bytes.push(byte);
        rest = behind;
    }
    Ok(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{escape, replay, unescape};

    #[test]
    fn every_byte_is_read_as_it_was_written() {
        let bytes: Vec<u8> = (0..=255).chain(*b"\\x41 ").collect();
        let mut text = String::new();
        escape(&bytes, &mut text);
        assert!(text.is_ascii() && !text.contains('\n') && !text.ends_with(' '));
        assert_eq!(unescape(&text).unwrap(), bytes);
    }

    #[test]
    fn what_is_no_recording_is_told() {
        for (text, due) in [
            ("", "line 1: `ws-mio-server recording 1`"),
            ("ws-mio-server recording 2\n", "line 1"),
            ("ws-mio-server recording 1\nx", "line 2: a time"),
            ("ws-mio-server recording 1\n0 eof\nsoon >", "line 3: a time"),
            ("ws-mio-server recording 1\n0 ? a", "`?` is not known"),
            ("ws-mio-server recording 1\n0 > \\", "behind a backslash"),
            ("ws-mio-server recording 1\n0 > \\xg0", "hexadecimal"),
            ("ws-mio-server recording 1\n0 websocket head=1 max-message=7", "1 bytes of head"),
            ("ws-mio-server recording 1\n0 websocket max-message=7", "head=NUMBER"),
            (
                "ws-mio-server recording 1\n0 websocket head=0 max-message=7 deflate=8+/9+",
                "15+/15-",
            ),
        ] {
            let error = replay(text).unwrap_err();
            assert!(error.contains(due), "{text:?}: {error}");
        }
    }

    #[test]
    fn no_bytes_of_a_recording_panic() {
        let begin = "ws-mio-server recording 1\n0 websocket head=0 max-message=70 deflate=9-/9-\n";
        let mut state = 7_u32;
        for _ in 0..2000 {
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .take(60)
            .collect();
            let mut text = begin.to_owned() + "0 > \\x82\\xbe";
            escape(&bytes, &mut text);
            text.push_str("\n0 < HTTP/1.1 101 \\r\\n\\r\\n");
            escape(&bytes, &mut text);
            replay(&text).unwrap();
        }
    }
}
