//! The one buffer for control frames: what is owed to the newest ping, and what has come in part.

const SIZE: usize = 125;

/// What has come of an incoming control frame, at the front, and at the back the payload of the
/// newest ping, while its pong is owed. Neither moves when the other goes.
#[derive(Debug)]
pub(super) struct Controls {
    bytes: [u8; SIZE],
    pong: Option<u8>,
    incoming: u8,
}

impl Controls {
    pub(super) const NOTHING: Self = Self { bytes: [0; SIZE], pong: None, incoming: 0 };

    pub(super) const fn is_empty(&self) -> bool {
        self.pong.is_none() && self.incoming == 0
    }

    /// What the owed pong carries.
    pub(super) fn pong(&self) -> Option<&[u8]> {
        self.bytes.get(SIZE.saturating_sub(usize::from(self.pong?))..)
    }

    /// Owes a pong that carries `payload`, at most 125 bytes, in place of any older one. Nothing of
    /// an incoming frame is kept then.
    pub(super) fn owe_pong(&mut self, payload: &[u8]) {
        let start = SIZE.saturating_sub(payload.len());
        self.pong = Some(fill(self.bytes.get_mut(start..).unwrap_or_default(), payload));
    }

    pub(super) const fn pong_sent(&mut self) {
        self.pong = None;
    }

    /// What has come of an incoming frame.
    pub(super) fn incoming(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.incoming)).unwrap_or_default()
    }

    pub(super) const fn has_incoming(&self) -> bool {
        self.incoming != 0
    }

    /// Keeps `payload` of a frame of which, with it, `to_come` bytes have yet to come. An owed pong
    /// gives way if both can't be held: RFC 6455 §5.5.3 asks for the newest only, and a caller that
    /// sends it before the next read never loses it.
    pub(super) fn keep(&mut self, payload: &[u8], to_come: usize) {
        if payload.is_empty() {
            return;
        }
        let kept = usize::from(self.incoming);
        let pong = usize::from(self.pong.unwrap_or(0));
        if kept.saturating_add(to_come).saturating_add(pong) > SIZE {
            self.pong = None;
        }
        let free = self.bytes.get_mut(kept..).unwrap_or_default();
        self.incoming = self.incoming.saturating_add(fill(free, payload));
    }

    pub(super) const fn taken(&mut self) {
        self.incoming = 0;
    }
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
