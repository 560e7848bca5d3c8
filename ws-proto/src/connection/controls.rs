//! The one buffer for control frames: what is owed to the newest ping, and what has come in part.

const SIZE: usize = 125;

/// `None` while there is neither: then nothing of it need be made when a connection is resumed.
#[derive(Debug)]
pub(super) struct Controls(Option<Held>);

/// What has come of an incoming control frame, at the front, and at the back the payload of the
/// newest ping, while its pong is owed. Neither moves when the other goes.
#[derive(Debug)]
struct Held {
    bytes: [u8; SIZE],
    pong: Option<u8>,
    incoming: u8,
}

impl Controls {
    // No constant, which would be copied with all that its bytes are not.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What the owed pong carries.
    pub(super) fn pong(&self) -> Option<&[u8]> {
        let held = self.0.as_ref()?;
        held.bytes.get(SIZE.saturating_sub(usize::from(held.pong?))..)
    }

    /// Owes a pong that carries `payload`, at most 125 bytes, in place of any older one. Nothing of
    /// an incoming frame is kept then.
    pub(super) fn owe_pong(&mut self, payload: &[u8]) {
        let held = self.0.get_or_insert(Held::NOTHING);
        let start = SIZE.saturating_sub(payload.len());
        held.pong = Some(fill(held.bytes.get_mut(start..).unwrap_or_default(), payload));
    }

    pub(super) fn pong_sent(&mut self) {
        if let Some(held) = &mut self.0 {
            held.pong = None;
        }
        self.forget();
    }

    /// What has come of an incoming frame.
    pub(super) fn incoming(&self) -> &[u8] {
        let held = self.0.as_ref();
        held.and_then(|held| held.bytes.get(..usize::from(held.incoming))).unwrap_or_default()
    }

    pub(super) fn has_incoming(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.incoming != 0)
    }

    /// Keeps `payload` of a frame of which, with it, `to_come` bytes have yet to come. An owed pong
    /// gives way if both can't be held: RFC 6455 §5.5.3 asks for the newest only, and a caller that
    /// sends it before the next read never loses it.
    pub(super) fn keep(&mut self, payload: &[u8], to_come: usize) {
        if payload.is_empty() {
            return;
        }
        let held = self.0.get_or_insert(Held::NOTHING);
        let kept = usize::from(held.incoming);
        let pong = usize::from(held.pong.unwrap_or(0));
        if kept.saturating_add(to_come).saturating_add(pong) > SIZE {
            held.pong = None;
        }
        let free = held.bytes.get_mut(kept..).unwrap_or_default();
        held.incoming = held.incoming.saturating_add(fill(free, payload));
    }

    pub(super) fn taken(&mut self) {
        if let Some(held) = &mut self.0 {
            held.incoming = 0;
        }
        self.forget();
    }

    /// Nothing is held if nothing is left of it.
    fn forget(&mut self) {
        if self.0.as_ref().is_some_and(|held| held.pong.is_none() && held.incoming == 0) {
            self.0 = None;
        }
    }
}

impl Held {
    const NOTHING: Self = Self { bytes: [0; SIZE], pong: None, incoming: 0 };
}

/// Copies as much of `from` as fits, and tells how much that was: at most 125 bytes.
fn fill(to: &mut [u8], from: &[u8]) -> u8 {
    let mut len = 0u8;
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
        len = len.saturating_add(1);
    }
    len
}
