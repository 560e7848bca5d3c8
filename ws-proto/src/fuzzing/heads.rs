//! Heads as raw bytes: every split of them against one read, and what is made of those that end.

use alloc::vec::Vec;

use super::cut;
use crate::handshake::head::{
    self, HeadError, HeadReader, MAX_FIELDS, MAX_HEAD, MAX_TARGET, RequestHead,
};
use crate::handshake::{Ask, Choice, Field, Pending, Upgrade};

pub fn request_head(sizes: [u8; 4], bytes: &[u8]) {
    let Some(end) = end(HeadReader::request(), sizes, bytes) else { return };
    let request = match head::request(&bytes[..end]) {
        Ok(request) => request,
        Err(error) => {
            assert!(matches!(error.status(), 400 | 505), "{error}");
            assert_ne!(error, HeadError::Incomplete, "it had an end");
            return;
        }
    };
    assert!(request.target.len() <= MAX_TARGET && !request.target.is_empty());
    assert!(request.minor_version <= 1 && !request.method.is_empty());
    are_legal(&request.fields);
    assert_eq!(head::request(&bytes[..end - 1]).err(), Some(HeadError::Incomplete));
    answer(&request);
}

pub fn response_head(sizes: [u8; 4], bytes: &[u8]) {
    let Some(end) = end(HeadReader::response(), sizes, bytes) else { return };
    let response = match head::response(&bytes[..end]) {
        Ok(response) => response,
        Err(error) => {
            assert_ne!(error, HeadError::Incomplete, "it had an end");
            return;
        }
    };
    assert!(response.status <= 999);
    are_legal(&response.fields);
    let ask = Ask { subprotocols: &["chat", "superchat"], ..Ask::default() };
    let pending = Pending::request(ask, *b"the sample nonce", &mut Vec::new()).expect("it is good");
    if let Ok(accepted) = pending.finish(response.status, &response.fields) {
        assert_eq!(response.status, 101);
        let proof = |field: &Field<'_>| field.value == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert!(response.fields.iter().any(proof));
        assert!(accepted.subprotocol.is_none_or(|name| ask.subprotocols.contains(&name)));
    }
}

/// The end of the head, after the reader has proved that splits and what it has seen don't matter.
fn end(reader: HeadReader, sizes: [u8; 4], bytes: &[u8]) -> Option<usize> {
    let mut whole_reader = reader.clone();
    let whole = whole_reader.end(bytes);
    assert_eq!(whole_reader.end(bytes), whole, "it is final");

    let (mut split_reader, mut come, mut seen) = (reader, Vec::with_capacity(bytes.len()), 0);
    let mut split = Ok(None);
    for read in cut(bytes, &sizes) {
        // What was looked at is not looked at again.
        come[seen..].fill(0);
        seen = come.len();
        come.extend(read);
        split = split_reader.end(&come);
        if split != Ok(None) {
            break;
        }
    }
    assert_eq!(split, whole, "a split shows");

    match whole {
        Err(error) => {
            assert!(matches!(error.status(), 400 | 414 | 431), "{error}");
            None
        }
        Ok(None) => {
            assert!(bytes.len() <= MAX_HEAD);
            None
        }
        Ok(Some(end)) => {
            assert!(end <= MAX_HEAD && bytes[..end].ends_with(b"\r\n\r\n"));
            assert!(!bytes[..end].contains(&0));
            Some(end)
        }
    }
}

fn are_legal(fields: &[Field<'_>]) {
    assert!(fields.len() <= MAX_FIELDS);
    for field in fields {
        assert!(!field.name.is_empty() && field.name.bytes().all(|b| b.is_ascii_graphic()));
        assert!(!field.name.contains(':'));
        assert!(!field.value.iter().any(|&b| b < b' ' && b != b'\t' || b == 0x7f));
        assert_eq!(field.value, field.value.trim_ascii());
    }
}

/// Accepts or refuses the request, either with a response that can be read.
fn answer(request: &RequestHead<'_>) {
    let mut out = Vec::new();
    let status = match Upgrade::parse(request.method, &request.fields) {
        Ok(upgrade) => {
            assert_eq!(request.method, "GET");
            let subprotocol = upgrade.subprotocols().last();
            let choice = Choice { subprotocol, ..Choice::default() };
            upgrade.accept(choice, &mut out).expect("what is offered can be chosen");
            101
        }
        Err(reject) => {
            reject.write(&mut out).expect("a Vec is never full");
            assert!(matches!(reject.status(), 400 | 405 | 426));
            reject.status()
        }
    };
    let end = HeadReader::response().end(&out).expect("it is legal").expect("it is complete");
    let response = head::response(&out[..end]).expect("it is good");
    assert_eq!(response.status, status);
    let body = response.fields.iter().find(|field| field.name == "Content-Length");
    let body = body.map_or(0, |field| str::from_utf8(field.value).unwrap().parse().unwrap());
    assert_eq!(out.len(), end + body);
}
