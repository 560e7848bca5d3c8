//! Where reads cut the peer's bytes must not show: RFC 6455 §5.4 knows frames and messages only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

#[path = "harness/cases.rs"]
mod cases;
mod harness;
mod vectors;

use cases::cases;
use harness::{BINARY, CLOSE, End, FIN, Got, Log, PING, PONG, TEXT, Wire, frame, replay};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest, sample};
use ws_proto::{
    Config, Connection, Error, Event, Framed, Input, Message, Part, Pongs, Role, Scratch,
};

/// The tests by section replay their vectors in chunks of every size; these cut them once, and not
/// at all.
#[test]
fn all_vectors_cut_at_every_place() {
    vectors::all().iter().for_each(vectors::Vector::check_cuts);
}

/// What begins like the message in front of it is found with it, and nothing else is.
#[test]
fn messages_that_begin_alike_are_found_at_once() {
    let data = |fill| vec![fill; 20];
    let said = [(TEXT, b'a'), (TEXT, b'b'), (TEXT, b'c'), (BINARY, b'd')];
    let frames = said.map(|(opcode, fill)| frame(End::Server, FIN | opcode, &data(fill)));
    let mut read = frames.concat();
    let (mut conn, mut scratch) = (harness::server_conn(Config::default()), Scratch::new());
    let mut input = Input::new(&mut read, &mut scratch);
    assert!(conn.next_alike(&mut input).is_none());
    let text = |fill| String::from_utf8(data(fill)).unwrap();
    assert_eq!(conn.next_framed(&mut input).unwrap().message, Message::Text(&text(b'a')));
    assert_eq!(conn.next_alike(&mut input).unwrap().message, Message::Text(&text(b'b')));
    assert_eq!(conn.next_alike(&mut input).unwrap().message, Message::Text(&text(b'c')));
    assert!(conn.next_alike(&mut input).is_none());
    assert_eq!(conn.next_framed(&mut input).unwrap().message, Message::Binary(&data(b'd')));
    assert!(input.is_empty());
}

/// The vectors as seeds of the fuzz targets `frames` and `tungstenite`, in the folder that SEEDS names.
#[test]
#[ignore = "writes files: SEEDS=fuzz/corpus cargo test -p ws-proto --test splits seeds -- --ignored"]
fn seeds() {
    let folder = std::path::PathBuf::from(std::env::var_os("SEEDS").expect("SEEDS names a folder"));
    for (i, vector) in vectors::all().iter().enumerate().filter(|(_, it)| it.bytes.len() < 1500) {
        let is_client = u8::from(vector.end == End::Client);
        let flags = is_client | u8::from(vector.config.pongs == Pongs::Manual) << 1;
        let limit = vector.config.max_message.try_into().unwrap_or(u16::MAX);
        let frames = [&[flags][..], &limit.to_le_bytes(), &[3, 1, 7, 2], &vector.bytes].concat();
        let other = [&[is_client, 255][..], &vector.bytes].concat();
        for (target, seed) in [("frames", frames), ("tungstenite", other)] {
            std::fs::create_dir_all(folder.join(target)).unwrap();
            std::fs::write(folder.join(target).join(format!("vector-{i}")), seed).unwrap();
        }
    }
}

/// A frame that is mostly what may come next.
#[derive(Clone, Debug)]
struct Piece {
    first: u8,
    /// Whether it is data, whose opcode depends on what came before.
    follows: bool,
    payload: Vec<u8>,
}

fn piece() -> impl Strategy<Value = Piece> {
    let text = prop_oneof![
        8 => "[a-z\u{e9}\u{20ac}\u{1f600}]{0,12}".prop_map(String::into_bytes),
        // Cut inside a code point, which the next fragment may go on with or not.
        2 => sample::select(vec![&b"\xe2"[..], b"\x82\xac", b"\xf0\x9f", b"\x98\x80", b"\xe2\x82"])
            .prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..6),
    ];
    let binary = prop_oneof![
        4 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 20..120),
        1 => vec(any::<u8>(), 120..300)
    ];
    let control = prop_oneof![4 => vec(any::<u8>(), 0..10), 1 => vec(any::<u8>(), 100..=125)];
    let close = prop_oneof![
        4 => (3000u16..3003, "[a-z\u{e9}]{0,9}")
            .prop_map(|(code, why)| [&code.to_be_bytes(), why.as_bytes()].concat()),
        1 => vec(any::<u8>(), 0..5),
    ];
    let data = |first, follows| move |payload| Piece { first, follows, payload };
    let text = (any::<bool>(), text);
    let binary = (any::<bool>(), binary);
    let fin = |fin| if fin { FIN } else { 0 };
    prop_oneof![
        8 => text.prop_map(move |(last, text)| data(fin(last) | 1, true)(text)),
        6 => binary.prop_map(move |(last, bytes)| data(fin(last) | 2, true)(bytes)),
        3 => control.clone().prop_map(data(PING, false)),
        3 => control.prop_map(data(PONG, false)),
        1 => close.prop_map(data(CLOSE, false)),
        1 => (any::<u8>(), vec(any::<u8>(), 0..9)).prop_map(move |(first, p)| data(first, false)(p)),
    ]
}

/// Frames on their way to `end`; data continues the message before it if that has not ended.
fn stream(end: End, pieces: &[Piece]) -> Vec<u8> {
    let mut open = false;
    let mut bytes = Vec::new();
    for piece in pieces {
        let mut first = piece.first;
        if piece.follows {
            if open {
                first &= FIN;
            }
            open = first & FIN == 0;
        }
        bytes.extend(frame(end, first, &piece.payload));
    }
    bytes
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Server), Just(End::Client)]
}

fn config() -> impl Strategy<Value = Config> {
    let limit = prop_oneof![3 => Just(1 << 20), 1 => 0u64..40, 1 => Just(u64::MAX)];
    let pongs = prop_oneof![4 => Just(Pongs::Automatic), 1 => Just(Pongs::Manual)];
    (limit, pongs).prop_map(|(max_message, pongs)| Config { max_message, pongs })
}

/// The bytes cut into reads of these sizes, again and again; an empty read is no read.
fn cut<'b>(mut bytes: &'b [u8], sizes: &[usize]) -> Vec<&'b [u8]> {
    let mut reads = Vec::new();
    for &size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (read, rest) = bytes.split_at(size.clamp(1, bytes.len()));
        reads.push(read);
        bytes = rest;
    }
    reads
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1usize..8, 1..20), vec(1usize..200, 1..20), Just(vec![1])]
}

/// Reads with a way out that is blocked until the end, and open at the end of some reads.
fn replay_lazily(end: End, config: Config, reads: &[&[u8]], sends: &[bool]) -> Log {
    fn run<R: Role>(mut conn: Connection<R>, reads: &[&[u8]], sends: &[bool]) -> Log {
        let mut log = Log { sent: Wire::with_capacity(0), ..Log::default() };
        for (read, send) in reads.iter().zip(sends.iter().cycle()) {
            harness::read(&mut conn, read, &mut log);
            if *send {
                conn.poll_transmit(&mut Wire::default()).unwrap();
            }
        }
        log
    }
    match end {
        End::Server => run(harness::server_conn(config), reads, sends),
        End::Client => run(harness::client_conn(config), reads, sends),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_split_of_frames_comes_to_the_same(
        end in end(),
        config in config(),
        pieces in vec(piece(), 1..12),
        sizes in sizes(),
    ) {
        let bytes = stream(end, &pieces);
        let whole = replay(end, config, [&bytes[..]]);
        let split = replay(end, config, cut(&bytes, &sizes));
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn any_split_of_damaged_frames_comes_to_the_same(
        end in end(),
        config in config(),
        pieces in vec(piece(), 1..8),
        damage in vec((any::<sample::Index>(), 0u8..8), 1..4),
        sizes in sizes(),
    ) {
        let mut bytes = stream(end, &pieces);
        for (at, bit) in damage {
            *at.get_mut(&mut bytes) ^= 1 << bit;
        }
        let whole = replay(end, config, [&bytes[..]]);
        let split = replay(end, config, cut(&bytes, &sizes));
        prop_assert_eq!(whole, split);
    }

    /// [`harness::read`] panics if there are more events than bytes, or bytes left at `Ok(None)`.
    #[test]
    fn any_split_of_any_bytes_comes_to_the_same(
        end in end(),
        config in config(),
        bytes in vec(any::<u8>(), 0..400),
        sizes in sizes(),
    ) {
        let whole = replay(end, config, [&bytes[..]]);
        let split = replay(end, config, cut(&bytes, &sizes));
        prop_assert_eq!(whole, split);
    }

    /// When the host sends what is owed changes nothing of what it reads.
    #[test]
    fn what_is_read_does_not_depend_on_what_is_sent(
        end in end(),
        config in config(),
        pieces in vec(piece(), 1..12),
        sizes in sizes(),
        sends in vec(any::<bool>(), 1..5),
    ) {
        let bytes = stream(end, &pieces);
        let (eager, ..) = replay(end, config, [&bytes[..]]);
        let lazy = replay_lazily(end, config, &cut(&bytes, &sizes), &sends);
        prop_assert_eq!((eager.got, eager.error), (lazy.got, lazy.error));
    }

    /// A server that is parked after each read, where it can be, does not notice.
    #[test]
    fn parking_comes_to_the_same(
        config in config(),
        pieces in vec(piece(), 1..12),
        sizes in sizes(),
    ) {
        let bytes = stream(End::Server, &pieces);
        let (whole, state, transport) = replay(End::Server, config, [&bytes[..]]);
        let mut conn = harness::server_conn(config);
        let mut log = Log::default();
        for read in cut(&bytes, &sizes) {
            harness::read(&mut conn, read, &mut log);
            conn = conn.park().map_or(conn, ws_proto::Parked::resume);
        }
        prop_assert_eq!((log, conn.state(), conn.transport()), (whole, state, transport));
    }

    /// Who asks for messages with frames around them first gets the same messages, and the frames that send them,
    /// one behind the other.
    #[test]
    fn framed_messages_are_the_same(
        config in config(),
        // Some several times: what begins alike takes a way of its own.
        pieces in vec((piece(), 1usize..6), 1..8),
        sizes in sizes(),
        // Whether each frame comes in a read of its own.
        are_alone in any::<bool>(),
        // How it is asked for one event after the other.
        ways in vec(0..4, 1..8),
    ) {
        let mut ways = ways.into_iter().cycle();
        let pieces = pieces.into_iter().flat_map(|(piece, times)| {
            let mut pieces = vec![piece; times];
            // As long, and of text seldom valid.
            pieces.iter_mut().skip(1).step_by(2).for_each(|piece| piece.payload.reverse());
            pieces
        });
        let pieces = pieces.collect::<Vec<_>>();
        let bytes = stream(End::Server, &pieces);
        let reads = if are_alone {
            let end = |count| stream(End::Server, &pieces[..count]).len();
            (0..pieces.len()).map(|i| &bytes[end(i)..end(i + 1)]).collect()
        } else {
            cut(&bytes, &sizes)
        };
        let mut whole = replay(End::Server, config, reads.iter().copied()).0;
        let mut conn = harness::server_conn(config);
        let mut log = Log::default();
        for read in reads {
            let mut read = read.to_vec();
            let end_of_read = read.as_ptr_range().end;
            let mut scratch = Scratch::new();
            let (mut lone, rest) = match ways.next().unwrap() {
                0 => (None, &mut read[..]),
                _ => match conn.lone_framed(&mut read) {
                    Ok(framed) => (Some(framed), &mut [][..]),
                    Err(rest) => (None, rest),
                },
            };
            let mut input = Input::new(rest, &mut scratch);
            let mut behind = None;
            loop {
                let before = input.len() + lone.map_or(0, |framed| framed.frame.len() + 4);
                let framed = match ways.next().unwrap() {
                    _ if lone.is_some() => lone.take(),
                    0 => None,
                    1 => conn.next_alike(&mut input).or_else(|| conn.next_framed(&mut input)),
                    _ => conn.next_framed(&mut input),
                };
                if let Some(Framed { message, frame }) = framed {
                    let mut sent = Wire::default();
                    harness::server_conn(config).send(message, true, &mut sent).unwrap();
                    prop_assert_eq!(frame, sent.take());
                    prop_assert!(frame.as_ptr_range().end <= end_of_read);
                    prop_assert!(behind.is_none_or(|behind| behind == frame.as_ptr()));
                    prop_assert_eq!(before - input.len(), frame.len() + 4);
                    behind = Some(frame.as_ptr_range().end);
                    let (first, last) = (true, true);
                    log.push(match message {
                        Message::Text(data) => Event::Text(Part { data, first, last }),
                        Message::Binary(data) => Event::Binary(Part { data, first, last }),
                    });
                    continue;
                }
                behind = None;
                match conn.next_event(&mut input) {
                    Ok(Some(event)) => log.push(event),
                    Ok(None) => break,
                    Err(error) => prop_assert_eq!(log.error.replace(error), None),
                }
                conn.poll_transmit(&mut log.sent).unwrap();
            }
            prop_assert!(input.is_empty());
            conn.poll_transmit(&mut log.sent).unwrap();
        }
        // Of text that goes wrong, its valid beginning is not handed out if it was looked at as a message.
        for log in [&mut log, &mut whole] {
            let is_part = matches!(log.got.last(), Some(Got::Text { last: false, .. }));
            if is_part && matches!(log.error, Some(Error::InvalidUtf8 { .. })) {
                log.got.pop();
            }
        }
        prop_assert_eq!(log, whole);
    }

    /// An input that is dropped in the middle loses its rest and nothing else: no panic, no hang.
    #[test]
    fn inputs_that_are_dropped_do_no_harm(
        bytes in vec(any::<u8>(), 0..300),
        sizes in sizes(),
        events in 0usize..3,
    ) {
        let mut conn = harness::server_conn(Config::default());
        for read in cut(&bytes, &sizes) {
            let mut read = read.to_vec();
            let mut scratch = Scratch::new();
            let mut input = Input::new(&mut read, &mut scratch);
            for _ in 0..events {
                let before = input.len();
                let _ = conn.next_event(&mut input);
                prop_assert!(input.len() <= before);
            }
        }
    }
}
