//! `ws-mio-server connect`: a WebSocket client for the terminal and for pipes.

mod command;
mod input;
mod meaning;
mod opening;
mod pings;
mod screen;
mod talk;
mod tls;
mod transport;
mod url;

pub(crate) use url::Url;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use crate::cli::ConnectArgs;
use crate::clock::{Clock, moment};
use command::Lines;
use input::{Cut, Input};
use screen::Screen;
use talk::{End, Talk};

const WAKER: Token = Token(0);
const SOCKET: Token = Token(1);

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Connects, and again if that is asked for; the status tells whether the connection was closed well.
pub(crate) fn run(args: &ConnectArgs) -> Result<ExitCode, String> {
    let system = |error: io::Error| format!("the event loop could not be made: {error}");
    let screen = Screen::new(args.raw, args.quiet, args.verbose);
    let mut poll = Poll::new().map_err(system)?;
    let waker = Waker::new(poll.registry(), WAKER).map_err(system)?;
    let input = if args.message.is_empty() {
        let cut = if args.raw { Cut::Chunks } else { Cut::Lines };
        Input::read(cut, waker)
    } else {
        Input::given(&args.message, waker)
    };
    let input = input.map_err(system)?;
    let typed = args.message.is_empty() && !args.raw && io::stdin().is_terminal();
    let lines = Lines { hex: args.hex, slash: args.slash || typed };
    let clock = Clock::start();
    let mut attempt = 0;
    loop {
        let lost = match opening::open(args, &screen, clock) {
            Ok(opened) => {
                attempt = 0;
                screen.note(format_args!("connected to {}{}", args.url, opened.agreed));
                input.open.store(true, Ordering::SeqCst);
                let (talk, first) = Talk::new(args, &screen, &input, lines, typed, clock, opened);
                let end = talk.run(first, &mut poll).map_err(system)?;
                input.open.store(false, Ordering::SeqCst);
                match end {
                    End::Ours => return Ok(ExitCode::SUCCESS),
                    End::Theirs if !args.reconnect => return Ok(ExitCode::SUCCESS),
                    End::Theirs => "closed by the server".to_owned(),
                    End::Failed(message) => message,
                    End::Stopped(message) => return Err(message),
                }
            }
            Err(failure) if failure.permanent => return Err(failure.message),
            Err(failure) => failure.message,
        };
        if !args.reconnect {
            return Err(lost);
        }
        let pause = pause(attempt, u16::from_le_bytes(opening::random()));
        attempt = attempt.saturating_add(1);
        screen.note(format_args!("{lost}; connecting again in {:.1} s", pause.as_secs_f64()));
        if rest(&mut poll, pause, clock, &input).map_err(system)? {
            return Ok(ExitCode::FAILURE);
        }
    }
}

/// How long to wait before another attempt: half a second, twice as long each time, and less by chance, so
/// that those who lost a server together don't come back together.
fn pause(attempt: u32, chance: u16) -> Duration {
    let longest = Duration::from_millis(500)
        .saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX))
        .min(LONGEST_PAUSE);
    let half = longest.div_f64(2.0);
    half.saturating_add(half.mul_f64(f64::from(chance) / f64::from(u16::MAX)))
}

/// Waits; `true`: the user wants to stop.
fn rest(poll: &mut Poll, pause: Duration, clock: Clock, input: &Input) -> io::Result<bool> {
    let until = moment(clock.running()).after(pause);
    let mut events = Events::with_capacity(4);
    loop {
        if input.interrupted.load(Ordering::SeqCst) {
            return Ok(true);
        }
        let left = until.since(moment(clock.running()));
        if left.is_zero() {
            return Ok(false);
        }
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAUSE, pause};
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread() {
        let bounds = |attempt| (pause(attempt, 0), pause(attempt, u16::MAX));
        let ms = Duration::from_millis;
        assert_eq!(bounds(0), (ms(250), ms(500)));
        assert_eq!(bounds(3), (ms(2000), ms(4000)));
        assert_eq!(bounds(u32::MAX), (LONGEST_PAUSE / 2, LONGEST_PAUSE));
    }
}
