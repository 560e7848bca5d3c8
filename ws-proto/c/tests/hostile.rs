//! What a caller can get wrong is answered with the result that names it, and changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "tests may panic, and pass what the contract asks for where the call can't tell"
)]

mod both;

use std::ffi::{CStr, c_void};
use std::mem::zeroed;
use std::ptr::{self, null, null_mut};

use both::{Conn, garbage};
use ws_proto_c::wsp_result::*;
use ws_proto_c::*;

/// An open client, an output over a buffer, and a payload.
struct Desk {
    client: Box<wsp_client>,
    buffer: *mut [u8; 64],
    out: wsp_output,
}

const TEXT: u8 = wsp_kind::WSP_TEXT as u8;

impl Desk {
    fn new() -> Self {
        let mut client = garbage();
        assert_eq!(unsafe { wsp_client_open(&raw mut *client, null()) }, WSP_OK);
        let buffer = Box::into_raw(Box::new([0; 64]));
        let out = wsp_output { data: buffer.cast(), size: 64, len: 0 };
        Self { client, buffer, out }
    }

    fn client(&mut self) -> *mut wsp_client {
        &raw mut *self.client
    }

    fn send(&mut self, data: *const u8, len: usize) -> wsp_result {
        let client = self.client();
        unsafe { wsp_client_send(client, TEXT, data.cast(), len, 1, 0, &raw mut self.out) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.buffer) });
    }
}

#[test]
fn null_pointers() {
    let mut desk = Desk::new();
    let (client, out) = (desk.client(), &raw mut desk.out);
    let data = c"hi".as_ptr().cast::<c_void>();
    let (mut input, mut event) = (Conn::input(&mut []), unsafe { zeroed::<wsp_event>() });
    let results = unsafe {
        [
            wsp_client_open(null_mut(), null()),
            wsp_client_request(null_mut(), null(), null(), null(), out),
            wsp_client_request(client, null(), null(), null(), out),
            wsp_client_response(client, null(), null(), 0, null_mut()),
            wsp_client_send(null_mut(), TEXT, data, 2, 1, 0, out),
            wsp_client_send(client, TEXT, null(), 2, 1, 0, out),
            wsp_client_send(client, TEXT, data, 2, 1, 0, null_mut()),
            wsp_client_send_header(null_mut(), TEXT, 2, 1, 0, out),
            wsp_client_ping(null_mut(), data, 2, 0, out),
            wsp_client_pong(client, null(), 2, 0, out),
            wsp_client_close(client, 1000, null(), 2, 0, 0, out),
            wsp_client_poll_transmit(client, 0, 0, null_mut()),
            wsp_client_next_event(null_mut(), &mut input, &mut event),
            wsp_client_next_event(client, null_mut(), &mut event),
            wsp_client_next_event(client, &mut input, null_mut()),
            wsp_server_listen(null_mut(), null()),
            wsp_server_open(null_mut(), null()),
            wsp_server_request(null_mut(), null(), 0, null_mut(), out),
            wsp_server_accept(null_mut(), null(), 0, null(), null_mut(), out),
            wsp_server_refuse(null_mut(), 404, null(), out),
            wsp_server_send(null_mut(), TEXT, data, 2, 1, out),
            wsp_server_send_header(null_mut(), TEXT, 2, 1, out),
            wsp_server_ping(null_mut(), data, 2, out),
            wsp_server_pong(null_mut(), data, 2, out),
            wsp_server_close(null_mut(), 1000, data, 2, out),
            wsp_server_poll_transmit(null_mut(), out),
            wsp_server_next_event(null_mut(), &mut input, &mut event),
            wsp_request_field(null(), 1, c"a".as_ptr(), 0, null_mut()),
            wsp_keepalive_start(null_mut(), 0),
            wsp_keepalive_heard(null_mut(), 0),
            wsp_keepalive_closing(null_mut(), 0),
            wsp_keepalive_poll(null_mut(), null(), 0, null_mut(), null_mut()),
            wsp_mask(null_mut(), 1, 0, 0),
            wsp_message_push(null_mut(), &event),
        ]
    };
    for (i, result) in results.into_iter().enumerate() {
        assert_eq!(result, WSP_NULL, "call {i}");
    }
    unsafe {
        assert_eq!(wsp_client_state(null()), wsp_state::WSP_STATE_CLOSED);
        assert_eq!(wsp_client_transport(null()), wsp_transport::WSP_TRANSPORT_CLOSE);
        assert_eq!(wsp_client_peer_eof(null_mut()), wsp_closed::WSP_CLOSED_ABNORMAL);
        assert_eq!(wsp_server_state(null()), wsp_state::WSP_STATE_CLOSED);
        assert_eq!(wsp_server_transport(null()), wsp_transport::WSP_TRANSPORT_CLOSE);
        assert_eq!(wsp_server_peer_eof(null_mut()), wsp_closed::WSP_CLOSED_ABNORMAL);
    }
    assert_eq!(desk.out.len, 0, "nothing was sent");
    assert_eq!(desk.send(null(), 0), WSP_OK, "nothing of an empty payload need be there");
}

#[test]
fn pointers_that_are_not_aligned() {
    let mut desk = Desk::new();
    let odd = desk.client().wrapping_byte_add(1);
    let (mut input, mut event) = (Conn::input(&mut []), unsafe { zeroed::<wsp_event>() });
    let odd_input = (&raw mut input).wrapping_byte_add(1);
    let odd_event = (&raw mut event).wrapping_byte_add(1);
    let odd_out = (&raw mut desk.out).wrapping_byte_add(2);
    let client = desk.client();
    unsafe {
        assert_eq!(wsp_client_open(odd, null()), WSP_MISALIGNED);
        assert_eq!(wsp_client_ping(odd, null(), 0, 0, &raw mut desk.out), WSP_MISALIGNED);
        assert_eq!(wsp_client_ping(client, null(), 0, 0, odd_out), WSP_MISALIGNED);
        assert_eq!(wsp_client_next_event(client, odd_input, &mut event), WSP_MISALIGNED);
        assert_eq!(wsp_client_next_event(client, &mut input, odd_event), WSP_MISALIGNED);
        assert_eq!(wsp_client_state(odd), wsp_state::WSP_STATE_CLOSED);
    }
}

#[test]
fn lengths_that_can_not_be() {
    let mut desk = Desk::new();
    let data = c"hi".as_ptr().cast::<u8>();
    assert_eq!(desk.send(data, usize::MAX), WSP_LENGTH);
    assert_eq!(desk.send(data, isize::MAX as usize + 1), WSP_LENGTH);
    let last = ptr::without_provenance(usize::MAX - 1);
    assert_eq!(desk.send(last, 8), WSP_LENGTH, "beyond the address space");
    desk.out.len = 65;
    assert_eq!(desk.send(data, 2), WSP_LENGTH, "more than the buffer holds");
    desk.out.len = 0;
    desk.out.size = usize::MAX;
    assert_eq!(desk.send(data, 2), WSP_LENGTH);
    let mut input = Conn::input(&mut []);
    input.data = desk.buffer.cast();
    input.len = usize::MAX;
    let mut event = unsafe { zeroed::<wsp_event>() };
    let client = desk.client();
    assert_eq!(unsafe { wsp_client_next_event(client, &mut input, &mut event) }, WSP_LENGTH);
}

#[test]
fn objects_that_were_not_initialised_or_are_others() {
    let mut out = Desk::new();
    let (out, data) = (&raw mut out.out, c"hi".as_ptr().cast());
    unsafe {
        for mut client in [garbage::<wsp_client>(), Box::new(zeroed())] {
            let client = &raw mut *client;
            assert_eq!(wsp_client_send(client, TEXT, data, 2, 1, 0, out), WSP_NOT_INITIALISED);
            assert_eq!(wsp_client_state(client), wsp_state::WSP_STATE_CLOSED);
            assert_eq!(wsp_client_transport(client), wsp_transport::WSP_TRANSPORT_CLOSE);
        }
        let mut client = Desk::new();
        let as_server = client.client().cast::<wsp_server>();
        assert_eq!(wsp_server_send(as_server, TEXT, data, 2, 1, out), WSP_NOT_INITIALISED);
        let mut keepalive = garbage::<wsp_keepalive>();
        assert_eq!(wsp_keepalive_heard(&raw mut *keepalive, 1), WSP_NOT_INITIALISED);
        // An object holds no pointer, so a copy is as good.
        let mut copy = garbage::<wsp_client>();
        ptr::copy_nonoverlapping(client.client(), &raw mut *copy, 1);
        assert_eq!(wsp_client_send(&raw mut *copy, TEXT, data, 2, 1, 0, out), WSP_OK);
    }
}

#[test]
fn what_is_written_overlaps_nothing() {
    let mut desk = Desk::new();
    let inside = desk.out.data.wrapping_add(60).cast_const();
    assert_eq!(desk.send(inside, 4), WSP_OVERLAP, "a payload in the output's buffer");
    let own = desk.client().cast::<u8>().cast_const();
    assert_eq!(desk.send(own, 8), WSP_OVERLAP, "a payload in the client");
    desk.out.data = desk.client().cast();
    assert_eq!(desk.send(null(), 0), WSP_OVERLAP, "an output in the client");
    desk.out.data = (&raw mut desk.out).cast();
    desk.out.size = 8;
    assert_eq!(desk.send(null(), 0), WSP_OVERLAP, "an output in itself");
    let mut event = unsafe { zeroed::<wsp_event>() };
    let mut input = Conn::input(&mut []);
    (input.data, input.len) = (desk.client().cast(), 4);
    let client = desk.client();
    assert_eq!(unsafe { wsp_client_next_event(client, &mut input, &mut event) }, WSP_OVERLAP);
    (input.data, input.len) = (input.scratch.as_mut_ptr(), 4);
    assert_eq!(unsafe { wsp_client_next_event(client, &mut input, &mut event) }, WSP_OVERLAP);
    // A request that is written over its own host.
    let host = desk.buffer;
    desk.out = wsp_output { data: host.cast(), size: 64, len: 0 };
    let ask =
        wsp_ask { host: host.cast_const().cast(), target: c"/".as_ptr(), ..unsafe { zeroed() } };
    unsafe { host.cast::<[u8; 2]>().write(*b"a\0") };
    let nonce = [0u8; 16];
    let result =
        unsafe { wsp_client_request(client, null(), &ask, nonce.as_ptr(), &raw mut desk.out) };
    assert_eq!(result, WSP_OVERLAP);
    // A refusal whose body lies in the server.
    let mut server = garbage::<wsp_server>();
    let server = &raw mut *server;
    desk.out = wsp_output { data: host.cast(), size: 64, len: 0 };
    let out = &raw mut desk.out;
    assert_eq!(unsafe { wsp_server_listen(server, null()) }, WSP_OK);
    let last = server.cast::<u8>().wrapping_add(size_of::<wsp_server>() - 1);
    unsafe { last.write(0) };
    assert_eq!(
        unsafe { wsp_server_refuse(server, 404, last.cast(), out) },
        WSP_FULL,
        "an empty one is nowhere"
    );
    assert_eq!(unsafe { wsp_server_listen(server, null()) }, WSP_OK);
    unsafe { last.wrapping_sub(1).cast::<[u8; 2]>().write(*b"x\0") };
    let body = last.wrapping_sub(1).cast();
    assert_eq!(unsafe { wsp_server_refuse(server, 404, body, out) }, WSP_OVERLAP);
}

#[test]
fn values_and_phases() {
    let mut desk = Desk::new();
    let (client, out) = (desk.client(), &raw mut desk.out);
    let data = c"hi".as_ptr().cast::<c_void>();
    let broken = c"\xe2\x82".as_ptr().cast::<c_void>();
    let long = [b'a'; 126];
    let long = long.as_ptr().cast::<c_void>();
    unsafe {
        for kind in [0, 3, 4, 5, 255] {
            assert_eq!(wsp_client_send(client, kind, data, 2, 1, 0, out), WSP_BAD_VALUE);
            assert_eq!(wsp_client_send_header(client, kind, 2, 1, 0, out), WSP_BAD_VALUE);
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 5000] {
            assert_eq!(wsp_client_close(client, code, data, 2, 0, 0, out), WSP_BAD_VALUE);
        }
        assert_eq!(wsp_client_send(client, TEXT, broken, 2, 0, 0, out), WSP_NOT_UTF8);
        assert_eq!(wsp_client_close(client, 1000, broken, 2, 0, 0, out), WSP_NOT_UTF8);
        assert_eq!(wsp_client_ping(client, long, 126, 0, out), WSP_TOO_LONG);
        assert_eq!(wsp_client_close(client, 1000, long, 124, 0, 0, out), WSP_TOO_LONG);
        assert_eq!(wsp_client_send_header(client, TEXT, u64::MAX, 1, 0, out), WSP_TOO_LONG);
        assert_eq!(wsp_client_send(client, TEXT, long, 126, 1, 0, out), WSP_FULL);
        (*out).len = 60;
        assert_eq!(wsp_client_send_header(client, TEXT, 1, 0, 0, out), WSP_FULL);
        assert_eq!((*out).len, 60, "nothing was appended");
        (*out).len = 0;
        let binary = wsp_kind::WSP_BINARY as u8;
        let sent = wsp_client_send(client, binary, data, 2, 1, 0, out);
        assert_eq!(sent, WSP_OK, "and no text is unfinished");
        assert_eq!(wsp_client_send(client, TEXT, data, 2, 0, 0, out), WSP_OK);
        assert_eq!(
            wsp_client_send(client, binary, data, 2, 1, 0, out),
            WSP_OTHER_MESSAGE_UNFINISHED
        );
        assert_eq!(wsp_client_close(client, 4999, data, 2, 0, 0, out), WSP_OK);
        assert_eq!(wsp_client_send(client, TEXT, data, 2, 1, 0, out), WSP_CLOSING);
        assert_eq!(wsp_client_close(client, 1000, data, 2, 0, 0, out), WSP_CLOSING);
        let (ask, mut response) = (zeroed::<wsp_ask>(), zeroed::<wsp_response>());
        assert_eq!(wsp_client_response(client, &ask, null(), 0, &mut response), WSP_WRONG_PHASE);
        let mut server = garbage::<wsp_server>();
        assert_eq!(wsp_server_listen(&raw mut *server, null()), WSP_OK);
        assert_eq!(wsp_server_send(&raw mut *server, TEXT, data, 2, 1, out), WSP_WRONG_PHASE);
        (*out).len = 0;
        assert_eq!(wsp_server_refuse(&raw mut *server, 600, c"".as_ptr(), out), WSP_BAD_VALUE);
    }
}

#[test]
fn every_result_has_a_text_of_its_own() {
    let text = |result: u8| unsafe { CStr::from_ptr(wsp_result_text(result)) };
    let known: Vec<_> = (0..=u8::MAX).map(text).filter(|text| *text != c"unknown").collect();
    assert_eq!(known.len(), 59, "all but WSP_UNKNOWN");
    for (i, text) in known.iter().enumerate() {
        assert!(text.to_bytes().is_ascii() && !known[..i].contains(text), "{text:?}");
    }
    // Those of the peer's violations are the core's, which go out with the Close frame.
    let text = |result: wsp_result| text(result as u8).to_str().unwrap();
    assert_eq!(text(WSP_PEER_RESERVED_BITS), ws_proto::Error::ReservedBits(4).reason());
    assert_eq!(text(WSP_PEER_MESSAGE_TOO_BIG), ws_proto::Error::MessageTooBig.reason());
    assert_eq!(text(WSP_FULL), ws_proto::SendError::Full.to_string().replace("sink", "output"));
}
