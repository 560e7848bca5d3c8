//! Replies to one connection, until they leave in one write.

use std::ops::Range;

use ws_proto::{Framed, Full, Message, Sink};

use crate::arriving::Arriving;

/// Memory beyond this size is given back.
const KEPT: usize = 1024 * 1024;
/// Payload from this size on is not copied if it lies where it can be sent from.
pub(crate) const LARGE: usize = 8 * 1024;
/// Bytes of the key that a frame has no more when it goes back (RFC 6455 §5.2).
const MASKING_KEY: usize = 4;
/// How many pieces there may be elsewhere, and one more: with what is between them no more than one write takes.
const REFERENCES: usize = 24;

/// Bytes to send, in memory that stays from one connection to the next.
///
/// What a handler sends back of what a peer has sent stays where it is: whole frames in the buffer that was read to,
/// where one lies behind the other, and large payloads there or in the memory of a message that came in parts.
#[derive(Debug, Default)]
pub(crate) struct Cork {
    /// All of it may be written to: no memory need be made ready for a reply.
    memory: Vec<u8>,
    len: usize,
    /// How many of the first bytes are no frames, but what was answered before a WebSocket was opened.
    head: usize,
    references: Vec<Reference>,
    /// Bytes that they refer to.
    referred: usize,
    /// The addresses of frames in what was read, one behind the other, which go behind all else.
    run: Range<usize>,
    /// The addresses of what was read.
    read: Range<usize>,
    /// The addresses of a message that came in parts, while a handler has it.
    lent: Range<usize>,
    /// Such a message, if something refers to it.
    message: Option<Arriving>,
}

/// Bytes that lie elsewhere.
#[derive(Debug)]
struct Reference {
    /// How many bytes of the cork's memory go before.
    behind: usize,
    lies: Lies,
    range: Range<usize>,
}

/// Where bytes lie that are sent from there.
#[derive(Clone, Copy, Debug)]
enum Lies {
    Read,
    Message,
}

impl Cork {
    pub(crate) const fn len(&self) -> usize {
        self.len.saturating_add(self.referred).saturating_add(self.run_len())
    }

    /// What comes from here on are frames.
    pub(crate) const fn begin_frames(&mut self) {
        self.head = self.len();
    }

    /// How many of the first bytes are no frames, if frames have begun.
    pub(crate) const fn head(&self) -> usize {
        self.head
    }

    const fn run_len(&self) -> usize {
        self.run.end.wrapping_sub(self.run.start)
    }

    /// What is to be sent, in order; `read` is the buffer that was read to.
    pub(crate) fn pieces<'a>(&'a self, read: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let message = self.message.as_ref().map(Arriving::bytes).unwrap_or_default();
        let mut start = 0;
        let references = self.references.iter().flat_map(move |reference| {
            let own = self.memory.get(start..reference.behind);
            start = reference.behind;
            let bytes = match reference.lies {
                Lies::Read => read,
                Lies::Message => message,
            };
            [own, bytes.get(reference.range.clone())]
        });
        let last = self.references.last().map_or(0, |reference| reference.behind);
        let behind = [self.memory.get(last..self.len), read.get(self.run_in_read())];
        references.chain(behind).flatten().filter(|piece| !piece.is_empty())
    }

    /// All of what is to be sent, if it is in one piece.
    #[inline]
    pub(crate) fn in_one_piece<'a>(&'a self, read: &'a [u8]) -> Option<&'a [u8]> {
        match (self.len, self.run_len()) {
            _ if !self.references.is_empty() => None,
            (0, _) => read.get(self.run_in_read()),
            (_, 0) => self.memory.get(..self.len),
            _ => None,
        }
    }

    /// Where the run of frames lies in the buffer that was read to.
    const fn run_in_read(&self) -> Range<usize> {
        let start = self.run.start.saturating_sub(self.read.start);
        // Addresses, both of them.
        start..start.wrapping_add(self.run_len())
    }

    /// Empties it.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.head = 0;
        self.run = 0..0;
        if !self.references.is_empty() || self.memory.len() > KEPT {
            self.give_back();
        }
    }

    #[inline(never)]
    fn give_back(&mut self) {
        self.references.clear();
        self.referred = 0;
        self.message = None;
        if self.memory.len() > KEPT {
            self.memory = Vec::new();
        }
    }

    /// These bytes have been read, and stay where they are until the cork is empty again.
    pub(crate) fn lend_read(&mut self, bytes: &[u8]) {
        self.read = addresses(bytes);
        // Where the first frame begins that goes back, behind the room of a masking key: as if it went on from here.
        let first = self.read.start.wrapping_add(MASKING_KEY);
        self.run = first..first;
    }

    /// Whether these bytes are what was read.
    pub(crate) fn is_read(&self, bytes: &[u8]) -> bool {
        let Range { start, end } = addresses(bytes);
        self.read.start <= start && end <= self.read.end
    }

    /// Sends back the frame of a message that a handler was given, which lies in what was read, if this is that
    /// message; `false`: it is another.
    #[inline(always)]
    pub(crate) fn put_back(&mut self, message: Message<'_>, framed: &Framed<'_>) -> bool {
        let (of_it, of_framed) =
            (addresses(message.as_bytes()), addresses(framed.message.as_bytes()));
        if of_it != of_framed || message.kind() != framed.message.kind() {
            return false;
        }
        let whole = addresses(framed.frame);
        if whole.start == self.run.end {
            self.run.end = whole.end;
            return true;
        }
        self.begin_run(whole)
    }

    /// Has a run of frames begin with the one that is lent, unless there are so many that it is better copied.
    #[inline(never)]
    fn begin_run(&mut self, whole: Range<usize>) -> bool {
        self.end_run();
        if self.references.len() >= REFERENCES {
            return false;
        }
        self.run = whole;
        true
    }

    /// Makes a reference of the run of frames, so that other bytes can go behind it.
    #[inline(never)]
    fn end_run(&mut self) {
        let range = self.run_in_read();
        self.run = 0..0;
        if !range.is_empty() {
            self.referred = self.referred.saturating_add(range.len());
            self.references.push(Reference { behind: self.len, lies: Lies::Read, range });
        }
    }

    /// A message that came in parts is given to a handler, which may send it back.
    pub(crate) fn lend_message(&mut self, message: &Arriving) {
        if self.message.is_none() {
            self.lent = addresses(message.bytes());
        }
    }

    /// The handler is done with the message: it stays if something refers to it.
    pub(crate) fn take_message(&mut self, message: Arriving) {
        let last = self.references.iter().rev().find(|r| matches!(r.lies, Lies::Message));
        if self.lent != (0..0) && last.is_some() {
            self.message = Some(message);
        }
        self.lent = 0..0;
    }

    /// The message that came in parts, and what of it is to be sent, if that is the last piece, and no other is of it.
    pub(crate) fn take_last_message(&mut self) -> Option<(Arriving, Range<usize>)> {
        let (last, others) = self.references.split_last()?;
        let is_last = last.behind == self.len && self.run_len() == 0;
        let is_other = |other: &Reference| matches!(other.lies, Lies::Message);
        if !is_last || matches!(last.lies, Lies::Read) || others.iter().any(is_other) {
            return None;
        }
        let message = self.message.take()?;
        let Reference { range, .. } = self.references.pop()?;
        self.referred = self.referred.saturating_sub(range.len());
        Some((message, range))
    }

    /// Appends payload. If it is large and part of what is lent, it is not copied.
    pub(crate) fn put_payload(&mut self, payload: &[u8]) {
        self.end_run();
        let at = addresses(payload);
        let within = |lent: &Range<usize>| {
            let start = at.start.checked_sub(lent.start)?;
            (at.end <= lent.end).then(|| start..start.saturating_add(payload.len()))
        };
        let read = within(&self.read).map(|range| (Lies::Read, range));
        let lies = read.or_else(|| within(&self.lent).map(|range| (Lies::Message, range)));
        match lies.filter(|_| payload.len() >= LARGE && self.references.len() < REFERENCES) {
            Some((lies, range)) => {
                self.referred = self.referred.saturating_add(payload.len());
                self.references.push(Reference { behind: self.len, lies, range });
            }
            None => _ = self.put_any(&[], payload),
        }
    }

    /// Appends a body of 16 to 32 bytes behind a head of two, where there are 64 bytes of memory.
    // The head comes in registers, here and below: from memory, two bytes that were just written one by one
    // are not read as one within a dozen cycles.
    #[inline]
    fn put_small(&mut self, a: u8, b: u8, body: &[u8]) -> Option<&mut [u8]> {
        let [to_a, to_b, free @ ..] = self.memory.get_mut(self.len..)?.first_chunk_mut::<64>()?;
        let to_body = free.get_mut(..body.len())?;
        (*to_a, *to_b) = (a, b);
        ends::<16>(to_body, body);
        // No more than the memory's length.
        self.len = self.len.wrapping_add(2).wrapping_add(body.len());
        Some(to_body)
    }

    /// Appends a body behind a head of two bytes.
    #[inline(never)]
    fn put_short(&mut self, a: u8, b: u8, body: &[u8]) -> Option<&mut [u8]> {
        let [to_a, to_b, to_body @ ..] = self.append(body.len().saturating_add(2))? else {
            return None;
        };
        (*to_a, *to_b) = (a, b);
        copy(to_body, body);
        Some(to_body)
    }

    #[inline(never)]
    fn put_any(&mut self, head: &[u8], body: &[u8]) -> Option<&mut [u8]> {
        let to = self.append(head.len().saturating_add(body.len()))?;
        let (to_head, to_body) = to.split_at_mut_checked(head.len())?;
        to_head.copy_from_slice(head);
        to_body.copy_from_slice(body);
        Some(to_body)
    }

    /// Memory for so many more bytes, which are to be written.
    #[inline]
    fn append(&mut self, more: usize) -> Option<&mut [u8]> {
        if !self.has_memory(more) {
            self.grow(more);
        }
        let start = self.len;
        self.len = start.saturating_add(more);
        self.memory.get_mut(start..self.len)
    }

    #[inline]
    fn has_memory(&self, more: usize) -> bool {
        // `checked_sub` tells compilers what they check again otherwise when that memory is taken.
        self.memory.len().checked_sub(self.len).is_some_and(|free| free >= more)
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let len = self.len.saturating_add(more);
        self.memory.resize(len.max(self.memory.len().saturating_mul(2)), 0);
    }
}

impl Sink for Cork {
    fn room(&self) -> usize {
        usize::MAX
    }

    #[inline]
    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        if self.run_len() > 0 {
            self.end_run();
        }
        let done = match head {
            [a, b] if (16..=32).contains(&body.len()) && self.has_memory(64) => {
                self.put_small(*a, *b, body)
            }
            [a, b] => self.put_short(*a, *b, body),
            _ => self.put_any(head, body),
        };
        done.ok_or(Full)
    }
}

fn addresses(bytes: &[u8]) -> Range<usize> {
    let Range { start, end } = bytes.as_ptr_range();
    start.addr()..end.addr()
}

/// Copies without a call if it is little.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..16 => ends::<8>(to, from),
        16..32 => ends::<16>(to, from),
        32..64 => ends::<32>(to, from),
        64..=128 => ends::<64>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies what has `N` to `2 * N` bytes, by two blocks that may overlap.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::{Cork, KEPT, LARGE};
    use crate::arriving::{Arriving, Pool};
    use ws_proto::handshake::Agreed;
    use ws_proto::{Config, Connection, Input, Kind, Message, Scratch, Server, Sink};

    #[test]
    fn pieces_of_any_length_stand_one_behind_the_other() {
        let (mut cork, mut expected) = (Cork::default(), Vec::<u8>::new());
        for len in (0..300).chain([KEPT]) {
            let byte = |i: usize| i.wrapping_mul(7).to_le_bytes()[0] ^ len.to_le_bytes()[0];
            let body = (0..len).map(byte).collect::<Vec<_>>();
            for head in [&b"ab"[..], b"", b"abcd"] {
                assert_eq!(cork.put(head, &body).unwrap(), body);
                expected.extend(head);
                expected.extend(&body);
            }
            assert_eq!(cork.len(), expected.len());
        }
        assert_eq!(cork.in_one_piece(&[]).unwrap(), expected);
        cork.clear();
        assert_eq!(cork.len(), 0);
        assert_eq!(cork.memory.capacity(), 0, "so much is not kept");
    }

    #[test]
    fn what_is_lent_is_sent_from_where_it_is() {
        let (mut cork, pool) = (Cork::default(), Pool::default());
        let read = (0..4 * LARGE).map(|i| i.to_le_bytes()[0]).collect::<Vec<_>>();
        for round in 0..2 {
            let mut expected = Vec::new();
            cork.lend_read(&read);
            for range in [5..LARGE + 5, 1..LARGE, LARGE..3 * LARGE, 0..0, 0..read.len()] {
                cork.put(b"a header", &[]).unwrap();
                expected.extend(b"a header");
                cork.put_payload(&read[range.clone()]);
                expected.extend(&read[range]);
            }
            assert_eq!(cork.references.len(), 3, "what is small is copied");
            for number in [1, 2] {
                let mut message = Arriving::new(Kind::Binary, &pool);
                message.push(&[number; 2 * LARGE]);
                cork.lend_message(&message);
                cork.put_payload(&message.bytes()[round..]);
                expected.extend(&message.bytes()[round..]);
                cork.take_message(message);
            }
            assert_eq!(cork.references.len(), 4, "one message is referred to");
            cork.put_payload(&vec![7; LARGE]);
            expected.extend(vec![7; LARGE]);
            assert_eq!(cork.len(), expected.len());
            assert_eq!(cork.pieces(&read).collect::<Vec<_>>().concat(), expected);
            assert!(cork.in_one_piece(&read).is_none());
            cork.clear();
            assert_eq!((cork.len(), cork.pieces(&read).count()), (0, 0));
        }
    }

    /// Masked frames, as they come, with the numbers from 0 on.
    fn numbers(count: u8) -> Vec<u8> {
        (0..count).flat_map(|number| [0x82, 0x81, 0, 0, 0, 0, number]).collect()
    }

    #[test]
    fn messages_that_go_back_are_sent_from_where_they_are_and_in_order() {
        // Which of them go back once or twice, and which have something in front.
        for (back, again, other) in
            [(1, 0, 0), (1, 2, 0), (2, 0, 3), (1, 3, 2), (3, 3, 7), (0, 0, 1)]
        {
            let is = |number: u8, every| number.checked_rem(every) == Some(0);
            let mut read = numbers(200);
            let mut expected = Vec::new();
            let (mut cork, mut scratch) = (Cork::default(), Scratch::new());
            let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
            cork.lend_read(&read);
            assert!(cork.is_read(&read[3..]) && !cork.is_read(&[0]));
            let mut input = Input::new(&mut read, &mut scratch);
            let mut number = 0;
            while let Some(framed) = conn.next_framed(&mut input) {
                if is(number, other) {
                    cork.put(b"ab", &[number]).unwrap();
                    expected.extend([b'a', b'b', number]);
                }
                for _ in 0..u8::from(is(number, back)) + u8::from(is(number, again)) {
                    if !cork.put_back(framed.message, &framed) {
                        cork.put(&framed.frame[..2], &framed.frame[2..]).unwrap();
                    }
                    expected.extend([0x82, 1, number]);
                }
                // The same bytes as another message are not that frame.
                assert!(!cork.put_back(Message::Text("x"), &framed));
                number += 1;
            }
            assert_eq!(number, 200);
            assert_eq!(cork.len(), expected.len());
            assert_eq!(cork.pieces(&read).collect::<Vec<_>>().concat(), expected);
            assert!(cork.pieces(&read).count() <= crate::outbox::BATCH);
            assert_eq!(cork.in_one_piece(&read).is_some(), (again, other) == (0, 0) || back == 0);
            cork.clear();
            assert_eq!((cork.len(), cork.in_one_piece(&read)), (0, Some(&[][..])));
        }
    }

    #[test]
    fn many_references_are_no_more_pieces_than_one_write_takes() {
        let mut cork = Cork::default();
        let read = vec![1; LARGE];
        cork.lend_read(&read);
        for _ in 0..1000 {
            cork.put(b"ab", &[]).unwrap();
            cork.put_payload(&read);
        }
        assert!(cork.pieces(&read).count() <= crate::outbox::BATCH);
        assert_eq!(cork.pieces(&read).map(<[u8]>::len).sum::<usize>(), 1000 * (LARGE + 2));
    }
}
