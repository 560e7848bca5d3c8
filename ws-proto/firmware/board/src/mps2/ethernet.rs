//! The Ethernet controller, an SMSC LAN9118: frames go in and out through its FIFOs, a word at a time.

use super::{Clock, peek, poke};

const BASE: usize = 0x4020_0000;
const RX_DATA: usize = 0x00;
const TX_DATA: usize = 0x20;
const RX_STATUS: usize = 0x40;
const IRQ_CFG: usize = 0x54;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5c;
const BYTE_TEST: usize = 0x64;
const FIFO_INT: usize = 0x68;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7c;
const TX_FIFO_INF: usize = 0x80;
const PMT_CTRL: usize = 0x84;
const MAC_CSR_CMD: usize = 0xa4;
const MAC_CSR_DATA: usize = 0xa8;

// Registers of the MAC, behind the two above, and of the PHY, behind two of those.
const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;
const MII_ACC: u32 = 6;
const MII_DATA: u32 = 7;
const PHY_CONTROL: u32 = 0;
const PHY_STATUS: u32 = 1;
const PHY_ADVERTISE: u32 = 4;

/// A frame has come: the FIFO of statuses is above its level, which is 0.
const FRAME_CAME: u32 = 1 << 3;
/// The controller's interrupt, and where it is enabled and withdrawn.
const INTERRUPT: u32 = 1 << 13;
const NVIC_ENABLE: usize = 0xe000_e100;
const NVIC_UNPEND: usize = 0xe000_e280;

/// Bytes of the longest frame, without its checksum.
pub const MAX_FRAME: usize = 1514;
/// Bytes of the checksum that comes behind a frame.
const CHECKSUM: usize = 4;

/// The controller.
#[derive(Debug)]
pub struct Ethernet(());

fn get(register: usize) -> u32 {
    peek(BASE + register)
}

fn set(register: usize, value: u32) {
    poke(BASE + register, value);
}

impl Ethernet {
    /// Switches the controller on and begins to negotiate the link; `None` if there is none.
    pub fn new() -> Option<Self> {
        super::mask_interrupts();
        // A read of this register wakes the controller; what it reads tells the order of bytes.
        if get(BYTE_TEST) != 0x8765_4321 && get(BYTE_TEST) != 0x8765_4321 {
            return None;
        }
        let mut ethernet = Self(());
        set(HW_CFG, 1);
        while get(HW_CFG) & 1 != 0 || get(PMT_CTRL) & 1 == 0 {}
        // Frames are sent once they are whole; 5 KiB of the memory are for them.
        set(HW_CFG, 1 << 20 | 5 << 16);
        // Full duplex only, so that what is negotiated need not be asked.
        ethernet.set_phy(PHY_ADVERTISE, 0x0141);
        ethernet.set_phy(PHY_CONTROL, 0x1200);
        // Transmitter on; nobody reads the statuses of what was sent.
        set(TX_CFG, 0b110);
        // Full duplex, transmitter, receiver.
        ethernet.set_mac(MAC_CR, 1 << 20 | 1 << 3 | 1 << 2);
        set(FIFO_INT, 0);
        set(INT_STS, u32::MAX);
        set(INT_EN, FRAME_CAME);
        // On, active high, push-pull.
        set(IRQ_CFG, 0x111);
        poke(NVIC_ENABLE, INTERRUPT);
        Some(ethernet)
    }

    /// The hardware address, which the controller has from its EEPROM.
    pub fn address(&mut self) -> [u8; 6] {
        let [a, b, c, d] = self.mac(MAC_ADDRL).to_le_bytes();
        let [e, f, ..] = self.mac(MAC_ADDRH).to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// Whether a cable is there and its speed negotiated.
    pub fn has_link(&mut self) -> bool {
        self.phy(PHY_STATUS) & 0x24 == 0x24
    }

    /// The next frame that has come, if one has: how long it is in `buffer`.
    pub fn receive(&mut self, buffer: &mut [u8; MAX_FRAME]) -> Option<usize> {
        while self.has_frame() {
            let status = get(RX_STATUS);
            let len = (status >> 16 & 0x3fff) as usize;
            let mut words = buffer.chunks_mut(4);
            for _ in 0..len.div_ceil(4) {
                let word = get(RX_DATA).to_le_bytes();
                if let Some(to) = words.next() {
                    to.copy_from_slice(&word[..to.len()]);
                }
            }
            let is_bad = status & 1 << 15 != 0;
            match len.checked_sub(CHECKSUM) {
                Some(len @ ..=MAX_FRAME) if !is_bad => return Some(len),
                _ => {}
            }
        }
        None
    }

    fn has_frame(&self) -> bool {
        get(RX_FIFO_INF) >> 16 & 0xff != 0
    }

    /// Whether the longest frame can be sent.
    pub fn can_transmit(&self) -> bool {
        get(TX_FIFO_INF) & 0xffff >= MAX_FRAME as u32 + 16
    }

    /// Sends a frame, of at most [`MAX_FRAME`] bytes.
    pub fn transmit(&mut self, frame: &[u8]) {
        let len = frame.len().min(MAX_FRAME);
        // The first and the last piece of a frame, and its length.
        set(TX_DATA, 1 << 13 | 1 << 12 | len as u32);
        set(TX_DATA, len as u32);
        for bytes in frame[..len].chunks(4) {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            set(TX_DATA, u32::from_le_bytes(word));
        }
    }

    /// Sleeps until a frame comes, so many milliseconds at most. It may end earlier.
    pub fn sleep(&mut self, clock: &Clock, ms: u32) {
        // In this order: a frame that comes behind the question makes the interrupt pending anew.
        set(INT_STS, FRAME_CAME);
        poke(NVIC_UNPEND, INTERRUPT);
        if !self.has_frame() {
            clock.sleep(ms);
        }
    }

    fn mac(&mut self, register: u32) -> u32 {
        // Busy until done; to read.
        set(MAC_CSR_CMD, 1 << 31 | 1 << 30 | register);
        while get(MAC_CSR_CMD) >> 31 != 0 {}
        get(MAC_CSR_DATA)
    }

    fn set_mac(&mut self, register: u32, value: u32) {
        set(MAC_CSR_DATA, value);
        set(MAC_CSR_CMD, 1 << 31 | register);
        while get(MAC_CSR_CMD) >> 31 != 0 {}
    }

    fn phy(&mut self, register: u32) -> u32 {
        self.set_mac(MII_ACC, 1 << 11 | register << 6 | 1);
        while self.mac(MII_ACC) & 1 != 0 {}
        self.mac(MII_DATA)
    }

    fn set_phy(&mut self, register: u32, value: u32) {
        self.set_mac(MII_DATA, value);
        self.set_mac(MII_ACC, 1 << 11 | register << 6 | 0b11);
        while self.mac(MII_ACC) & 1 != 0 {}
    }
}
