//! Outboxes at any pace, with what is dropped and what passes.
#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::io::IoSlice;
use std::sync::Arc;

use proptest::prelude::*;

use super::{BATCH, Dropped, GATHER, Outbox, Worth};

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(u8::try_from(len).unwrap()),
        len => {
            frame.push(126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// The frames that a stream consists of, and how much is left over of one.
fn frames(mut stream: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut frames = Vec::new();
    loop {
        let (header, payload) = match stream {
            [_, len @ 0..=125, ..] => (2, usize::from(*len)),
            [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            _ => return (frames, stream.len()),
        };
        if stream.len() < header + payload {
            return (frames, stream.len());
        }
        frames.push(stream[..header + payload].to_vec());
        stream = &stream[header + payload..];
    }
}

/// Sends as a kernel would that takes so many bytes.
fn send(outbox: &mut Outbox, most: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); BATCH];
    let filled = outbox.slices(&mut slices);
    let bytes = slices[..filled].iter().flat_map(|slice| slice.iter());
    let sent: Vec<u8> = bytes.take(most).copied().collect();
    outbox.advance(sent.len());
    sent
}

#[test]
fn what_goes_in_comes_out_in_order_at_any_pace() {
    for pace in [1, 2, 3, 7, 1000, GATHER, GATHER * 3] {
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for i in 0..200u8 {
            let bytes = frame(0x82, &vec![i; usize::from(i) * 7]);
            match i % 4 {
                0 => outbox.push_shared(Arc::from(bytes.as_slice()), Worth::Droppable),
                1 => outbox.push_shared(Arc::from(bytes.as_slice()), Worth::Kept),
                2 => outbox.push_shared(Arc::from(bytes.as_slice()), Worth::Asked),
                _ => outbox.push(&bytes),
            }
            expected.extend(bytes);
        }
        assert_eq!(outbox.len(), expected.len());
        let mut got = Vec::new();
        while !outbox.is_empty() {
            let sent = send(&mut outbox, pace);
            assert!(!sent.is_empty());
            got.extend_from_slice(&sent);
        }
        assert_eq!(got, expected, "{pace} bytes at a time");
        assert!(outbox.pieces.is_empty());
        assert_eq!((outbox.droppable, outbox.asked, outbox.owed()), (0, 0, 0));
    }
}

#[test]
fn many_small_frames_make_few_pieces() {
    for worth in [Worth::Kept, Worth::Asked, Worth::Droppable] {
        let mut outbox = Outbox::default();
        for _ in 0..100_000 {
            outbox.push_shared(Arc::from([0x81, 0].as_slice()), worth);
        }
        assert_eq!(outbox.len(), 200_000);
        assert!(outbox.pieces.len() <= BATCH + 200_000 / GATHER + 1);
        let dropped = outbox.drop_oldest(50_000);
        assert_eq!(outbox.unasked(), if worth == Worth::Asked { 0 } else { outbox.len() });
        match worth {
            Worth::Kept | Worth::Asked => assert_eq!(dropped, Dropped::default()),
            Worth::Droppable => assert_eq!(dropped, Dropped { messages: 75_000, bytes: 150_000 }),
        }
    }
}

#[test]
fn control_frames_pass_what_waits_at_the_end_of_a_frame() {
    let reply = frame(0x82, &[7; 1000]);
    let (ping, pong) = (frame(0x89, b""), |text: &str| frame(0x8a, text.as_bytes()));
    for begun in 0..=1004 {
        let mut outbox = Outbox::default();
        // The rest of a reply of which the kernel has taken the beginning, and others.
        outbox.begin_behind(&reply[..begun]);
        outbox.push(&reply[begun..]);
        outbox.push(&reply);
        for frame in [&pong("old"), &ping, &pong("new")] {
            outbox.push_control(frame);
        }
        assert_eq!(outbox.owed(), 2 * 1004 - begun);
        let mut got = reply[..begun].to_vec();
        while !outbox.is_empty() {
            got.extend(send(&mut outbox, 3));
        }
        let (got, left) = frames(&got);
        let mut due = vec![reply.clone(); 2];
        let at = usize::from(begun > 0);
        due.splice(at..at, [ping.clone(), pong("new")]);
        assert!(got == due && left == 0, "{begun}");
    }
}

#[test]
fn a_cut_leaves_the_rest_of_a_frame_and_what_is_said_last() {
    for sent in 0..300 {
        let mut outbox = Outbox::default();
        for i in 0..100u8 {
            let worth = if i % 2 == 0 { Worth::Droppable } else { Worth::Asked };
            outbox.push(&frame(0x82, &[i; 20]));
            outbox.push_shared(frame(0x81, &[i; 130]).into(), worth);
        }
        let mut got = send(&mut outbox, sent);
        let (before, len) = (frames(&got), outbox.len());
        let dropped = outbox.cut();
        assert_eq!(outbox.unasked(), outbox.len(), "what is left counts like a reply");
        outbox.push_control(&frame(0x88, &[3, 0xf5]));
        while !outbox.is_empty() {
            got.extend(send(&mut outbox, 5));
        }
        let (all, left) = frames(&got);
        let begun = usize::from(before.1 > 0);
        assert_eq!((all.len(), left), (before.0.len() + begun + 1, 0), "{sent}");
        assert_eq!(all.last().unwrap()[0], 0x88);
        assert_eq!(usize::try_from(dropped.messages).unwrap(), 200 - all.len() + 1);
        assert_eq!(dropped.bytes, len - (got.len() - sent - 4));
    }
}

#[test]
fn nothing_passes_what_was_answered_before_there_were_frames() {
    for sent in 0..=9 {
        let mut outbox = Outbox::default();
        outbox.push(b"101 to co");
        outbox.begin_head(2);
        outbox.push(&[b"me".as_slice(), &frame(0x81, b"first")].concat());
        outbox.push(&frame(0x81, b"second"));
        let mut got = send(&mut outbox, sent);
        outbox.push_control(&frame(0x89, b""));
        outbox.cut();
        outbox.push_control(&frame(0x88, &[3, 0xf5]));
        while !outbox.is_empty() {
            got.extend(send(&mut outbox, 5));
        }
        assert_eq!(got, [b"101 to come".as_slice(), b"\x89\0\x88\x02\x03\xf5"].concat());
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A reply, cut in two pieces.
    Own(usize, usize),
    Kept(usize),
    Asked(usize),
    Droppable(usize),
    /// Several in one piece.
    Joined(usize, usize),
    Ping,
    Pong(u8),
    Send(usize),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let len = || prop_oneof![4 => 8..200_usize, 1 => 200..2000_usize];
    prop_oneof![
        2 => (len(), 0..200_usize).prop_map(|(len, cut)| Step::Own(len, cut.min(len))),
        2 => len().prop_map(Step::Kept),
        2 => len().prop_map(Step::Asked),
        6 => len().prop_map(Step::Droppable),
        3 => (len(), 2..9_usize).prop_map(|(len, times)| Step::Joined(len, times)),
        1 => Just(Step::Ping),
        1 => any::<u8>().prop_map(Step::Pong),
        3 => (1..3000_usize).prop_map(Step::Send),
        1 => (0..20_000_usize).prop_map(Step::Drop),
    ]
}

proptest! {
    /// Whatever happens: whole frames, in order; all that must reach the peer does; what does not was counted,
    /// and told of before anything behind it.
    #[test]
    fn only_whole_messages_are_dropped_and_nothing_else(
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut outbox = Outbox::default();
        let (mut got, mut number) = (Vec::new(), 0_u64);
        let mut next = |len: usize, first: u8| {
            number += 1;
            let mut payload = number.to_be_bytes().to_vec();
            payload.resize(len.max(8), 0);
            frame(first, &payload)
        };
        let (mut pings, mut newest, mut dropped, mut told) = (0, None, 0, 0);
        for step in steps.into_iter().chain(vec![Step::Send(usize::MAX); 50]) {
            match step {
                Step::Own(len, cut) => {
                    let bytes = next(len, 0x82);
                    outbox.push(&bytes[..cut]);
                    outbox.push(&bytes[cut..]);
                }
                Step::Kept(len) => outbox.push_shared(next(len, 0x82).into(), Worth::Kept),
                Step::Asked(len) => outbox.push_shared(next(len, 0x82).into(), Worth::Asked),
                Step::Droppable(len) => {
                    outbox.push_shared(next(len, 0x81).into(), Worth::Droppable);
                }
                Step::Joined(len, times) => {
                    let frames = (0..times).flat_map(|_| next(len, 0x81)).collect::<Vec<_>>();
                    outbox.push_shared(frames.into(), Worth::Droppable);
                }
                Step::Ping => {
                    outbox.push_control(&frame(0x89, &[]));
                    pings += 1;
                }
                Step::Pong(payload) => {
                    outbox.push_control(&frame(0x8a, &[payload]));
                    newest = Some(payload);
                }
                Step::Send(most) => {
                    if let Some(gap) = outbox.gap() {
                        told += gap;
                        outbox.fill_gap(&frame(0x01, &told.to_be_bytes()));
                    }
                    got.extend(send(&mut outbox, most));
                }
                Step::Drop(most) => {
                    let (before, unasked) = (outbox.len(), outbox.unasked());
                    let Dropped { messages, bytes } = outbox.drop_oldest(most);
                    dropped += messages;
                    prop_assert!(bytes == 0 || unasked > most, "what was asked for counts");
                    let mut left = outbox.pieces.iter().skip((outbox.sent > 0).into());
                    let is_all = left.all(|piece| piece.worth() != Worth::Droppable);
                    prop_assert!(is_all || outbox.unasked() <= most, "not enough");
                    prop_assert_eq!(outbox.len(), before - bytes);
                }
            }
            let sum: usize = outbox.pieces.iter().map(|piece| piece.bytes().len()).sum();
            let control = outbox.control_len();
            prop_assert_eq!(outbox.len(), sum - outbox.sent + control);
            for (worth, count) in [(Worth::Droppable, outbox.droppable), (Worth::Asked, outbox.asked)] {
                let of_it = outbox.pieces.iter().filter(|piece| piece.worth() == worth);
                let sum: usize = of_it.map(|piece| piece.bytes().len()).sum();
                let begun = outbox.pieces.front().is_some_and(|piece| piece.worth() == worth);
                prop_assert_eq!(count, sum - if begun { outbox.sent } else { 0 });
            }
        }
        prop_assert!(outbox.is_empty());
        let (got, left) = frames(&got);
        prop_assert_eq!((left, told, outbox.dropped()), (0, dropped, dropped));
        let (mut last, mut missing, mut told) = (0, 0, 0);
        for frame in &got {
            let payload = &frame[if frame[1] == 126 { 4 } else { 2 }..];
            match frame[0] {
                0x81 | 0x82 => {
                    let number = u64::from_be_bytes(*payload.first_chunk().unwrap());
                    prop_assert!(number > last, "{} behind {}", number, last);
                    missing += number - last - 1;
                    last = number;
                    prop_assert!(missing <= told, "{} are missing, {} were told of", missing, told);
                }
                0x01 => told = told.max(u32::from_be_bytes(payload.try_into().unwrap()).into()),
                _ => {}
            }
        }
        missing += number - last;
        prop_assert_eq!(missing, u64::from(dropped), "what may not be dropped was");
        prop_assert_eq!(got.iter().filter(|frame| frame[0] == 0x89).count(), pings);
        let pong = got.iter().rfind(|frame| frame[0] == 0x8a).map(|frame| frame[2]);
        prop_assert_eq!(pong, newest);
    }
}
