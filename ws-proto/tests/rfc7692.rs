//! permessage-deflate (RFC 7692): what goes over the wire, in both roles, at every split.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use proptest::prelude::*;
use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings, WindowBits};
use ws_proto::handshake::Agreed;
use ws_proto::{
    Client, CloseCode, Config, Connection, Error, Event, Full, Input, Kind, Message, Part, Role,
    Scratch, Server, Slice, Store,
};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn context(bits: u8, takeover: bool) -> Context {
    Context { window: WindowBits::new(bits).unwrap(), takeover }
}

fn agreed() -> Agreed {
    Agreed::elsewhere().with_deflate(Agreement::default())
}

type FixedKey = Client<fn() -> [u8; 4]>;

fn client(max_message: u64) -> Connection<FixedKey> {
    Connection::new(
        Client(|| [7, 0, 9, 0xff]),
        Config { max_message, ..Config::default() },
        agreed(),
    )
}

fn server(max_message: u64) -> Connection<Server> {
    Connection::new(Server, Config { max_message, ..Config::default() }, agreed())
}

/// What a connection makes of bytes: whole messages, and the error that ends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Read {
    messages: Vec<(Kind, Vec<u8>)>,
    /// Bytes of a message that is not complete.
    open: Vec<u8>,
    error: Option<Error>,
}

/// Gives a connection `bytes`, `chunk` at a time.
fn read<R: Role>(
    connection: &mut Connection<R>,
    inflater: &mut Inflater,
    bytes: &[u8],
    chunk: usize,
) -> Read {
    let mut read = Read::default();
    for piece in bytes.chunks(chunk.max(1)) {
        let mut piece = piece.to_vec();
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut piece, &mut scratch);
        loop {
            let (kind, data, first, last) =
                match connection.next_event_inflated(&mut input, inflater) {
                    Ok(Some(Event::Text(Part { data, first, last }))) => {
                        (Kind::Text, data.as_bytes(), first, last)
                    }
                    Ok(Some(Event::Binary(Part { data, first, last }))) => {
                        (Kind::Binary, data, first, last)
                    }
                    Ok(Some(_)) => continue,
                    Ok(None) => break,
                    Err(error) => {
                        read.error = Some(error);
                        continue;
                    }
                };
            assert_eq!(first, read.open.is_empty(), "only the first part says so");
            assert!(!data.is_empty() || last, "an empty part that is not the last");
            read.open.extend_from_slice(data);
            if last {
                read.messages.push((kind, std::mem::take(&mut read.open)));
            }
        }
        assert!(input.is_empty(), "Ok(None) means that all is consumed");
    }
    read
}

/// An unmasked frame from a server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(len as u8),
        126..=0xffff => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// Compresses with the other implementation, without the tail.
fn reference(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() * 2 + 100);
    let mut compress = Compress::new(Compression::default(), false);
    compress.compress_vec(data, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(compress.total_in(), data.len() as u64);
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

/// What a client makes of frames at every chunk size, which is always the same.
fn at_every_split(bytes: &[u8], max_message: u64) -> Read {
    let whole =
        read(&mut client(max_message), &mut Inflater::new(context(15, true)), bytes, usize::MAX);
    for chunk in (1..bytes.len()).take(600) {
        let mut inflater = Inflater::new(context(15, true));
        let split = read(&mut client(max_message), &mut inflater, bytes, chunk);
        assert_eq!(split, whole, "{chunk} bytes at a time");
    }
    whole
}

fn text(data: &str) -> (Kind, Vec<u8>) {
    (Kind::Text, data.as_bytes().to_vec())
}

#[test]
fn s7_2_3_examples() {
    let hello = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let examples: [(&str, &[u8]); 6] = [
        ("one block", &hello),
        ("two fragments", &[0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00]),
        (
            "no compression",
            &[0xc1, 0x0b, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        ),
        ("a final block", &[0xc1, 0x08, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]),
        (
            "a final block and nothing behind",
            &[0xc1, 0x07, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        ),
        (
            "two blocks",
            &[
                0xc1, 0x0d, 0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07,
                0x00,
            ],
        ),
    ];
    for (name, bytes) in examples {
        let read = at_every_split(bytes, 5);
        assert_eq!(read, Read { messages: vec![text("Hello")], ..Read::default() }, "{name}");
        // The connection goes on, after a final block too.
        let read = at_every_split(&[bytes, &hello, b"\x82\x01x"].concat(), 5);
        let messages = vec![text("Hello"), text("Hello"), (Kind::Binary, b"x".to_vec())];
        assert_eq!(read, Read { messages, ..Read::default() }, "{name}");
    }
    // The second message refers to the first.
    let taken_over = [&hello[..], &[0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00]].concat();
    let messages = vec![text("Hello"), text("Hello")];
    assert_eq!(at_every_split(&taken_over, 5), Read { messages, ..Read::default() });
    let mut fresh = Inflater::new(context(15, false));
    let read = read(&mut client(5), &mut fresh, &taken_over, usize::MAX);
    assert_eq!(read.error, Some(Error::BrokenDeflate), "there is nothing to refer to");
}

#[test]
fn s7_2_3_6_empty_messages() {
    for bytes in [
        &[0xc1, 0x01, 0x00][..],
        &[0x41, 0x00, 0x80, 0x01, 0x00],
        &[0x41, 0x01, 0x00, 0x80, 0x00],
        &[0xc1, 0x02, 0x03, 0x00],
        &[0x81, 0x00],
    ] {
        let read = at_every_split(bytes, 0);
        assert_eq!(read, Read { messages: vec![text("")], ..Read::default() }, "{bytes:?}");
    }
}

#[test]
fn s7_2_2_a_message_that_was_cut_is_broken() {
    // Nothing at all is no compressed data either.
    assert_eq!(at_every_split(&[0xc2, 0x00], 9).error, Some(Error::BrokenDeflate));
    let data = (0..3000u32).flat_map(|i| (i * i).to_le_bytes()).collect::<Vec<_>>();
    for whole in [reference(b"Hello, hello, hello"), reference(&data)] {
        assert_eq!(at_every_split(&frame(0xc2, &whole), 1 << 20).error, None);
        for cut in (1..whole.len()).take(64) {
            for context in [context(15, true), context(15, false)] {
                let bytes = frame(0xc2, &whole[..whole.len() - cut]);
                let read = read(&mut client(1 << 20), &mut Inflater::new(context), &bytes, 1000);
                assert_eq!(read.error, Some(Error::BrokenDeflate), "{cut} bytes less");
                assert_eq!(read.messages, [], "{cut} bytes less");
            }
        }
    }
}

/// The tail may be the rest of a final block, and of that nothing may be left for the next message: no data at all is
/// broken behind it, as it is elsewhere.
#[test]
fn s7_2_3_4_a_final_block_that_ends_in_the_tail_ends() {
    let nothing = at_every_split(&frame(0xc2, b""), 100);
    assert_eq!((nothing.messages, nothing.error), (vec![], Some(Error::BrokenDeflate)));
    let bytes = [frame(0xc2, &[0x01]), frame(0xc2, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])];
    let read = at_every_split(&bytes.concat(), 100);
    let binary = |data: &[u8]| (Kind::Binary, data.to_vec());
    assert_eq!((read.messages, read.error), (vec![binary(b""), binary(b"Hello")], None));
    let read = at_every_split(&[frame(0xc2, &[0x01]), frame(0xc2, b"")].concat(), 100);
    assert_eq!((read.messages, read.error), (vec![binary(b"")], Some(Error::BrokenDeflate)));
}

#[test]
fn s6_1_control_frames_stand_between_the_fragments_of_a_compressed_message() {
    let data = reference("one, two, three, four, five, six, seven".as_bytes());
    let mut bytes = Vec::new();
    for (i, byte) in data.iter().enumerate() {
        bytes.extend(frame(if i == 0 { 0x41 } else { 0x00 }, &[*byte]));
        bytes.extend(frame(0x89, b"are you there?"));
    }
    bytes.extend(frame(0x80, &[]));
    let read = at_every_split(&bytes, 39);
    let messages = vec![text("one, two, three, four, five, six, seven")];
    assert_eq!(read, Read { messages, ..Read::default() });
}

#[test]
fn s6_rsv1_stands_on_first_frames_of_messages_only() {
    let cases: [(&[u8], Error); 6] = [
        (&[0x41, 0x01, 0x00, 0xc0, 0x01, 0x00], Error::ReservedBits(4)),
        (&[0x01, 0x01, b'x', 0xc0, 0x01, 0x00], Error::ReservedBits(4)),
        (&[0xc9, 0x00], Error::ReservedBits(4)),
        (&[0xc8, 0x00], Error::ReservedBits(4)),
        (&[0xe1, 0x00], Error::ReservedBits(6)),
        (&[0xd1, 0x00], Error::ReservedBits(5)),
    ];
    for (bytes, error) in cases {
        assert_eq!(at_every_split(bytes, 100).error, Some(error), "{bytes:x?}");
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
    // Not agreed on, or not read with an inflater.
    let mut hello = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let config = Config::default();
    let mut plain = Connection::new(Client(|| [0; 4]), config, Agreed::elsewhere());
    let mut inflater = Inflater::new(context(15, true));
    assert_eq!(read(&mut plain, &mut inflater, &hello, 99).error, Some(Error::ReservedBits(4)));
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut hello, &mut scratch);
    assert_eq!(client(100).next_event(&mut input), Err(Error::ReservedBits(4)));
}

#[test]
fn s7_2_2_broken_data_is_1007() {
    for data in [&[0x06, 0x01, 0x02, 0x03][..], &[0xff; 8], &[0x00, 0x05, 0x00, 0x00, 0x00, 0x01]] {
        let read = at_every_split(&frame(0xc2, data), 1000);
        assert_eq!(read.error, Some(Error::BrokenDeflate), "{data:x?}");
    }
    assert_eq!(Error::BrokenDeflate.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn s8_1_text_is_validated_to_the_byte_behind_inflation() {
    let good = "grün ☃ 𝄞".repeat(3000);
    let read = at_every_split(&frame(0xc1, &reference(good.as_bytes())), 1 << 20);
    assert_eq!(read, Read { messages: vec![text(&good)], ..Read::default() });
    for (bad, offset) in [(&b"abc\xffdef"[..], 3), (b"\xc3(", 0), (b"ab\xf0\x9f\x98", 2)] {
        let read = at_every_split(&frame(0xc1, &reference(bad)), 1 << 20);
        assert_eq!(read.error, Some(Error::InvalidUtf8 { offset }), "{bad:?}");
        assert_eq!(read.open, &bad[..offset as usize], "what is before it is handed out");
    }
}

#[test]
fn s10_4_the_limit_counts_inflated_bytes_and_is_exact() {
    for len in [1usize, 5, 16_383, 16_384, 16_385, 40_000] {
        let bytes = frame(0xc2, &reference(&vec![b'x'; len]));
        let read = at_every_split(&bytes, len as u64);
        assert_eq!((read.messages.len(), read.error), (1, None), "{len}");
        let read = at_every_split(&bytes, len as u64 - 1);
        assert_eq!(read.error, Some(Error::MessageTooBig), "{len}");
        assert_eq!(read.open.len(), len - 1, "everything up to the limit is handed out");
    }
    // It is each message's, not the connection's.
    let three = frame(0xc2, &reference(&[b'x'; 1000])).repeat(3);
    let mut inflater = Inflater::new(context(15, false));
    assert_eq!(read(&mut client(1000), &mut inflater, &three, 7).messages.len(), 3);
}

#[test]
fn a_bomb_ends_at_the_limit_whatever_it_holds() {
    let bomb = frame(0xc2, &reference(&vec![0; 16 << 20]));
    assert!(bomb.len() < 100_000);
    let mut inflater = Inflater::new(context(15, true));
    let read = read(&mut client(100_000), &mut inflater, &bomb, 4096);
    assert_eq!((read.open.len(), read.error), (100_000, Some(Error::MessageTooBig)));
}

#[test]
fn all_that_has_come_is_inflated_before_more_is_asked_for() {
    let data = reference(&vec![0; 100_000]);
    let bytes = frame(0xc2, &data);
    for come in 1..data.len() {
        let mut due = Vec::with_capacity(200_000);
        let mut other = Decompress::new(false);
        other.decompress_vec(&data[..come], &mut due, FlushDecompress::None).unwrap();
        let mut inflater = Inflater::new(context(15, true));
        let bytes = &bytes[..bytes.len() - data.len() + come];
        let begun = read(&mut client(1 << 20), &mut inflater, bytes, usize::MAX);
        let (begun, due) = (begun.open.len(), due.len());
        assert!(begun >= due, "{begun} of {due}, of {come} bytes of {}", data.len());
    }
}

#[test]
fn s7_2_1_what_is_not_worth_it_goes_plain() {
    let settings = Settings { threshold: Some(10), ..Settings::default() };
    let noise = Numbers(1).flat_map(u64::to_le_bytes).take(64 * 1024).collect::<Vec<_>>();
    for takeover in [true, false] {
        let mut deflater = Deflater::new(&settings, context(15, takeover));
        let mut server = server(1 << 20);
        let mut wire = Vec::new();
        server.send_deflated("aaaaaaaaa", true, &mut deflater, &mut wire).unwrap();
        assert_eq!(wire, b"\x81\x09aaaaaaaaa", "below the threshold");
        wire.clear();
        server.send_deflated("0123456789", true, &mut deflater, &mut wire).unwrap();
        if takeover {
            assert!(wire[0] == 0xc1 && wire.len() <= 2 + 10 + 16, "{wire:x?}");
        } else {
            assert_eq!(wire, b"\x81\x0a0123456789", "it would not shrink");
        }
        let before = wire.len();
        server.send_deflated(&noise[..], true, &mut deflater, &mut wire).unwrap();
        assert_eq!(wire[before], 0x82, "it would grow by more than what it is worth");
        // What the peer did not see compressed is not referred to.
        server.send_deflated(&noise[..100], true, &mut deflater, &mut wire).unwrap();
        let again = "0123456789".repeat(10);
        server.send_deflated(again.as_str(), true, &mut deflater, &mut wire).unwrap();
        let mut inflater = Inflater::new(context(15, takeover));
        let read = read(&mut client(1 << 20), &mut inflater, &wire, usize::MAX);
        let binary = |data: &[u8]| (Kind::Binary, data.to_vec());
        let noise = [binary(&noise), binary(&noise[..100])];
        assert_eq!(read.messages[..2], [text("0123456789"), noise[0].clone()]);
        assert_eq!(read.messages[2..], [noise[1].clone(), text(&again)]);
    }
}

#[test]
fn less_is_worth_it_where_a_message_may_refer_to_those_before_it() {
    for (takeover, from) in [(true, Settings::TAKEOVER_THRESHOLD), (false, Settings::THRESHOLD)] {
        let mut deflater = Deflater::new(&Settings::default(), context(15, takeover));
        for (len, first) in [(from - 1, 0x81), (from, 0xc1)] {
            let mut wire = Vec::new();
            let message = "a".repeat(len);
            server(1 << 20).send_deflated(&*message, true, &mut deflater, &mut wire).unwrap();
            assert_eq!(wire[0], first, "{len} bytes, {takeover}");
        }
    }
}

#[test]
fn small_messages_come_to_have_a_context() {
    for level in [1, 6, 9] {
        let settings = Settings { level, ..Settings::default() };
        let mut deflater = Deflater::new(&settings, context(15, true));
        let (mut server, mut wire, mut plain) = (server(1000), Vec::new(), 0);
        let mut expected = Vec::new();
        for (i, noise) in (0..200).zip(Numbers(7)) {
            let message = format!(r#"{{"seq":{i},"code":"{noise:016x}","state":"ok"}}"#);
            let before = wire.len();
            server.send_deflated(message.as_str(), true, &mut deflater, &mut wire).unwrap();
            assert_eq!(wire[before], 0xc1, "level {level}: {i}");
            plain += message.len();
            expected.push(text(&message));
        }
        // Each has 16 digits that nobody could foresee.
        assert!(wire.len() * 10 < plain * 6, "level {level}: {} of {plain}", wire.len());
        let mut inflater = Inflater::new(context(15, true));
        assert_eq!(read(&mut client(1000), &mut inflater, &wire, 99).messages, expected);
    }
}

/// Numbers that look random, and are the same each time (SplitMix64).
struct Numbers(u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(z ^ (z >> 31))
    }
}

#[test]
fn a_sink_that_is_full_loses_nothing() {
    let mut deflater = Deflater::new(&Settings::default(), context(15, true));
    let (mut server, mut wire) = (server(1000), Vec::new());
    let message = "once more ".repeat(20);
    for _ in 0..3 {
        let mut small = [0; 1];
        let mut full = ws_proto::Slice::new(&mut small);
        let refused = server.send_deflated(message.as_str(), true, &mut deflater, &mut full);
        assert_eq!(refused, Err(ws_proto::SendError::Full));
        server.send_deflated(message.as_str(), true, &mut deflater, &mut wire).unwrap();
    }
    let mut inflater = Inflater::new(context(15, true));
    let read = read(&mut client(1000), &mut inflater, &wire, 3);
    assert_eq!(read.messages, vec![text(&message); 3]);
}

/// Messages that compress well, badly and not at all.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        (proptest::collection::vec(any::<u8>(), 1..40), 1..3000usize)
            .prop_map(|(bytes, times)| bytes.repeat(times)),
        proptest::collection::vec(0..4u8, 0..60_000),
    ]
}

fn cases(n: u32) -> ProptestConfig {
    ProptestConfig::with_cases(if std::env::var_os("CI").is_some() { n * 4 } else { n })
}

proptest! {
    #![proptest_config(cases(50))]

    /// What either role writes, whole or in fragments, the other reads, with every window and level.
    #[test]
    fn round_trip(
        messages in proptest::collection::vec((payload(), 1..4usize), 1..5),
        bits in 9..=15u8,
        takeover: bool,
        level in 0..=9u8,
        memory_level in 1..=9u8,
        chunk in 1..5000usize,
        from_client: bool,
    ) {
        let settings = Settings { level, memory_level, ..Settings::default() };
        let mut deflater = Deflater::new(&settings, context(bits, takeover));
        let mut inflater = Inflater::new(context(bits, takeover));
        let (mut client, mut server) = (client(u64::MAX), server(u64::MAX));
        let mut wire = Vec::new();
        for (message, fragments) in &messages {
            let size = message.len().div_ceil(*fragments).max(1);
            let mut parts = message.chunks(size).collect::<Vec<_>>();
            parts.resize(*fragments, &[]);
            for (i, part) in parts.iter().enumerate() {
                let (part, last) = (Message::Binary(part), i + 1 == *fragments);
                if from_client {
                    client.send_deflated(part, last, &mut deflater, &mut wire).unwrap();
                } else {
                    server.send_deflated(part, last, &mut deflater, &mut wire).unwrap();
                }
            }
        }
        let read = if from_client {
            read(&mut server, &mut inflater, &wire, chunk)
        } else {
            read(&mut client, &mut inflater, &wire, chunk)
        };
        prop_assert_eq!(read.error, None);
        let expected = messages.into_iter().map(|(message, _)| (Kind::Binary, message));
        prop_assert_eq!(read.messages, expected.collect::<Vec<_>>());
    }

    /// What we compress, another implementation inflates, and the reverse.
    #[test]
    fn differential(message in payload(), bits in 9..=15u8, chunk in 1..5000usize) {
        let settings = Settings { threshold: Some(0), ..Settings::default() };
        let mut deflater = Deflater::new(&settings, context(bits, true));
        let mut wire = Vec::new();
        server(u64::MAX).send_deflated(&message[..], true, &mut deflater, &mut wire).unwrap();
        if wire[0] == 0xc2 {
            let head = match wire[1] { 127 => 10, 126 => 4, _ => 2 };
            let data = [&wire[head..], &TAIL].concat();
            let mut out = Vec::with_capacity(message.len() + 1);
            let mut decompress = Decompress::new(false);
            decompress.decompress_vec(&data, &mut out, FlushDecompress::Sync).unwrap();
            prop_assert_eq!(&out, &message);
        }
        let bytes = frame(0xc2, &reference(&message));
        let mut inflater = Inflater::new(context(15, true));
        let read = read(&mut client(u64::MAX), &mut inflater, &bytes, chunk);
        prop_assert_eq!(read, Read { messages: vec![(Kind::Binary, message)], ..Read::default() });
    }

    /// Bytes that are no compressed data, or some that were changed: the same at any split, no panic.
    #[test]
    fn splits_of_anything(
        message in payload(),
        noise in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        text: bool,
        limit in 0..70_000u64,
        chunk in 1..3000usize,
    ) {
        let mut data = reference(&message);
        for (at, byte) in noise {
            let at = at % (data.len() + 1);
            if at == data.len() { data.push(byte) } else { data[at] = byte }
        }
        let bytes = [frame(if text { 0xc1 } else { 0xc2 }, &data), b"\x81\x02ok".to_vec()].concat();
        let fresh = || (client(limit.max(2)), Inflater::new(context(15, true)));
        let (mut connection, mut inflater) = fresh();
        let whole = read(&mut connection, &mut inflater, &bytes, usize::MAX);
        let (mut connection, mut inflater) = fresh();
        prop_assert_eq!(read(&mut connection, &mut inflater, &bytes, chunk), whole);
    }
}

/// One frame for many peers: it refers to nothing before it, and nothing behind it refers to it.
#[test]
fn s7_2_a_broadcast_is_read_by_all() {
    let settings = Settings::default();
    let mut deflater = Deflater::new(&settings, context(15, true));
    let (text_of, mut wire) = ("la".repeat(200), Vec::new());
    for _ in 0..2 {
        assert_eq!(deflater.broadcast(Message::Text(&text_of), &mut wire), Ok(true));
    }
    let (first, second) = wire.split_at(wire.len() / 2);
    assert_eq!(first, second);
    assert!(first.len() < 30 && first[0] == 0xc1);
    for frame in [first, &wire] {
        let read = at_every_split(frame, 1 << 20);
        let messages = vec![text(&text_of); frame.len() / first.len()];
        assert_eq!((read.messages, read.error), (messages, None));
    }
    let mut nothing = Vec::new();
    for small in [&b"small"[..], &[]] {
        assert_eq!(deflater.broadcast(Message::Binary(small), &mut nothing), Ok(false));
    }
    // What does not shrink is not worth it either, where context is not taken over.
    let mut deflater = Deflater::new(&settings, context(15, false));
    let mut noise = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise.to_be_bytes()[0]
    })
    .take(1000)
    .collect();
    assert_eq!(deflater.broadcast(Message::Binary(&noise), &mut nothing), Ok(false));
    assert_eq!(nothing, b"");
    let mut small = [0; 10];
    let mut out = Slice::new(&mut small);
    assert_eq!(deflater.broadcast(Message::Text(&text_of), &mut out), Err(Full));
    assert_eq!(out.stored(), b"");
    assert_eq!(deflater.broadcast(Message::Text(&text_of), &mut nothing), Ok(true));
    assert_eq!(nothing, first);
}

/// Without context takeover, an inflater may serve another connection between messages, and only then.
#[test]
fn an_inflater_is_in_use_from_the_header_to_the_last_byte() {
    let data = reference(b"row, row, row your boat");
    let whole = [frame(0x42, &data[..5]), frame(0x80, &data[5..])].concat();
    let (mut conn, mut inflater) = (client(100), Inflater::new(context(15, false)));
    let mut give = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let mut scratch = Scratch::default();
        let mut input = Input::new(&mut bytes, &mut scratch);
        while conn.next_event_inflated(&mut input, &mut inflater).unwrap().is_some() {}
        conn.is_inflating()
    };
    assert!(!give(b""));
    for (i, byte) in whole.iter().enumerate() {
        assert_eq!(give(&[*byte]), (1..whole.len() - 1).contains(&i), "{i}");
    }
    assert!(!give(&frame(0x02, b"plain")), "it is not compressed");

    // One that is given up halfway is made fit for another by a reset.
    let mut inflater = Inflater::new(context(15, false));
    read(&mut client(100), &mut inflater, &whole[..8], 100);
    inflater.reset();
    let all = read(&mut client(100), &mut inflater, &whole, 100);
    assert_eq!(all.messages, [(Kind::Binary, b"row, row, row your boat".to_vec())]);
}

/// The last fragment may have nothing left to say.
#[test]
fn s7_2_3_6_a_message_ends_with_an_empty_fragment() {
    for takeover in [true, false] {
        let settings = Settings { threshold: Some(0), ..Settings::default() };
        let mut deflater = Deflater::new(&settings, context(15, takeover));
        let (mut conn, mut wire) = (server(100), Vec::new());
        for last in [false, true, false, true] {
            let part = if last { "" } else { "Hello" };
            conn.send_deflated(part, last, &mut deflater, &mut wire).unwrap();
        }
        let mut inflater = Inflater::new(context(15, takeover));
        let read = read(&mut client(100), &mut inflater, &wire, 3);
        assert_eq!((read.messages, read.error), (vec![text("Hello"); 2], None));
        assert_eq!(format!("{deflater:?}"), format!("Deflater {{ takeover: {takeover}, .. }}"));
        assert_eq!(format!("{inflater:?}"), format!("Inflater {{ takeover: {takeover}, .. }}"));
    }
}
