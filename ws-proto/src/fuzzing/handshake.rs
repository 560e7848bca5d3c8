//! Both ends of an opening handshake: what a client asks for, a server reads, and its answer opens the connection.

use alloc::vec::Vec;

use crate::handshake::head::{self, HeadReader, MAX_FIELDS, MAX_HEAD, MAX_TARGET};
use crate::handshake::{
    AcceptError, Ask, Choice, Field, HandshakeError, Pending, Reject, RequestError, Upgrade,
};

/// A host, a target, subprotocols, and further fields.
pub type Asked<'a> = (&'a str, &'a str, Vec<&'a str>, Vec<(&'a str, &'a [u8])>);

/// `choice`: which subprotocol the server chooses, and one more field of its answer.
pub fn handshake(
    nonce: [u8; 16],
    (host, target, subprotocols, fields): &Asked<'_>,
    choice: (u8, &str, &[u8]),
) {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| Field { name, value: value.trim_ascii() }).collect();
    let ask = Ask { host, target, subprotocols, fields: &fields };
    let mut request = Vec::new();
    let pending = match Pending::request(ask, nonce, &mut request) {
        Ok(pending) => pending,
        Err(error) => return refused(error, ask, &request),
    };
    let end = match HeadReader::request().end(&request) {
        Ok(end) => end.expect("it has an end"),
        Err(error) => {
            let many = fields.len() + 7 > MAX_FIELDS;
            let long = request.len() > MAX_HEAD || target.len() > MAX_TARGET;
            return assert!(many || long, "{error}");
        }
    };
    assert_eq!(end, request.len(), "there is something behind it");
    let head = head::request(&request).expect("what a client writes can be read");
    assert_eq!((head.method, head.target, head.minor_version), ("GET", *target, 1));
    let upgrade = match Upgrade::parse(head.method, &head.fields) {
        Ok(upgrade) => upgrade,
        Err(Reject::Invalid("Host")) => return,
        Err(error) => panic!("{error}"),
    };
    assert!(upgrade.subprotocols().eq(subprotocols.iter().copied()));

    let (which, name, value) = choice;
    let subprotocol = subprotocols.get(usize::from(which)).copied();
    let more = [Field { name, value: value.trim_ascii() }];
    let choice = Choice { subprotocol, fields: if which & 1 == 0 { &[] } else { &more } };
    let mut answer = Vec::new();
    match upgrade.accept(choice, &mut answer) {
        Ok(_) => {}
        Err(AcceptError::IllegalField) => return assert!(answer.is_empty()),
        Err(error) => panic!("{error}"),
    }
    let Ok(end) = HeadReader::response().end(&answer) else {
        return assert!(answer.len() > MAX_HEAD);
    };
    assert_eq!(end, Some(answer.len()));
    let accepted = pending.finish_head(&answer).expect("the answer opens the connection");
    assert_eq!(accepted.subprotocol, subprotocol);

    // To another request it is no answer.
    let mut other = nonce;
    other[0] ^= 1;
    let ask = Ask { subprotocols, ..Ask::default() };
    let pending = Pending::request(ask, other, &mut Vec::new()).expect("it is good");
    assert_eq!(pending.finish_head(&answer).err(), Some(HandshakeError::Accept));
}

/// Nothing was written, and there is something wrong with what the error names.
fn refused(error: RequestError, ask: Ask<'_>, written: &[u8]) {
    assert!(written.is_empty());
    let token = |text: &str| {
        let separator = |b: &u8| b"\"(),/:;<=>?@[\\]{}".contains(b);
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !separator(&b))
    };
    let visible = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    match error {
        RequestError::Host => assert!(ask.host.is_empty() || !visible(ask.host)),
        RequestError::Target => {
            let path = ask.target.starts_with('/') && !ask.target.contains('#');
            assert!(!path || !visible(ask.target));
        }
        RequestError::Subprotocol => {
            let names = ask.subprotocols;
            let twice = (0..names.len()).any(|i| names[..i].contains(&names[i]));
            assert!(twice || !names.iter().all(|name| token(name)));
        }
        RequestError::Field => {
            let own = |name: &str| {
                let name = name.to_ascii_lowercase();
                name.starts_with("sec-websocket-")
                    || ["host", "upgrade", "connection", "content-length", "transfer-encoding"]
                        .contains(&&*name)
            };
            let good = |field: &Field<'_>| {
                token(field.name)
                    && !own(field.name)
                    && field.value.iter().all(|b| *b == b'\t' || *b >= b' ' && *b != 0x7f)
            };
            assert!(!ask.fields.iter().all(good));
        }
        RequestError::Full => panic!("a Vec is never full"),
    }
}
