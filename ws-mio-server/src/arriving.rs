//! A message that comes in parts, in memory of its own.

use std::cmp::min;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memmap2::MmapMut;
use simdutf8::basic::from_utf8;
use ws_proto::keepalive::Instant;
use ws_proto::{Kind, Message};

/// What has come of a message is in the heap up to this size, and then in pages of its own: holes that it would leave in
/// the heap would not go back to the system while anything lies behind them.
const SMALL: usize = 4 * 1024;
/// So much room there is for the next bytes, at least.
const ROOM: usize = 64 * 1024;
/// How much memory is mapped for a message. It is not there until something is written to it. Larger messages are in
/// the heap, which moves them without copying when they grow.
const MAP: usize = 1024 * 1024;
/// So many are there at most at a time, in the whole process: the system gives it some 65,000, which others need, too.
const MOST: usize = 16 * 1024;
/// So many of these are kept for the next messages,
const POOL: usize = 8;
/// until none has been used for so long.
const KEPT_FOR: Duration = Duration::from_millis(100);

/// A message of which part has come.
#[derive(Debug)]
pub(crate) struct Arriving {
    kind: Kind,
    /// What has come, and what may be written to behind it.
    memory: Memory,
    len: usize,
    shelf: Arc<Shelf>,
}

#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    Pages(Pages),
}

impl Arriving {
    /// A message of which nothing has come; memory comes from the pool if it is large.
    pub(crate) fn new(kind: Kind, pool: &Pool) -> Self {
        Self { kind, memory: Memory::Heap(Vec::new()), len: 0, shelf: pool.shelf.clone() }
    }

    /// Appends a part.
    pub(crate) fn push(&mut self, part: &[u8]) {
        let len = self.len.saturating_add(part.len());
        if len > SMALL {
            self.turn_pages(len);
        }
        match &mut self.memory {
            Memory::Heap(bytes) => {
                // What could be written to behind the message is not part of it.
                bytes.truncate(self.len);
                bytes.extend_from_slice(part);
            }
            Memory::Pages(pages) => {
                if let Some(to) = pages.get_mut(self.len..len) {
                    to.copy_from_slice(part);
                }
            }
        }
        self.len = len;
    }

    /// Memory for the next bytes of the message, at most `most`: never more than twice what has come is there.
    pub(crate) fn room(&mut self, most: usize) -> &mut [u8] {
        let free = self.memory.len().saturating_sub(self.len);
        if free < min(most, ROOM) {
            let more = min(most, self.len.max(ROOM));
            let len = self.len.saturating_add(more);
            self.turn_pages(len);
            if let Memory::Heap(bytes) = &mut self.memory {
                bytes.resize(len, 0);
            }
        }
        let free = self.memory.get_mut(self.len..).unwrap_or_default();
        let most = min(most, free.len());
        free.get_mut(..most).unwrap_or_default()
    }

    /// The first `n` bytes of that memory are the next of the message.
    pub(crate) fn arrived(&mut self, n: usize) {
        self.len = min(self.len.saturating_add(n), self.memory.len());
    }

    /// What has come.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    /// The message, when all of it has come.
    pub(crate) fn message(&self) -> Message<'_> {
        match self.kind {
            // The connection has checked that it is text.
            Kind::Text => Message::Text(from_utf8(self.bytes()).unwrap_or_default()),
            Kind::Binary => Message::Binary(self.bytes()),
        }
    }

    /// Has the message in pages if `len` bytes fit into them and there are any to be had, and in the heap otherwise.
    fn turn_pages(&mut self, len: usize) {
        let is_paged = matches!(self.memory, Memory::Pages(_));
        if is_paged == (len <= MAP) {
            return;
        }
        self.memory = if is_paged {
            Memory::Heap(self.bytes().to_vec())
        } else {
            let Some(mut pages) = Pages::new(&self.shelf) else { return };
            if let Some(to) = pages.get_mut(..self.len) {
                to.copy_from_slice(self.bytes());
            }
            Memory::Pages(pages)
        };
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages(pages) => pages,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages(pages) => pages,
        }
    }
}

/// Memory straight from the system, which goes back to the pool, and from there to the system: of large blocks of the
/// heap, holes would stay between smaller ones.
#[derive(Debug)]
struct Pages {
    map: Option<Map>,
    shelf: Arc<Shelf>,
}

impl Pages {
    /// `None`: there are too many, or the system has no more.
    fn new(shelf: &Arc<Shelf>) -> Option<Self> {
        let pooled = shelf.lock().pop();
        let map = pooled.or_else(Map::new)?;
        Some(Self { map: Some(map), shelf: shelf.clone() })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let Some(map) = self.map.take() else { return };
        let mut maps = self.shelf.lock();
        if maps.len() < POOL {
            maps.push(map);
        }
        self.shelf.is_used.store(true, Ordering::Relaxed);
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |map| &map.0)
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.map.as_mut().map_or(&mut [], |map| &mut map.0)
    }
}

/// One of at most [`MOST`] maps.
#[derive(Debug)]
struct Map(MmapMut);

static MAPS: AtomicUsize = AtomicUsize::new(0);

impl Map {
    fn new() -> Option<Self> {
        let one_more = |maps: usize| (maps < MOST).then(|| maps.saturating_add(1));
        MAPS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let map = MmapMut::map_anon(MAP);
        if map.is_err() {
            MAPS.fetch_sub(1, Ordering::Relaxed);
        }
        Some(Self(map.ok()?))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        MAPS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Memory for large messages: it is not to be got from the system for each.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    shelf: Arc<Shelf>,
    /// When what is there goes back to the system, if it is not used until then.
    until: Option<Instant>,
}

#[derive(Debug)]
struct Shelf {
    /// With room for all of them: what grew later would lie in the heap above what is freed by then, and keep it.
    // Hardly ever locked by two at a time: messages may wait anywhere to be sent, and find back from there.
    maps: Mutex<Vec<Map>>,
    /// Whether something was put here since [`Pool::expire`] was called last, which is in every turn and has no time
    /// to lock anything.
    is_used: AtomicBool,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { maps: Mutex::new(Vec::with_capacity(POOL)), is_used: AtomicBool::new(false) }
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Map>> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Gives back to the system what has not been used for a while.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.shelf.is_used.load(Ordering::Relaxed) {
            self.shelf.is_used.store(false, Ordering::Relaxed);
            self.until = Some(now.after(KEPT_FOR));
        } else if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            self.shelf.lock().clear();
        }
    }

    /// When [`expire`](Self::expire) is due next.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::{Arriving, KEPT_FOR, MAP, POOL, Pool, ROOM, SMALL};
    use ws_proto::Kind;
    use ws_proto::keepalive::Instant;

    fn bytes(from: usize, n: usize) -> Vec<u8> {
        (from..from.wrapping_add(n)).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    #[test]
    fn parts_of_any_size_come_together() {
        let pool = Pool::default();
        let sizes = [1, 7, 100, SMALL, SMALL + 1, ROOM, 3 * ROOM, MAP, MAP + 1];
        for first in sizes {
            for next in sizes {
                let mut message = Arriving::new(Kind::Binary, &pool);
                message.push(&bytes(0, first));
                message.push(&bytes(first, next));
                let mut len = first + next;
                for most in [1, ROOM, 4 * ROOM] {
                    let room = message.room(most);
                    assert!(room.len() >= most.min(ROOM) && room.len() <= most);
                    let n = room.len();
                    room.copy_from_slice(&bytes(len, n));
                    message.arrived(n);
                    len += n;
                    message.push(&bytes(len, 3));
                    len += 3;
                }
                assert!(message.bytes() == bytes(0, len), "{first}, then {next}");
            }
        }
    }

    #[test]
    fn memory_is_used_again_for_a_while_and_then_given_back() {
        let (mut pool, at) = (Pool::default(), Instant::from_millis);
        let kept = |pool: &Pool| pool.shelf.lock().len();
        let large = |n: usize, pool: &Pool| {
            let mut messages =
                (0..n).map(|_| Arriving::new(Kind::Binary, pool)).collect::<Vec<_>>();
            messages.iter_mut().for_each(|message| message.push(&[1; SMALL + 1]));
        };
        large(POOL + 3, &pool);
        assert_eq!(kept(&pool), POOL);
        large(1, &pool);
        assert_eq!(kept(&pool), POOL);
        assert_eq!(pool.deadline(), None);
        pool.expire(at(5));
        let until = at(5).after(KEPT_FOR);
        assert_eq!(pool.deadline(), Some(until));
        pool.expire(at(until.as_millis() - 1));
        assert_eq!(kept(&pool), POOL);
        large(1, &pool);
        pool.expire(until);
        assert_eq!(kept(&pool), POOL, "it was used meanwhile");
        pool.expire(until.after(KEPT_FOR));
        assert_eq!(kept(&pool), 0);
        assert_eq!(pool.deadline(), None);
    }
}
