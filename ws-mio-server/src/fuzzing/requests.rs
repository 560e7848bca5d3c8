//! Requests to a service, as bytes of one connection.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};

use slotmap::SlotMap;
use ws_proto::Scratch;
use ws_proto::handshake::head::{self, HeadReader};
use ws_proto::keepalive::Instant;

use crate::context::{Common, Context};
use crate::http::Services;
use crate::id::Key;
use crate::listener::Serves;
use crate::metrics::{Counters, Metrics};
use crate::session::{Read, Session};
use crate::{Answer, Builder, Call, Reply, Server, Service};

/// How large a body may be.
const LIMIT: usize = 100;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// What a service was asked: method, target, body.
type Asked = (String, String, Vec<u8>);

#[derive(Clone)]
struct Recorder(Sender<Asked>);

impl Service for Recorder {
    fn methods(&self) -> &[&str] {
        &["GET", "HEAD", "POST"]
    }

    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        let (method, path) = (call.method().to_owned(), call.request().path().to_owned());
        let _ = self.0.send((method, path, call.body().to_vec()));
        Reply::Now(Answer::text(200, "ok"))
    }
}

/// The first byte says how many bytes each read has. Any split of the bytes leads to the same calls, answers and
/// end as one read, the calls are those that a slow reading of the whole input finds, and no memory stays
/// counted.
pub fn requests(input: &[u8]) {
    let Some((size, bytes)) = input.split_first() else { return };
    // What looks like TLS is told so if both bytes of that come at once, or else what is wrong with the first.
    if bytes.first() == Some(&0x16) {
        return;
    }
    let whole = run(bytes, usize::MAX);
    let split = run(bytes, usize::from(*size).saturating_add(1));
    assert_eq!(whole, split, "the split counts");
    let (asked, ..) = whole;
    let expected = reference(bytes);
    assert_eq!(
        expected.get(..asked.len()),
        Some(asked.as_slice()),
        "other calls than the reference"
    );
}

/// The calls that bytes lead to, what is answered, and whether it is the last.
fn run(bytes: &[u8], size: usize) -> (Vec<Asked>, String, bool) {
    let (send, asked) = channel();
    let builder = Server::builder().max_body(LIMIT).service("/{*path}", Recorder(send));
    let context = &mut context(builder);
    let mut session = Session::new(Instant::from_millis(0), Serves::Everyone);
    let (key, mut scratch) = (SlotMap::<Key, ()>::with_key().insert(()), Scratch::new());
    let mut answers = Vec::new();
    let size = NonZeroUsize::new(size).map_or(1, NonZeroUsize::get);
    for read in bytes.chunks(size) {
        let mut read = read.to_vec();
        session.receive(key, Read::Bytes(&mut read), &mut scratch, &mut [], context);
        answers.extend(context.cork.pieces(&[]).flatten());
        context.clear_cork();
    }
    let is_ending = session.is_ending();
    session.end_of_input(key, &mut [], context);
    assert_eq!(context.bodies, 0, "memory stays counted");
    // Whether that is said depends on what has come.
    let answers = String::from_utf8_lossy(&answers).replace(CONTINUE, "");
    (asked.try_iter().collect(), answers, is_ending)
}

/// What a worker of this server would know.
pub(super) fn context(builder: Builder) -> Context {
    let services = Services(builder.services.iter().map(|new| new()).collect());
    let counters = Arc::new(Counters::default());
    let metrics = Metrics {
        workers: Arc::new([Arc::clone(&counters)]),
        ended: Arc::new([]),
        deflate_reserved: Arc::new(AtomicUsize::new(0)),
        said: Arc::default(),
    };
    let common = Common {
        settings: Arc::new(builder.settings),
        routes: Arc::new(builder.routes),
        admin: Arc::new(builder.admin),
        metrics,
        register: Arc::default(),
        recorder: None,
        paths: builder.paths.into(),
        policy: builder.policy,
    };
    Context::new(0, counters, Arc::default(), services, &common)
}

/// The requests of the input, up to the first that is not complete or not good.
fn reference(bytes: &[u8]) -> Vec<Asked> {
    let (mut asked, mut rest) = (Vec::new(), bytes);
    while let Some((one, behind)) = first(rest) {
        asked.push(one);
        rest = behind;
    }
    asked
}

fn first(bytes: &[u8]) -> Option<(Asked, &[u8])> {
    let end = HeadReader::request().end(bytes).ok()??;
    let (head, rest) = bytes.split_at_checked(end)?;
    let request = head::request(head).ok()?;
    let all = |name: &str| {
        let of_name = request.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        of_name
            .map(|field| String::from_utf8_lossy(field.value).trim().to_owned())
            .collect::<Vec<_>>()
    };
    let (body, rest) = match (all("Transfer-Encoding").as_slice(), all("Content-Length").as_slice())
    {
        ([], []) => (Vec::new(), rest),
        ([], [length]) => {
            let (body, rest) = rest.split_at_checked(length.parse().ok()?)?;
            (body.to_vec(), rest)
        }
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => chunks(rest)?,
        _ => return None,
    };
    let path = request.target.split('?').next()?;
    Some(((request.method.to_owned(), path.to_owned(), body), rest))
}

fn chunks(mut bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let (line, rest) = line(bytes)?;
        let size = line.split(';').next()?;
        let size = usize::from_str_radix(size, 16).ok().filter(|_| !size.starts_with('+'))?;
        if size == 0 {
            bytes = rest;
            break;
        }
        let (data, rest) = rest.split_at_checked(size)?;
        body.extend_from_slice(data);
        bytes = rest.strip_prefix(b"\r\n")?;
    }
    loop {
        let (line, rest) = line(bytes)?;
        bytes = rest;
        if line.is_empty() {
            return Some((body, bytes));
        }
    }
}

/// The bytes up to the next CRLF, and those behind it.
fn line(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((String::from_utf8_lossy(line).into_owned(), rest.get(2..)?))
}
