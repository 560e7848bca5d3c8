//! How a connection is opened: TCP, TLS, and the opening handshake.

use std::io::{self, ErrorKind};

use rustls::StreamOwned;
use ws_proto::deflate::{Deflater, Inflater, Settings};
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::handshake::{Ask, Field, HandshakeError, Pending};
use ws_proto::{Client, Config, Connection};

use super::transport::{Blocking, Stream, Timed, Transport};
use super::{Screen, tls};
use crate::cli::ConnectArgs;
use crate::clock::{Clock, moment};

pub(super) type ClientConnection = Connection<Client<fn() -> [u8; 4]>>;

/// The most bytes of a refusal's body that are looked at for its first line.
const BODY: usize = 4096;

/// A connection that is open.
pub(super) struct Opened {
    pub(super) transport: Transport,
    pub(super) connection: ClientConnection,
    pub(super) deflate: Option<(Inflater, Deflater)>,
    /// What came behind the response: the first frames.
    pub(super) rest: Vec<u8>,
    /// What was agreed, to be shown.
    pub(super) agreed: String,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Whether it would fail again for the same reason.
    pub(super) permanent: bool,
}

impl Failure {
    fn permanent(message: impl ToString) -> Self {
        Self { message: message.to_string(), permanent: true }
    }

    fn passing(message: impl ToString) -> Self {
        Self { message: message.to_string(), permanent: false }
    }
}

/// Entropy of the operating system, as RFC 6455 wants it for nonces and masking keys.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Without entropy there is no client.
        eprintln!("ws-mio-server: the operating system gives no entropy: {error}");
        std::process::exit(1);
    }
    bytes
}

/// Opens a connection, as the arguments say.
pub(super) fn open(args: &ConnectArgs, screen: &Screen, clock: Clock) -> Result<Opened, Failure> {
    let url = &args.url;
    let deadline = moment(clock.running()).after(args.connect_timeout);
    let failed = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let (request, host) = (Request::new(args), url.authority());
    let fields: Vec<_> =
        request.fields.iter().map(|(name, value)| Field::new(name, value)).collect();
    let subprotocols: Vec<_> = args.subprotocol.iter().map(String::as_str).collect();
    let ask =
        Ask { host: &host, target: &url.target, subprotocols: &subprotocols, fields: &fields };
    let settings = Settings::default();
    let mut bytes = Vec::new();
    let pending = match args.no_deflate {
        true => Pending::request(ask, random(), &mut bytes),
        false => Pending::request_deflate(ask, settings, random(), &mut bytes),
    };
    let pending = pending.map_err(|error| Failure::permanent(failed(&error)))?;

    let passing = |error: io::Error| Failure::passing(failed(&error));
    let tls = if url.secure {
        Some(tls::client(args).map_err(|error| Failure::permanent(failed(&error)))?)
    } else {
        None
    };
    let timed = Timed::connect(url, clock, deadline).map_err(passing)?;
    let mut blocking = match tls {
        Some(tls) => Blocking::Tls(Box::new(StreamOwned::new(tls, timed))),
        None => Blocking::Plain(timed),
    };
    let stream = blocking.stream();
    screen.handshake('>', &bytes);
    stream.write_all(&bytes).map_err(|error| advise(url.secure, error)).map_err(passing)?;
    let (head, mut rest) =
        read_head(stream).map_err(|error| advise(url.secure, error)).map_err(passing)?;
    screen.handshake('<', &head);
    let response = head::response(&head).map_err(|error| Failure::permanent(failed(&error)))?;
    let accepted = match pending.finish(response.status, &response.fields) {
        Ok(accepted) => accepted,
        Err(error @ HandshakeError::Status(status)) => {
            let said = first_line(stream, &mut rest, &response.fields);
            let message = failed(&format!("{error}{said}"));
            // What this client has done wrong stays wrong, but for 408 and 429.
            let permanent = matches!(status, 100..=499) && !matches!(status, 408 | 429);
            return Err(Failure { message, permanent });
        }
        Err(error) => return Err(Failure::permanent(failed(&error))),
    };
    let mut agreed = String::new();
    if let Some(name) = accepted.subprotocol {
        agreed = format!(", subprotocol {name}");
    }
    let agreement = accepted.agreed.deflate();
    if agreement.is_some() {
        agreed.push_str(", compressed");
    }
    let deflate = agreement.map(|agreement| {
        (Inflater::new(agreement.received), Deflater::new(&settings, agreement.sent))
    });
    let config = Config { max_message: args.max_message, ..Config::default() };
    let key: fn() -> [u8; 4] = random;
    let connection = Connection::new(Client(key), config, accepted.agreed);
    let transport = blocking.into_transport().map_err(passing)?;
    Ok(Opened { transport, connection, deflate, rest, agreed })
}

/// The fields that the arguments ask for.
struct Request {
    fields: Vec<(String, String)>,
}

impl Request {
    fn new(args: &ConnectArgs) -> Self {
        let mut fields = args.header.clone();
        let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
        if let Some(origin) = &args.origin {
            add("Origin", origin.clone());
        }
        if let Some(auth) = &args.auth {
            add("Authorization", format!("Basic {}", base64(auth.as_bytes())));
        }
        if let Some(token) = &args.token {
            add("Authorization", format!("Bearer {token}"));
        }
        Self { fields }
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn read_head(stream: &mut dyn Stream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut reader = HeadReader::response();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the server closed the connection without an answer",
            ));
        }
        bytes.extend_from_slice(buffer.get(..n).unwrap_or_default());
        if let Some(end) = reader.end(&bytes).map_err(io::Error::other)? {
            let rest = bytes.split_off(end);
            return Ok((bytes, rest));
        }
    }
}

/// What often is the matter with an error of TLS, behind it.
fn advise(secure: bool, error: io::Error) -> io::Error {
    let text = error.to_string();
    let advice = if text.contains("InvalidContentType") {
        "; does the server speak TLS there? ws:// is without"
    } else if text.contains("UnknownIssuer") {
        "; trust the server's by --ca FILE, or anyone by --insecure"
    } else if !secure && text.contains("control character") {
        "; does the server speak TLS there? wss:// is with"
    } else {
        return error;
    };
    io::Error::new(error.kind(), format!("{text}{advice}"))
}

/// The first line of a refusal's body, which may tell why; with it the place that a redirection names.
fn first_line(stream: &mut dyn Stream, body: &mut Vec<u8>, fields: &[Field<'_>]) -> String {
    let field = |name: &str| {
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(field.value).ok().map(str::trim)
    };
    let due = field("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut buffer = [0; BODY];
    while body.len() < BODY.min(due) && !body.contains(&b'\n') {
        let room = buffer.get_mut(body.len()..).unwrap_or_default();
        match stream.read(room) {
            Ok(n @ 1..) => body.extend_from_slice(room.get(..n).unwrap_or_default()),
            // The status tells enough.
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(body);
    let mut said = String::new();
    if let Some(place) = field("Location") {
        said = format!(", see {}", place.escape_debug());
    }
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() && !line.starts_with('<') => {
            said.push_str(&format!(": {}", line.escape_debug()));
        }
        _ => {}
    }
    said
}
