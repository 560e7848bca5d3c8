//! Limits of heads, exact on both sides, and their cost.

use super::heads::end_of;
use ws_proto::handshake::head::{self, HeadError, HeadReader, MAX_FIELDS, MAX_HEAD, MAX_TARGET};

/// Sizes of chunks that cut long heads anywhere.
const SIZES: [usize; 6] = [1, 3, 1000, 8192, 16384, usize::MAX];

/// What a reader says of the bytes, in chunks of any size.
fn judge(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
    let whole = end_of(HeadReader::request(), bytes, bytes.len());
    for size in SIZES {
        let size = size.min(bytes.len());
        assert_eq!(end_of(HeadReader::request(), bytes, size), whole, "in chunks of {size}");
    }
    whole
}

#[test]
fn the_limits_are_those_of_the_policy() {
    assert_eq!((MAX_TARGET, MAX_HEAD, MAX_FIELDS), (8192, 16384, 100));
    assert_eq!(HeadError::TargetTooLong.status(), 414);
    assert_eq!(HeadError::TooLong.status(), 431);
    assert_eq!(HeadError::TooManyFields.status(), 431);
}

#[test]
fn a_target_of_8_kib_and_not_one_byte_more() {
    let target = format!("/{}", "x".repeat(8191));
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(judge(head.as_bytes()), Ok(Some(head.len())));
    assert_eq!(head::request(head.as_bytes()).unwrap().target, target);
    let open = format!("GET {target}");
    assert_eq!(judge(open.as_bytes()), Ok(None));
    // Found at its byte, whether the target, the line or the head end or not.
    for rest in ["", " ", " HTTP/1.1\r\n", " HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let head = format!("GET {target}x{rest}");
        assert_eq!(judge(head.as_bytes()), Err(HeadError::TargetTooLong), "{rest:?}");
    }
}

/// A head of this many bytes, empty line included.
fn head_of(len: usize) -> Vec<u8> {
    let (start, end) = ("GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n");
    format!("{start}{}{end}", "x".repeat(len - start.len() - end.len())).into_bytes()
}

#[test]
fn a_head_of_16_kib_and_not_one_byte_more() {
    let exact = head_of(16 * 1024);
    assert_eq!(judge(&exact), Ok(Some(16 * 1024)));
    assert_eq!(head::request(&exact).unwrap().fields.len(), 2);
    // What follows is not the head's.
    assert_eq!(judge(&[&exact[..], &[0; 20_000]].concat()), Ok(Some(16 * 1024)));
    let over = head_of(16 * 1024 + 1);
    assert_eq!(judge(&over), Err(HeadError::TooLong));
    assert_eq!(judge(&over[..16 * 1024]), Ok(None), "it could have ended");
    assert_eq!(judge(&vec![b'x'; 16 * 1024]), Ok(None));
    assert_eq!(judge(&vec![b'x'; 16 * 1024 + 1]), Err(HeadError::TooLong));
    assert_eq!(judge(&b"\r\n".repeat(8192)), Ok(None), "nor do empty lines come for free");
    assert_eq!(judge(&b"\r\n".repeat(8193)), Err(HeadError::TooLong));
    assert_eq!(judge(&b"GET ".repeat(4097)), Err(HeadError::TooLong));
}

#[test]
fn a_hundred_fields_and_not_one_more() {
    let line = "GET / HTTP/1.1\r\n";
    let hundred = format!("{line}{}", "X: y\r\n".repeat(100));
    let head = format!("{hundred}\r\n");
    assert_eq!(judge(head.as_bytes()), Ok(Some(head.len())));
    assert_eq!(head::request(head.as_bytes()).unwrap().fields.len(), 100);
    // Empty lines before the first don't count.
    let head = format!("\r\n\r\n{hundred}\r\n");
    assert_eq!(judge(head.as_bytes()), Ok(Some(head.len())));
    assert_eq!(judge(hundred.as_bytes()), Ok(None));
    for rest in ["X", "X: y", "X: y\r\n", "X: y\r\n\r\n"] {
        let head = format!("{hundred}{rest}");
        assert_eq!(judge(head.as_bytes()), Err(HeadError::TooManyFields), "{rest:?}");
    }
    // The parser holds the limit too.
    let head = format!("{hundred}X: y\r\n\r\n");
    assert_eq!(head::request(head.as_bytes()).map(drop), Err(HeadError::TooManyFields));
}

#[test]
fn a_response_has_the_same_limits_but_no_target() {
    let line = "HTTP/1.1 101 ".to_owned() + &"x".repeat(9000);
    let head = format!("{line}\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert_eq!(end_of(HeadReader::response(), head.as_bytes(), 7), Ok(Some(head.len())));
    let head = format!("{line}\r\n{}", "X: y\r\n".repeat(101));
    let error = Err(HeadError::TooManyFields);
    assert_eq!(end_of(HeadReader::response(), head.as_bytes(), 7), error);
    let head = format!("HTTP/1.1 101 {}", "x".repeat(16 * 1024));
    assert_eq!(end_of(HeadReader::response(), head.as_bytes(), 7), Err(HeadError::TooLong));
}

/// Linear time: a byte is looked at once, when it is new. What has been looked at may change without
/// a difference, so it is not looked at again.
#[test]
fn only_new_bytes_are_looked_at() {
    let head = head_of(16 * 1024);
    for size in [1, 2, 100, 5000] {
        let mut reader = HeadReader::request();
        let mut seen = 0;
        while seen < head.len() {
            let come = (seen + size).min(head.len());
            let bytes = [&vec![0; seen][..], &head[seen..come]].concat();
            let end = (come == head.len()).then_some(come);
            assert_eq!(reader.end(&bytes), Ok(end), "{seen} seen");
            assert_eq!(reader.end(&vec![0; come]), Ok(end), "nothing is new");
            seen = come;
        }
    }
}
