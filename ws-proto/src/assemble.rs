//! Whole messages from parts.

use crate::{Event, Full, Message, Part, Store, utf8};

/// Puts the parts of messages together in a store of the caller's: a slice ([`Slice`](crate::Slice)), a
/// `heapless::Vec<u8, N>`, or with the feature `alloc` a `Vec<u8>`.
///
/// A message that came in one part bypasses the store.
///
/// ```
/// use ws_proto::{Assembler, Event, Message, Part, Slice};
/// let mut buffer = [0; 16];
/// let mut messages = Assembler::new(Slice::new(&mut buffer));
/// let part = |data, first, last| Event::Text(Part { data, first, last });
/// assert_eq!(messages.push(part("Hel", true, false)), Ok(None));
/// assert_eq!(messages.push(part("lo", false, true)), Ok(Some(Message::Text("Hello"))));
/// ```
#[derive(Debug, Default)]
pub struct Assembler<S> {
    store: S,
    overflown: bool,
}

impl<S> Assembler<S> {
    /// An assembler over a store, which must be empty.
    #[must_use]
    pub const fn new(store: S) -> Self {
        Self { store, overflown: false }
    }

    /// The store, with what it holds, for another use.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store
    }
}

impl<S: Store> Assembler<S> {
    /// The message that `event` completes, if it does; other events than parts of messages don't.
    ///
    /// # Errors
    /// [`Full`] when the message does not fit into the store, then for each further part of it.
    /// Answer with [`CloseCode::MESSAGE_TOO_BIG`](crate::CloseCode::MESSAGE_TOO_BIG), or skip the
    /// message.
    pub fn push<'a>(&'a mut self, event: Event<'a>) -> Result<Option<Message<'a>>, Full> {
        match event {
            Event::Text(Part { data, first: true, last: true }) => Ok(Some(Message::Text(data))),
            Event::Binary(Part { data, first: true, last: true }) => {
                Ok(Some(Message::Binary(data)))
            }
            Event::Text(part) => {
                self.append(part.data.as_bytes(), part.first)?;
                if !part.last {
                    return Ok(None);
                }
                // Parts of text are text, so this fails only if the store isn't true to its bytes.
                let text = utf8::validate(self.store.stored()).map_err(|_| Full)?;
                Ok(Some(Message::Text(text)))
            }
            Event::Binary(part) => {
                self.append(part.data, part.first)?;
                Ok(part.last.then(|| Message::Binary(self.store.stored())))
            }
            Event::Ping(_) | Event::Pong(_) | Event::Close(..) => Ok(None),
        }
    }

    /// Bytes in the store: those of a message that is not complete, or of the last one that was.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.store.stored().len()
    }

    fn append(&mut self, data: &[u8], first: bool) -> Result<(), Full> {
        if first {
            self.store.clear();
            self.overflown = false;
        }
        if self.overflown {
            return Err(Full);
        }
        self.store.put(&[], data).map(drop).inspect_err(|_| self.overflown = true)
    }
}
