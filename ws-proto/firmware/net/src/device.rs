//! The board's Ethernet as a device of smoltcp's.

use board::{Clock, Ethernet, MAX_FRAME};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// The controller, and a frame each way.
pub(crate) struct Device {
    ethernet: Ethernet,
    received: [u8; MAX_FRAME],
    sent: [u8; MAX_FRAME],
}

impl Device {
    pub(crate) const fn new(ethernet: Ethernet) -> Self {
        Self { ethernet, received: [0; MAX_FRAME], sent: [0; MAX_FRAME] }
    }

    /// Sleeps until a frame comes, so many milliseconds at most.
    pub(crate) fn sleep(&mut self, clock: &Clock, ms: u32) {
        self.ethernet.sleep(clock, ms);
    }
}

impl phy::Device for Device {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sent<'_>)> {
        let Self { ethernet, received, sent } = self;
        // What comes may be answered at once.
        if !ethernet.can_transmit() {
            return None;
        }
        let len = ethernet.receive(received)?;
        Some((Received(&received[..len]), Sent { ethernet, frame: sent }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        let Self { ethernet, sent, .. } = self;
        ethernet.can_transmit().then_some(Sent { ethernet, frame: sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MAX_FRAME;
        capabilities
    }
}

/// A frame that has come.
pub(crate) struct Received<'a>(&'a [u8]);

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, handle: F) -> R {
        handle(self.0)
    }
}

/// A frame that may be sent.
pub(crate) struct Sent<'a> {
    ethernet: &'a mut Ethernet,
    frame: &'a mut [u8; MAX_FRAME],
}

impl phy::TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let frame = &mut self.frame[..len];
        let result = fill(frame);
        self.ethernet.transmit(frame);
        result
    }
}
