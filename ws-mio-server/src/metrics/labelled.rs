//! Counters by what happened: how requests were refused, and how connections ended.

use std::array;

use super::Counter;
use crate::peer::EndedBy;
use crate::tls::Version;

/// What requests are refused with: statuses, and the code of a connection that was accepted to tell.
const STATUSES: [u16; 18] =
    [400, 401, 403, 404, 405, 408, 413, 414, 417, 426, 429, 431, 500, 501, 503, 505, 4401, OTHER];

/// How connections end: a code, or a thousand codes that applications choose.
const CODES: [u16; 17] = [
    1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000,
    OTHER,
];

const OTHER: u16 = 0;

const INITIATORS: [EndedBy; 3] = [EndedBy::Peer, EndedBy::Server, EndedBy::Network];

/// Requests that were refused, by status.
#[derive(Debug, Default)]
pub(crate) struct Refusals([Counter; STATUSES.len()]);

impl Refusals {
    pub(crate) fn add(&self, status: u16) {
        let known = STATUSES.iter().position(|known| *known == status);
        if let Some(counter) = self.0.get(known.unwrap_or(STATUSES.len().saturating_sub(1))) {
            counter.add_one();
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, counter| sum.wrapping_add(counter.get()))
    }

    /// What they were refused with, and how many were.
    pub(super) fn each(&self) -> impl Iterator<Item = (String, u64)> {
        STATUSES.iter().zip(&self.0).map(|(status, counter)| (name(*status, 1), counter.get()))
    }
}

/// Answers of services, by the first digit of their status.
#[derive(Debug, Default)]
pub(crate) struct Answers([Counter; 4]);

impl Answers {
    pub(crate) fn add(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(2);
        if let Some(counter) = self.0.get(class) {
            counter.add_one();
        }
    }

    /// The statuses, and how many answers had them.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ["2xx", "3xx", "4xx", "5xx"].into_iter().zip(&self.0).map(|(class, c)| (class, c.get()))
    }
}

/// Connections that ended, by who ended them and with which code.
#[derive(Debug)]
pub(crate) struct Closes([[Counter; CODES.len()]; INITIATORS.len()]);

impl Default for Closes {
    fn default() -> Self {
        Self(array::from_fn(|_| array::from_fn(|_| Counter::default())))
    }
}

impl Closes {
    pub(crate) fn add(&self, by: EndedBy, code: u16) {
        let class = match code {
            3000..4000 => 3000,
            4000..5000 => 4000,
            code => code,
        };
        let known = CODES.iter().position(|known| *known == class);
        let code = known.unwrap_or(CODES.len().saturating_sub(1));
        let of = INITIATORS.iter().zip(&self.0).find(|(initiator, _)| **initiator == by);
        if let Some(counter) = of.and_then(|(_, codes)| codes.get(code)) {
            counter.add_one();
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.each().fold(0, |sum, (_, _, count)| sum.wrapping_add(count))
    }

    /// Who ended them, by which code, and how many did so.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, String, u64)> {
        INITIATORS.iter().zip(&self.0).flat_map(|(by, codes)| {
            CODES.iter().zip(codes).map(|(code, counter)| {
                let class = if *code >= 3000 { 1000 } else { 1 };
                (by.name(), name(*code, class), counter.get())
            })
        })
    }
}

/// Connections that have agreed on keys, by version of TLS.
#[derive(Debug, Default)]
pub(crate) struct Handshakes([Counter; 2]);

impl Handshakes {
    pub(crate) fn add(&self, version: Version) {
        let [older, newer] = &self.0;
        match version {
            Version::Tls12 => older.add_one(),
            Version::Tls13 => newer.add_one(),
        }
    }

    pub(super) fn each(&self) -> [(&'static str, u64); 2] {
        let [older, newer] = &self.0;
        [("1.2", older.get()), ("1.3", newer.get())]
    }
}

/// A number, or what stands for `class` of them.
fn name(number: u16, class: u16) -> String {
    match number {
        OTHER => "other".to_owned(),
        3000.. if class == 1000 => format!("{}xxx", number / 1000),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Closes, Refusals};
    use crate::peer::EndedBy;

    #[test]
    fn what_happened_is_counted_by_its_name() {
        let refusals = Refusals::default();
        for status in [404, 404, 4401, 418] {
            refusals.add(status);
        }
        let counted: Vec<_> = refusals.each().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("404", 2), ("4401", 1), ("other", 1)].map(|(s, n)| (s.into(), n)));
        assert_eq!(refusals.total(), 4);

        let closes = Closes::default();
        for code in [1000, 1006, 3000, 3999, 4000, 4401, 1015, 999] {
            closes.add(EndedBy::Peer, code);
        }
        closes.add(EndedBy::Network, 1006);
        let counted: Vec<_> = closes.each().filter(|(_, _, count)| *count > 0).collect();
        let due = [("1000", 1), ("1006", 1), ("3xxx", 2), ("4xxx", 2), ("other", 2)];
        let due = due.map(|(code, count)| ("peer", code.to_owned(), count));
        assert_eq!(counted[..5], due);
        assert_eq!(counted[5..], [("network", "1006".to_owned(), 1)]);
        assert_eq!(closes.total(), 9);
    }
}
