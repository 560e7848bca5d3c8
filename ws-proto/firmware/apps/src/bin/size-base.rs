//! What the other images are weighed against: it drives the serial port and nothing else.
#![no_std]
#![no_main]

use board::Uart;
use embedded_io::{Read as _, Write as _};

board::entry!(main);

fn main() -> bool {
    let mut uart = Uart::new();
    let mut buffer = [0; 64];
    while let Ok(n @ 1..) = uart.read(&mut buffer) {
        if buffer[0] == 0 || uart.write(&buffer[..n]).is_err() {
            break;
        }
    }
    false
}
