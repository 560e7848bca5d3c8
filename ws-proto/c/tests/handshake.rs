//! RFC 6455 §4 through the functions of the header: a client and a server that open a connection by
//! themselves, wherever the stream is cut, and what each refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests may panic, and pass what the contract asks for"
)]

mod both;

use std::ffi::{CStr, c_char};
use std::mem::zeroed;
use std::ptr;

use both::{Conn, garbage};
use ws_proto_c::wsp_result::*;
use ws_proto_c::*;

const NONCE: &[u8; 16] = b"the sample nonce";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn ask<'a>(subprotocols: &'a [*const c_char], fields: &'a [wsp_field]) -> wsp_ask {
    wsp_ask {
        host: c"server.example:9001".as_ptr(),
        target: c"/chat?a=b".as_ptr(),
        subprotocols: subprotocols.as_ptr(),
        subprotocol_count: subprotocols.len(),
        fields: fields.as_ptr(),
        field_count: fields.len(),
    }
}

fn request(client: &mut wsp_client, ask: &wsp_ask, sent: &mut Vec<u8>) -> wsp_result {
    Conn::sending(sent, 512, |out| unsafe {
        wsp_client_request(client, ptr::null(), ask, NONCE.as_ptr(), out)
    })
}

/// What a server makes of a request that comes in pieces of `size` bytes.
fn serve(
    bytes: &[u8],
    size: usize,
    server: &mut wsp_server,
    sent: &mut Vec<u8>,
) -> (wsp_result, wsp_request) {
    assert_eq!(unsafe { wsp_server_listen(server, ptr::null()) }, WSP_OK);
    assert_eq!(unsafe { wsp_server_state(server) }, wsp_state::WSP_STATE_CONNECTING);
    let mut request = unsafe { zeroed::<wsp_request>() };
    let mut come = 0;
    loop {
        come = (come + size).min(bytes.len());
        // Of its own length, and elsewhere each time.
        let so_far = bytes[..come].to_vec().into_boxed_slice();
        let result = Conn::sending(sent, 600, |out| unsafe {
            wsp_server_request(server, so_far.as_ptr(), come, &mut request, out)
        });
        if result != WSP_MORE || come == bytes.len() {
            return (result, request);
        }
    }
}

fn respond(
    client: &mut wsp_client,
    ask: &wsp_ask,
    bytes: &[u8],
    size: usize,
) -> (wsp_result, wsp_response) {
    let mut response = unsafe { zeroed::<wsp_response>() };
    let mut come = 0;
    loop {
        come = (come + size).min(bytes.len());
        let so_far = bytes[..come].to_vec().into_boxed_slice();
        let result =
            unsafe { wsp_client_response(client, ask, so_far.as_ptr(), come, &mut response) };
        if result != WSP_MORE || come == bytes.len() {
            return (result, response);
        }
    }
}

#[test]
fn a_client_and_a_server_open_a_connection_wherever_it_is_cut() {
    let offered = [c"chat.v1".as_ptr(), c"chat.v2".as_ptr()];
    let origin = [wsp_field { name: c"Origin".as_ptr(), value: c"https://page.example".as_ptr() }];
    let ask = ask(&offered, &origin);
    for size in [1, 2, 3, 7, 50, 1000] {
        let (mut client, mut server) = (garbage::<wsp_client>(), garbage::<wsp_server>());
        let (mut up, mut down) = (Vec::new(), Vec::new());
        assert_eq!(request(&mut client, &ask, &mut up), WSP_OK);
        let head = up.len();
        up.extend(b"\x81\x82\0\0\0\0hi");
        assert_eq!(
            unsafe { wsp_client_state(&raw const *client) },
            wsp_state::WSP_STATE_CONNECTING
        );
        assert_eq!(
            unsafe { wsp_client_transport(&raw const *client) },
            wsp_transport::WSP_TRANSPORT_KEEP
        );

        let (result, request) = serve(&up, size, &mut server, &mut down);
        assert_eq!((result, request.head_len), (WSP_OK, head));
        let mut value = unsafe { zeroed::<wsp_bytes>() };
        let mut field = |name: &CStr, nth| {
            let found =
                unsafe { wsp_request_field(up.as_ptr(), head, name.as_ptr(), nth, &mut value) };
            assert_eq!(found, WSP_OK);
            within(&up, &value)
        };
        assert_eq!(field(c"ORIGIN", 0), Some(&b"https://page.example"[..]));
        assert_eq!((field(c"Origin", 1), field(c"Cookie", 0)), (None, None));

        let preferred = [c"other".as_ptr(), offered[1], offered[0]];
        let cookie = [wsp_field { name: c"Set-Cookie".as_ptr(), value: c"a=b".as_ptr() }];
        let choice = wsp_choice {
            subprotocols: preferred.as_ptr(),
            subprotocol_count: 3,
            fields: cookie.as_ptr(),
            field_count: 1,
        };
        let mut chosen = ptr::null();
        let result = Conn::sending(&mut down, 300, |out| unsafe {
            wsp_server_accept(&raw mut *server, up.as_ptr(), head, &choice, &mut chosen, out)
        });
        assert_eq!((result, chosen), (WSP_OK, offered[1]));
        assert_eq!(unsafe { wsp_server_state(&raw const *server) }, wsp_state::WSP_STATE_OPEN);

        let answer_head = down.len();
        down.extend(b"\x82\x01x");
        let (result, response) = respond(&mut client, &ask, &down, size);
        assert_eq!((result, response.head_len, response.status), (WSP_OK, answer_head, 101));
        assert_eq!(response.subprotocol, offered[1], "the caller's own string");
        assert_eq!(unsafe { wsp_client_state(&raw const *client) }, wsp_state::WSP_STATE_OPEN);
        assert!(String::from_utf8_lossy(&down).contains(ACCEPT));

        // What came behind the heads are the first frames.
        let mut input = Conn::input(&mut up[head..]);
        let mut event = unsafe { zeroed::<wsp_event>() };
        assert_eq!(
            unsafe { wsp_server_next_event(&raw mut *server, &mut input, &mut event) },
            WSP_OK
        );
        assert_eq!((event.kind, event.len), (wsp_kind::WSP_TEXT, 2));
        let mut input = Conn::input(&mut down[answer_head..]);
        assert_eq!(
            unsafe { wsp_client_next_event(&raw mut *client, &mut input, &mut event) },
            WSP_OK
        );
        assert_eq!((event.kind, event.len), (wsp_kind::WSP_BINARY, 1));
    }
}

fn within<'h>(head: &'h [u8], value: &wsp_bytes) -> Option<&'h [u8]> {
    (!value.data.is_null()).then(|| {
        let start = value.data.addr() - head.as_ptr().addr();
        &head[start..start + value.len]
    })
}

#[test]
fn the_target_lies_in_the_head() {
    let head = b"GET /a?b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut server = garbage::<wsp_server>();
    assert_eq!(unsafe { wsp_server_listen(&raw mut *server, ptr::null()) }, WSP_OK);
    let mut request = unsafe { zeroed::<wsp_request>() };
    let result = Conn::sending(&mut Vec::new(), 0, |out| unsafe {
        wsp_server_request(&raw mut *server, head.as_ptr(), head.len(), &mut request, out)
    });
    assert_eq!((result, within(head, &request.target)), (WSP_OK, Some(&b"/a?b"[..])));
    let mut sent = Vec::new();
    let result = Conn::sending(&mut sent, 300, |out| unsafe {
        wsp_server_refuse(&raw mut *server, 404, c"no such path\n".as_ptr(), out)
    });
    assert_eq!(result, WSP_OK);
    let sent = String::from_utf8(sent).unwrap();
    assert!(sent.starts_with("HTTP/1.1 404 Not Found\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\nno such path\n"), "{sent}");
    assert_eq!(
        unsafe { wsp_server_transport(&raw const *server) },
        wsp_transport::WSP_TRANSPORT_CLOSE
    );
}

#[test]
fn a_client_refuses_what_is_no_agreement() {
    let good = format!(
        "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    let cases = [
        (good.clone(), WSP_OK),
        ("HTTP/1.1 404 Not Found\r\n\r\n".into(), WSP_RESPONSE_STATUS),
        ("HTTP/1.0 101 S\r\n\r\n".into(), WSP_HEAD_VERSION),
        ("SSH-2.0-OpenSSH\r\n\r\n".into(), WSP_HEAD_FIRST_LINE),
        ("HTTP/1.1 101 S\n".into(), WSP_HEAD_LINE_END),
        ("HTTP/1.1 101 S\r\nA\0".into(), WSP_HEAD_CONTROL),
        ("HTTP/1.1 101 S\r\nno colon\r\n\r\n".into(), WSP_HEAD_FIELD_NAME),
        (good.replace("websocket", "h2c"), WSP_RESPONSE_MISSING),
        (good.replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), WSP_RESPONSE_ACCEPT),
        (
            good.replace("Upgrade: w", "Sec-WebSocket-Accept: x\r\nUpgrade: w"),
            WSP_RESPONSE_REPEATED,
        ),
        (
            good.replace("Upgrade: w", "Sec-WebSocket-Protocol: x\r\nUpgrade: w"),
            WSP_RESPONSE_SUBPROTOCOL,
        ),
        (
            good.replace("Upgrade: w", "Sec-WebSocket-Extensions: x\r\nUpgrade: w"),
            WSP_RESPONSE_EXTENSION,
        ),
        ("A".repeat(17_000), WSP_HEAD_TOO_LONG),
        (good[..good.len() - 1].into(), WSP_MORE),
    ];
    for (answer, expected) in cases {
        for size in [answer.len(), 1] {
            if size == 1 && answer.len() > 1000 {
                continue;
            }
            let mut client = garbage::<wsp_client>();
            let ask = ask(&[], &[]);
            assert_eq!(request(&mut client, &ask, &mut Vec::new()), WSP_OK);
            let (result, response) = respond(&mut client, &ask, answer.as_bytes(), size);
            assert_eq!(result, expected, "{answer:?}");
            let state = unsafe { wsp_client_state(&raw const *client) };
            match expected {
                WSP_OK => assert_eq!(state, wsp_state::WSP_STATE_OPEN),
                WSP_MORE => {
                    assert_eq!(state, wsp_state::WSP_STATE_CONNECTING);
                    let closed = unsafe { wsp_client_peer_eof(&raw mut *client) };
                    assert_eq!(closed, wsp_closed::WSP_CLOSED_ABNORMAL);
                    assert_eq!(
                        unsafe { wsp_client_transport(&raw const *client) },
                        wsp_transport::WSP_TRANSPORT_CLOSE
                    );
                }
                WSP_RESPONSE_STATUS => assert_eq!(response.status, 404),
                _ => {
                    assert_eq!(state, wsp_state::WSP_STATE_CLOSED);
                    let (again, _) = respond(&mut client, &ask, good.as_bytes(), good.len());
                    assert_eq!(again, WSP_WRONG_PHASE, "it is final");
                }
            }
        }
    }
}

#[test]
fn a_server_refuses_with_a_whole_response() {
    let good = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let many = format!("Host: a\r\n{}", "X: y\r\n".repeat(WSP_MAX_REQUEST_FIELDS));
    let cases = [
        (good.to_owned(), WSP_OK, 0),
        (good.replace("GET", "POST"), WSP_REQUEST_METHOD, 405),
        (good.replace("1.1", "1.0"), WSP_HEAD_VERSION, 505),
        (good.replace("Sec-", "X-").replace("Upgrade:", "X:"), WSP_REQUEST_NOT_AN_UPGRADE, 426),
        (good.replace(": 13", ": 12"), WSP_REQUEST_VERSION, 426),
        (good.replace("Host: a\r\n", ""), WSP_REQUEST_MISSING, 400),
        (good.replace("Host", "Host: b\r\nHost"), WSP_REQUEST_REPEATED, 400),
        (good.replace("ZQ==", ""), WSP_REQUEST_INVALID, 400),
        (good.replace("Host", "Content-Length: 5\r\nHost"), WSP_REQUEST_BODY, 400),
        (good.replace("Host", "Ho st"), WSP_HEAD_FIELD_NAME, 400),
        (good.replace("Host: a\r\n", &many), WSP_HEAD_TOO_MANY_FIELDS, 431),
        (good.replace("/ H", &format!("/{} H", "a".repeat(9000))), WSP_HEAD_TARGET_TOO_LONG, 414),
        ("\x16\x03\x01".into(), WSP_HEAD_CONTROL, 400),
    ];
    for (text, expected, status) in cases {
        let (mut server, mut sent) = (garbage(), Vec::new());
        let (result, _) = serve(text.as_bytes(), 1 + text.len() / 9, &mut server, &mut sent);
        assert_eq!(result, expected, "{text}");
        let sent = String::from_utf8(sent).unwrap();
        if status == 0 {
            assert_eq!(sent, "");
            continue;
        }
        assert!(sent.starts_with(&format!("HTTP/1.1 {status} ")), "{text}\n{sent}");
        let (_, body) = sent.split_once("\r\n\r\n").unwrap();
        assert!(sent.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{sent}");
        assert_eq!(unsafe { wsp_server_state(&raw const *server) }, wsp_state::WSP_STATE_CLOSED);
    }
}

#[test]
fn what_is_wrong_with_an_ask_is_told_apart() {
    let field = |name: &'static CStr, value: &'static CStr| wsp_field {
        name: name.as_ptr(),
        value: value.as_ptr(),
    };
    let names: Vec<_> = (0..9).map(|_| c"a".as_ptr()).collect();
    let fields: Vec<_> = (0..9).map(|_| field(c"A", c"b")).collect();
    let host = wsp_ask { host: c"a b".as_ptr(), ..ask(&[], &[]) };
    let target = wsp_ask { target: c"chat".as_ptr(), ..ask(&[], &[]) };
    let not_utf8 = wsp_ask { target: c"/\xff".as_ptr(), ..ask(&[], &[]) };
    let null = wsp_ask { host: ptr::null(), ..ask(&[], &[]) };
    let count = wsp_ask { subprotocol_count: usize::MAX, ..ask(&names[..1], &[]) };
    for (ask, expected) in [
        (host, WSP_ASK_HOST),
        (target, WSP_ASK_TARGET),
        (not_utf8, WSP_ASK_TARGET),
        (null, WSP_NULL),
        (count, WSP_LENGTH),
        (ask(&names[..2], &[]), WSP_ASK_SUBPROTOCOL),
        (ask(&names, &[]), WSP_TOO_MANY),
        (ask(&[ptr::null()], &[]), WSP_NULL),
        (ask(&[], &fields[..8]), WSP_OK),
        (ask(&[], &fields), WSP_TOO_MANY),
        (ask(&[], &[field(c"Host", c"b")]), WSP_ASK_FIELD),
        (ask(&[], &[field(c"A", c"b\r\nC: d")]), WSP_ASK_FIELD),
    ] {
        let mut sent = Vec::new();
        let mut client = garbage::<wsp_client>();
        assert_eq!(request(&mut client, &ask, &mut sent), expected);
        assert_eq!(sent.is_empty(), expected != WSP_OK);
        let state = unsafe { wsp_client_state(&raw const *client) };
        assert_eq!(state == wsp_state::WSP_STATE_CONNECTING, expected == WSP_OK);
    }
    let full = Conn::sending(&mut Vec::new(), 100, |out| unsafe {
        let (mut client, ask) = (garbage::<wsp_client>(), ask(&[], &[]));
        wsp_client_request(&raw mut *client, ptr::null(), &ask, NONCE.as_ptr(), out)
    });
    assert_eq!(full, WSP_FULL);
}
