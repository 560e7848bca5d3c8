//! What permessage-deflate is offered and accepted with (RFC 7692 §5, §7.1).

use core::fmt;

use super::{Agreement, Context, Settings, WindowBits};
use crate::handshake::{Extension, Field, extensions};

const NAME: &[u8] = b"permessage-deflate";
const SERVER_TAKEOVER: &[u8] = b"server_no_context_takeover";
const CLIENT_TAKEOVER: &[u8] = b"client_no_context_takeover";
const SERVER_WINDOW: &[u8] = b"server_max_window_bits";
const CLIENT_WINDOW: &[u8] = b"client_max_window_bits";

/// The parameters of one offer, or of its acceptance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_window: Option<u8>,
    client_window: Option<ClientWindow>,
}

/// `client_max_window_bits`, which an offer may leave without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientWindow {
    Any,
    Bits(u8),
}

impl Params {
    /// Reads the parameters; `None` for one that is unknown, repeated, malformed or out of range.
    fn parse(extension: &Extension<'_>) -> Option<Self> {
        let mut params = Self::default();
        for (name, value) in extension.params() {
            let is_new = match (name, value) {
                (SERVER_TAKEOVER, None) => {
                    !core::mem::replace(&mut params.server_no_takeover, true)
                }
                (CLIENT_TAKEOVER, None) => {
                    !core::mem::replace(&mut params.client_no_takeover, true)
                }
                (SERVER_WINDOW, Some(value)) => {
                    params.server_window.replace(bits(value)?).is_none()
                }
                (CLIENT_WINDOW, None) => params.client_window.replace(ClientWindow::Any).is_none(),
                (CLIENT_WINDOW, Some(value)) => {
                    params.client_window.replace(ClientWindow::Bits(bits(value)?)).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(params)
    }

    /// A client's offer.
    pub(crate) fn offer(settings: &Settings) -> Self {
        let (sent, received) = (settings.sent, settings.received);
        Self {
            server_no_takeover: !received.takeover,
            client_no_takeover: !sent.takeover,
            server_window: limited(received.window),
            client_window: Some(limited(sent.window).map_or(ClientWindow::Any, ClientWindow::Bits)),
        }
    }

    /// A server's answer to an offer, and what it comes to; `None` if it can't keep to the offer.
    fn answer(self, settings: &Settings) -> Option<(Self, Agreement)> {
        let asked = self.server_window.map_or(Some(WindowBits::MAX), WindowBits::new)?;
        let sent = Context {
            window: settings.sent.window.min(asked),
            takeover: settings.sent.takeover && !self.server_no_takeover,
        };
        let limit = settings.received.window;
        // A client that does not say that it knows the parameter must not be answered with it.
        let (client_window, window) = match self.client_window {
            None => (None, WindowBits::MAX),
            Some(ClientWindow::Any) => (limited(limit).map(ClientWindow::Bits), limit),
            Some(ClientWindow::Bits(bits)) => {
                let bits = bits.min(limit.get());
                (Some(ClientWindow::Bits(bits)), at_least(bits))
            }
        };
        let takeover = settings.received.takeover && !self.client_no_takeover;
        let answer = Self {
            server_no_takeover: !sent.takeover,
            client_no_takeover: !takeover,
            server_window: self.server_window.map(|_| sent.window.get()).or(limited(sent.window)),
            client_window,
        };
        Some((answer, Agreement { sent, received: Context { window, takeover } }))
    }

    /// What a server's answer to this offer comes to; `None` if it is none.
    fn agree(self, answer: Self, settings: &Settings) -> Option<Agreement> {
        let window = match (self.server_window, answer.server_window) {
            (Some(asked), Some(bits)) if bits <= asked => at_least(bits),
            (None, Some(bits)) => at_least(bits),
            (None, None) => WindowBits::MAX,
            (Some(_), _) => return None,
        };
        if self.server_no_takeover && !answer.server_no_takeover {
            return None;
        }
        let sent = match answer.client_window {
            None => settings.sent.window,
            // No larger than offered, and none that the compressor can't keep to.
            Some(ClientWindow::Bits(bits)) => {
                WindowBits::new(bits).filter(|window| *window <= settings.sent.window)?
            }
            Some(ClientWindow::Any) => return None,
        };
        Some(Agreement {
            sent: Context {
                window: sent,
                takeover: settings.sent.takeover && !answer.client_no_takeover,
            },
            received: Context { window, takeover: !answer.server_no_takeover },
        })
    }
}

/// The first offer of a request that the server can keep to: its answer, and what it comes to.
pub(crate) fn accept(fields: &[Field<'_>], settings: &Settings) -> Option<(Params, Agreement)> {
    extensions(fields)
        .filter(|extension| extension.name() == NAME)
        .find_map(|offer| Params::parse(&offer)?.answer(settings))
}

/// What the answer to an offer comes to. `Ok(None)`: the server has declined it.
pub(crate) fn finish(
    fields: &[Field<'_>],
    settings: Option<&Settings>,
) -> Result<Option<Agreement>, NotOffered> {
    let mut answers = extensions(fields);
    let Some(answer) = answers.next() else { return Ok(None) };
    let settings = settings.filter(|_| answer.name() == NAME && answers.next().is_none());
    let settings = settings.ok_or(NotOffered)?;
    let params = Params::parse(&answer).ok_or(NotOffered)?;
    Params::offer(settings).agree(params, settings).map(Some).ok_or(NotOffered)
}

/// The server has answered with an extension, or with parameters, that the client did not offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOffered;

/// The value of the field that carries them.
pub(crate) fn value(params: Params) -> heapless::String<160> {
    let mut value = heapless::String::new();
    // It fits: all four parameters take 142 bytes.
    let _ = fmt::write(&mut value, format_args!("{params}"));
    value
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        if self.server_no_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_window {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_window {
            None => Ok(()),
            Some(ClientWindow::Any) => f.write_str("; client_max_window_bits"),
            Some(ClientWindow::Bits(bits)) => write!(f, "; client_max_window_bits={bits}"),
        }
    }
}

/// The bits to ask for: none for the largest window, which is what nobody asking means.
fn limited(window: WindowBits) -> Option<u8> {
    Some(window.get()).filter(|_| window != WindowBits::MAX)
}

/// The window to inflate with: one of 2^8 bytes is read with twice that, which reads the same.
fn at_least(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap_or(WindowBits::MIN)
}

/// 8 to 15, in decimal, without sign or leading zero.
fn bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => digit.checked_sub(b'0'),
        [b'1', digit @ b'0'..=b'5'] => digit.checked_sub(b'0')?.checked_add(10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn window(bits: u8) -> WindowBits {
        WindowBits::new(bits).unwrap()
    }

    /// The answer to offers, and what it comes to.
    fn answer(offers: &[&'static str], settings: &Settings) -> Option<(String, Agreement)> {
        let fields = offers.iter().map(|offer| Field::new("sec-websocket-extensions", offer));
        let fields = fields.collect::<Vec<_>>();
        accept(&fields, settings).map(|(params, agreement)| (params.to_string(), agreement))
    }

    #[test]
    fn s7_1_offers_are_answered() {
        let all = Settings::default();
        for (offer, expected) in [
            ("permessage-deflate", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
            (
                "permessage-deflate; client_max_window_bits=10",
                "permessage-deflate; client_max_window_bits=10",
            ),
            (
                "permessage-deflate;client_max_window_bits=\"8\" ; server_max_window_bits=\"10\"",
                "permessage-deflate; server_max_window_bits=10; client_max_window_bits=8",
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            ),
            (
                "permessage-deflate; server_max_window_bits=15",
                "permessage-deflate; server_max_window_bits=15",
            ),
        ] {
            assert_eq!(answer(&[offer], &all).unwrap().0, expected, "{offer}");
        }
    }

    #[test]
    fn s7_1_bad_offers_are_declined_and_the_next_is_tried() {
        let all = Settings::default();
        for offer in [
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=\"\"",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=10x",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; Server_No_Context_Takeover",
            "permessage-deflate; =9",
            "permessage-deflate;",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate server_max_window_bits=10",
            "x-webkit-deflate-frame",
        ] {
            assert_eq!(answer(&[offer], &all), None, "{offer}");
            let good = "permessage-deflate; server_max_window_bits=9";
            let second = format!("{offer}, {good}");
            if !offer.ends_with("\"10") {
                let second: &'static str = second.leak();
                assert_eq!(answer(&[second], &all).unwrap().0, good, "{offer}");
            }
            assert_eq!(answer(&[offer, good], &all).unwrap().0, good, "{offer}, another line");
        }
    }

    #[test]
    fn s7_1_settings_limit_both_directions() {
        let settings = Settings {
            sent: Context { window: window(12), takeover: false },
            received: Context { window: window(11), takeover: false },
            ..Settings::default()
        };
        let (text, agreement) =
            answer(&["permessage-deflate; client_max_window_bits"], &settings).unwrap();
        assert_eq!(
            text,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=12; client_max_window_bits=11"
        );
        assert_eq!(agreement, Agreement { sent: settings.sent, received: settings.received });
        // Without its parameter, a client's window can't be limited: any must be read.
        let (text, agreement) = answer(&["permessage-deflate"], &settings).unwrap();
        assert!(!text.contains("client_max"), "{text}");
        assert_eq!(agreement.received.window, WindowBits::MAX);
        // Never larger than asked.
        let (text, agreement) =
            answer(&["permessage-deflate; server_max_window_bits=10"], &settings).unwrap();
        assert!(text.contains("server_max_window_bits=10"), "{text}");
        assert_eq!(agreement.sent.window, window(10));
    }

    #[test]
    fn s7_1_what_either_end_writes_the_other_agrees_to() {
        let contexts = || {
            (9..=15).flat_map(|bits| {
                [true, false].map(|takeover| Context { window: window(bits), takeover })
            })
        };
        for client in contexts().flat_map(|sent| contexts().map(move |received| (sent, received))) {
            for server in [contexts().next().unwrap(), Context::default()] {
                let ask = Settings { sent: client.0, received: client.1, ..Settings::default() };
                let have = Settings { sent: server, received: server, ..Settings::default() };
                let offer: &'static str = Params::offer(&ask).to_string().leak();
                let (text, theirs) = answer(&[offer], &have).unwrap();
                let text: &'static str = text.leak();
                let fields = [Field::new("Sec-WebSocket-Extensions", text)];
                let ours = finish(&fields, Some(&ask)).unwrap().unwrap();
                assert_eq!((ours.sent, ours.received), (theirs.received, theirs.sent), "{text}");
            }
        }
    }

    #[test]
    fn s7_1_a_client_refuses_what_it_did_not_offer() {
        let all = Settings::default();
        let ask = Settings {
            received: Context { window: window(10), takeover: false },
            ..Settings::default()
        };
        let check = |answer: &'static str, settings| {
            finish(&[Field::new("Sec-WebSocket-Extensions", answer)], settings)
        };
        assert_eq!(finish(&[], Some(&all)), Ok(None));
        for answer in [
            "x-other",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; unknown=1",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
        ] {
            assert_eq!(check(answer, Some(&all)), Err(NotOffered), "{answer}");
        }
        assert_eq!(check("permessage-deflate", None), Err(NotOffered));
        for answer in [
            "permessage-deflate",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
        ] {
            assert_eq!(check(answer, Some(&ask)), Err(NotOffered), "{answer}");
        }
        let small = Settings {
            sent: Context { window: window(10), takeover: true },
            ..Settings::default()
        };
        for (answer, expected) in [(9, Some(window(9))), (10, Some(window(10))), (11, None)] {
            let answer = format!("permessage-deflate; client_max_window_bits={answer}").leak();
            let agreed = check(answer, Some(&small)).ok().flatten();
            assert_eq!(agreed.map(|agreement| agreement.sent.window), expected, "{answer}");
        }
        let answer = "permessage-deflate; server_no_context_takeover; server_max_window_bits=8";
        assert_eq!(check(answer, Some(&ask)).unwrap().unwrap().received.window, WindowBits::MIN);
    }
}
