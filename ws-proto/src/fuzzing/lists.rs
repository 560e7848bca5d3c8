//! Lists in header fields: tokens, and extensions with parameters; and what permessage-deflate comes to.

use alloc::vec::Vec;

use crate::deflate::negotiate::{self, Params};
use crate::deflate::{Agreement, Context, Settings, WindowBits};
use crate::handshake::{Choice, Field, Pending, Upgrade, extensions};

/// What an end would like: its own window and takeover, and the other's, as bits.
pub type Wishes = (u8, u8);

/// `values`: the lines of a list.
pub fn lists(server: Wishes, client: Wishes, values: &[&[u8]]) {
    // Bits of the wishes that mean nothing else choose what is checked.
    let check = (server.0 ^ server.1 ^ client.0 ^ client.1) >> 4 & 3;
    let (server, client) = (settings(server), settings(client));
    let values: Vec<&[u8]> = values.iter().map(|value| value.trim_ascii()).collect();
    match check {
        0 => tokens(&values),
        1 => answer_is_true_to_an_offer(&server, &values),
        2 => an_answer_is_held_against_the_offer(&client, &values),
        // There are few wishes, but many lines.
        _ => offers_are_agreed_on(&server, &client),
    }
}

fn settings((sent, received): Wishes) -> Settings {
    let context = |bits: u8| Context {
        window: WindowBits::new(9 + (bits & 7) % 7).expect("9 to 15"),
        takeover: bits & 8 != 0,
    };
    Settings { sent: context(sent), received: context(received), ..Settings::default() }
}

/// Elements of a list of tokens are those of all lines joined (RFC 9110 §5.3, §5.6.1).
fn tokens(values: &[&[u8]]) {
    let protocol = |value| Field { name: "Sec-WebSocket-Protocol", value };
    let lines: Vec<_> = values.iter().map(|value| protocol(value)).collect();
    let joined = values.join(&b","[..]);
    let expected: Vec<&[u8]> = joined
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
        .collect();
    let token = |b: &u8| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(b);
    let legal = |value: &&[u8]| value.iter().all(|b| *b == b'\t' || *b >= b' ' && *b != 0x7f);
    let good = values.iter().all(legal) && expected.iter().all(|element| element.iter().all(token));
    for lines in [lines, [protocol(&joined)].into()] {
        let fields: Vec<Field<'_>> = upgrade().into_iter().chain(lines).collect();
        match Upgrade::parse("GET", &fields) {
            Ok(upgrade) => {
                assert!(good, "it is no list of tokens");
                assert!(upgrade.subprotocols().map(str::as_bytes).eq(expected.iter().copied()));
            }
            Err(reject) => assert!(!good, "{reject}"),
        }
    }
}

fn upgrade() -> [Field<'static>; 5] {
    [
        Field::new("Host", "a"),
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "upgrade"),
        Field::new("Sec-WebSocket-Version", "13"),
        Field::new("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
}

fn extension_lines<'v>(values: &[&'v [u8]]) -> Vec<Field<'v>> {
    values.iter().map(|value| Field { name: "Sec-WebSocket-Extensions", value }).collect()
}

/// What a server answers is legal for the first offer that it can keep to (RFC 7692 §5.1, §7.1).
fn answer_is_true_to_an_offer(settings: &Settings, values: &[&[u8]]) {
    let fields = extension_lines(values);
    let Some((params, agreement)) = negotiate::accept(&fields, settings) else { return };
    let value = negotiate::value(params);
    let said = Said::read(value.as_bytes()).expect("an answer is well-formed");
    let keeps = |offer: &Said| {
        (said.server_no_takeover || !offer.server_no_takeover)
            && offer.server_bits.is_none_or(|asked| said.server_bits.is_some_and(|b| b <= asked))
            && said.client_bits.is_none_or(|_| offer.client_bits.is_some())
            && match (said.client_bits.flatten(), offer.client_bits.flatten()) {
                (Some(bits), Some(most)) => bits <= most,
                _ => true,
            }
    };
    let offers = values.iter().flat_map(|value| split(value, b','));
    assert!(offers.filter_map(Said::read).any(|offer| keeps(&offer)), "nobody offered {value}");
    // What the server will do is what it says.
    let Agreement { sent, received } = agreement;
    assert!(!sent.takeover || !said.server_no_takeover);
    assert!(sent.window.get() <= said.server_bits.unwrap_or(15).max(9));
    assert!(sent.window <= settings.sent.window && (settings.sent.takeover || !sent.takeover));
    assert!(received.window.get() >= said.client_bits.flatten().unwrap_or(15));
    assert!(received.takeover != said.client_no_takeover);
    // It is the same when it is split over lines.
    let one_line = values.join(&b","[..]);
    let is_balanced = |value: &&[u8]| value.iter().filter(|b| **b == b'"').count() % 2 == 0;
    let is_plain = |value: &&[u8]| !value.contains(&b'\\') && is_balanced(value);
    if values.iter().all(is_plain) {
        let joined = negotiate::accept(&extension_lines(&[&one_line]), settings);
        assert_eq!(joined, Some((params, agreement)), "lines count");
    }
}

/// A client takes an answer only if it offered as much (RFC 7692 §5.1, §7.1).
fn an_answer_is_held_against_the_offer(settings: &Settings, values: &[&[u8]]) {
    let fields = extension_lines(values);
    let Ok(Some(agreement)) = negotiate::finish(&fields, Some(settings)) else { return };
    assert_eq!(extensions(&fields).count(), 1, "more than one was accepted");
    let mut elements = values.iter().flat_map(|value| split(value, b','));
    let said = elements.find_map(Said::read).expect("it was understood");
    let Agreement { sent, received } = agreement;
    assert!(settings.received.takeover || said.server_no_takeover);
    assert!(received.window <= settings.received.window);
    assert!(received.window.get() >= said.server_bits.unwrap_or(15));
    assert_eq!(received.takeover, !said.server_no_takeover);
    assert!(sent.window <= settings.sent.window);
    assert!(sent.window.get() <= said.client_bits.flatten().unwrap_or(15));
    assert_eq!(sent.takeover, settings.sent.takeover && !said.client_no_takeover);
}

/// What a client offers, a server can keep to, and both think the same of it.
fn offers_are_agreed_on(server: &Settings, client: &Settings) {
    let mut wire = Vec::new();
    let offer = negotiate::value(Params::offer(client));
    let fields = extension_lines(&[offer.as_bytes()]);
    let all: Vec<Field<'_>> = upgrade().into_iter().chain(fields).collect();
    let upgrade = Upgrade::parse("GET", &all).expect("it is good");
    let at_server =
        upgrade.accept_deflate(Choice::default(), server, &mut wire).expect("nothing was chosen");
    let at_server = at_server.deflate().expect("what we offer we can keep to");
    let ask = crate::handshake::Ask::default();
    let pending = Pending::request_deflate(ask, *client, *b"the sample nonce", &mut Vec::new());
    let accepted = pending.expect("it is good").finish_head(&wire).expect("the answer is good");
    let at_client = accepted.agreed.deflate().expect("it was agreed on");
    // The end that inflates may be ready for more than the other uses.
    for (from, to) in [(at_client.sent, at_server.received), (at_server.sent, at_client.received)] {
        assert!(from.window <= to.window, "{from:?} {to:?}");
        assert!(to.takeover || !from.takeover, "{from:?} {to:?}");
    }
}

/// The parameters of permessage-deflate, read slowly.
#[derive(Debug, Default)]
struct Said {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<u8>,
    client_bits: Option<Option<u8>>,
}

impl Said {
    fn read(element: &[u8]) -> Option<Self> {
        let mut params = split(element, b';').into_iter();
        if params.next()? != b"permessage-deflate" {
            return None;
        }
        let mut said = Self::default();
        for param in params {
            let text = core::str::from_utf8(param).ok()?;
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name.trim_ascii(), Some(value.trim_ascii())),
                None => (text, None),
            };
            let value = match value {
                Some(value) => {
                    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                    let digits = inner.unwrap_or(value);
                    let plain = digits.bytes().all(|b| b.is_ascii_digit());
                    let bits: u8 = digits.parse().ok().filter(|_| plain)?;
                    let canonical = !digits.starts_with('0') && (8..=15).contains(&bits);
                    Some(Some(bits).filter(|_| canonical)?)
                }
                None => None,
            };
            let is_new = match (name, value) {
                ("server_no_context_takeover", None) => {
                    !core::mem::replace(&mut said.server_no_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    !core::mem::replace(&mut said.client_no_takeover, true)
                }
                ("server_max_window_bits", Some(bits)) => said.server_bits.replace(bits).is_none(),
                ("client_max_window_bits", bits) => said.client_bits.replace(bits).is_none(),
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(said)
    }
}

/// Splits at a byte outside of quotes, in which a backslash takes the meaning of what follows.
fn split(bytes: &[u8], at: u8) -> Vec<&[u8]> {
    let (mut parts, mut start, mut i, mut quoted) = (Vec::new(), 0, 0, false);
    while i < bytes.len() {
        match bytes[i] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => i += 1,
            b if b == at && !quoted => {
                parts.push(bytes[start..i].trim_ascii());
                start = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    parts.push(bytes[start..].trim_ascii());
    parts
}
