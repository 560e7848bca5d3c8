//! Peers beside members: who echoes, and who means no good.

use std::collections::VecDeque;

use ws_proto::Kind;

use super::ledger::Ledger;
use super::wire::{Heard, Wire};
use crate::dice::Dice;
use crate::plan::Hostility;

/// Somebody whose messages come back, as they were and in order.
pub(super) struct Echo {
    wire: Wire,
    dice: Dice,
    every: u64,
    size: u64,
    sent: VecDeque<(Kind, Vec<u8>)>,
    next_word: u64,
    is_open: bool,
}

impl Echo {
    pub(super) fn new(every: u64, size: u64, seed: u64) -> (Self, Vec<u8>) {
        let mut wire = Wire::new("/echo", seed);
        let out = std::mem::take(&mut wire.out);
        let (dice, sent) = (Dice::new(seed), VecDeque::new());
        (Self { wire, dice, every, size, sent, next_word: 0, is_open: false }, out)
    }

    pub(super) fn tick(&mut self, now: u64, is_done: bool) -> Vec<u8> {
        if self.is_open && !is_done && now >= self.next_word && self.sent.len() < 20 {
            self.next_word = now + self.every / 2 + self.dice.below(self.every);
            let size = self.dice.skewed(self.size);
            let is_text = self.dice.percent(50);
            let byte = |dice: &mut Dice| {
                if is_text { b'a' + dice.below(26) as u8 } else { dice.next() as u8 }
            };
            let payload: Vec<u8> = (0..size).map(|_| byte(&mut self.dice)).collect();
            let kind = if is_text { Kind::Text } else { Kind::Binary };
            let fragments = 1 + self.dice.index(5);
            self.wire.send(kind, &payload, fragments);
            self.sent.push_back((kind, payload));
            if self.dice.percent(10) {
                self.wire.ping();
            }
        }
        std::mem::take(&mut self.wire.out)
    }

    /// What it sends, and whether it is over.
    pub(super) fn take(&mut self, bytes: &[u8], ledger: &mut Ledger) -> (Vec<u8>, bool) {
        let (mut heard, mut is_over) = (Vec::new(), false);
        self.wire.feed(bytes, &mut heard);
        for heard in heard {
            let came = match heard {
                Heard::Open => {
                    self.is_open = true;
                    continue;
                }
                Heard::Text(text) => (Kind::Text, text.into_bytes()),
                Heard::Binary(bytes) => (Kind::Binary, bytes),
                Heard::Status(_) | Heard::Close(1001 | 1012, _) => {
                    is_over = true;
                    continue;
                }
                other => {
                    ledger.find(|| format!("an echo is {other:?}"));
                    continue;
                }
            };
            if self.sent.pop_front().as_ref() != Some(&came) {
                let (kind, bytes) = came;
                ledger.find(|| format!("not what was said: {kind:?} of {} bytes", bytes.len()));
            }
        }
        (std::mem::take(&mut self.wire.out), is_over)
    }
}

/// Somebody who means no good. Nothing is asked of what it gets.
pub(super) struct Hostile {
    pub(super) how: Hostility,
    wire: Wire,
    dice: Dice,
    turns: u32,
}

/// What a hostile peer does now.
pub(super) enum Deed {
    Send(Vec<u8>),
    Finish,
    Reset,
}

impl Hostile {
    pub(super) fn new(how: Hostility, number: usize, room: usize, seed: u64) -> (Self, Vec<u8>) {
        let target = match how {
            Hostility::Crumbs | Hostility::PingFlood => "/echo".to_owned(),
            _ => format!("/chat/room-{room}?username=hostile-{number}"),
        };
        let mut wire = Wire::new(&target, seed);
        let mut out = std::mem::take(&mut wire.out);
        let mut dice = Dice::new(seed);
        match how {
            Hostility::Garbage if dice.percent(50) => {
                out = (0..2000).map(|_| dice.next() as u8).collect()
            }
            Hostility::HalfRequest => out.truncate(dice.index(out.len())),
            Hostility::Silent => out.clear(),
            _ => {}
        }
        (Self { how, wire, dice, turns: 0 }, out)
    }

    pub(super) fn reads(&self) -> bool {
        !matches!(self.how, Hostility::NeverReads | Hostility::PingFlood)
    }

    /// It is time to do something.
    pub(super) fn tick(&mut self) -> Deed {
        self.turns += 1;
        if !self.wire.is_open() {
            // It can't know that it is open if it does not read.
            if self.reads() || self.turns < 3 {
                return Deed::Send(Vec::new());
            }
        }
        match self.how {
            Hostility::NeverReads
            | Hostility::Mute
            | Hostility::HalfRequest
            | Hostility::Silent => {}
            Hostility::Garbage => {
                return Deed::Send((0..300).map(|_| self.dice.next() as u8).collect());
            }
            Hostility::PingFlood => {
                // Masked with zeros.
                let ping: Vec<u8> =
                    [0x89, 0x80 | 100, 0, 0, 0, 0].into_iter().chain([b'x'; 100]).collect();
                return Deed::Send(ping.repeat(50));
            }
            Hostility::Crumbs => {
                let size = self.dice.index(200);
                self.wire.send(Kind::Text, &vec![b'c'; size], size);
            }
            Hostility::Resets if self.turns > 4 => return Deed::Reset,
            Hostility::HalfClose if self.turns > 4 => return Deed::Finish,
            Hostility::TalksOn if self.turns == 5 => self.wire.close(),
            Hostility::TalksOn if self.turns > 5 => {
                return Deed::Send([0x81, 0x82, 0, 0, 0, 0, b'{', b'}'].repeat(20));
            }
            Hostility::Resets | Hostility::HalfClose | Hostility::TalksOn => {}
        }
        Deed::Send(std::mem::take(&mut self.wire.out))
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.wire.feed(bytes, &mut Vec::new());
        match self.how {
            // Whoever answers pings is none of these.
            Hostility::Mute => {
                self.wire.out.clear();
                Vec::new()
            }
            _ => std::mem::take(&mut self.wire.out),
        }
    }
}
