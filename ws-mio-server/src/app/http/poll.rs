//! `/poll/{room}`: a room by requests that wait for what is said next.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ws_mio_server::hub::Since;
use ws_mio_server::settings::values;
use ws_mio_server::{Answer, Call, CallId, Reply, Service};

use super::answers::{malformed, query, refusal, reply, seat};
use crate::app::chat::wire::{self, Complaint};
use crate::app::rooms::{Read, Rooms};
use crate::clock;

/// How long a request waits unless it says otherwise.
const DEFAULT: Duration = Duration::from_secs(25);
/// How long one may wait.
const LONGEST: Duration = Duration::from_secs(60);
/// How much longer it is known who waits than somebody does.
const SLACK: Duration = Duration::from_secs(1);

/// The answers of `/poll/{room}`; each worker has its own.
#[derive(Clone)]
pub(crate) struct Poll {
    rooms: Rooms,
    /// Which of this worker's calls waits for which room.
    waiting: HashMap<CallId, Arc<str>>,
}

impl Poll {
    pub(crate) fn new(rooms: Rooms) -> Self {
        Self { rooms, waiting: HashMap::new() }
    }

    fn poll(&mut self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let Self { rooms, waiting } = self;
        let (room, _) = seat(call, rooms)?;
        if !rooms.allowed(room, call.identity()).join {
            return Err(Complaint::new("forbidden", "you may not join this room"));
        }
        let wait = wait(query(call, "wait")?.as_deref())?;
        let since = Since::parse(query(call, "since")?.as_deref());
        if rooms.is_clustered() {
            return Ok(self.poll_all(call, wait, since));
        }
        let Since::After(last) = since else { return Ok(now(&rooms.read(room, since))) };
        let nothing = Answer::json(200, wire::poll(last, None, &[]));
        let (id, handle) = (call.id(), rooms.handle().cloned());
        let tell = Box::new(move |message: Option<_>| {
            if let (Some(handle), Some(message)) = (handle, message) {
                handle.answer(id, Answer::json(200, wire::poll_one(&message)));
            }
        });
        let until = clock::unix_millis().saturating_add(millis(wait.saturating_add(SLACK)));
        Ok(match rooms.wait(room, since, id, until, tell)? {
            Some(read) => now(&read),
            None => {
                waiting.insert(id, Arc::from(room));
                Reply::Later { within: wait, otherwise: nothing }
            }
        })
    }
}

impl Poll {
    /// The same where there are several nodes: what the room has is not known at once.
    fn poll_all(&mut self, call: &Call<'_>, wait: Duration, since: Since) -> Reply {
        let Ok((room, _)) = seat(call, &self.rooms) else {
            return Reply::Now(refusal(&malformed("the room is not named")));
        };
        let (rooms, room, id) = (self.rooms.clone(), Arc::<str>::from(room), call.id());
        let until = clock::unix_millis().saturating_add(millis(wait.saturating_add(SLACK)));
        rooms.hold(&room, true);
        self.waiting.insert(id, Arc::clone(&room));
        let (again, name) = (rooms.clone(), Arc::clone(&room));
        let told = move |read: Result<Read, Complaint>| {
            let Some(handle) = again.handle().cloned() else { return };
            let is_due = |read: &Read| {
                !read.recovery.is_some_and(|recovery| recovery.is_complete())
                    || !read.messages.is_empty()
            };
            let answer = match read {
                Err(complaint) => refusal(&complaint),
                Ok(read) if is_due(&read) => said(&read),
                Ok(_) => {
                    let later = handle.clone();
                    let tell = Box::new(move |message: Option<_>| {
                        if let Some(message) = message {
                            later.answer(id, Answer::json(200, wire::poll_one(&message)));
                        }
                    });
                    match again.wait(&name, since, id, until, tell) {
                        Ok(None) => return,
                        Ok(Some(read)) => said(&read),
                        Err(complaint) => refusal(&complaint),
                    }
                }
            };
            handle.answer(id, answer);
        };
        rooms.read_all(&room, since, Box::new(told));
        let Since::After(last) = since else {
            let otherwise = refusal(&Complaint::busy("the other nodes can't be reached"));
            return Reply::Later { within: LONGEST, otherwise };
        };
        Reply::Later { within: wait, otherwise: Answer::json(200, wire::poll(last, None, &[])) }
    }
}

impl Service for Poll {
    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        reply(self.poll(call))
    }

    fn on_end(&mut self, call: CallId) {
        if let Some(room) = self.waiting.remove(&call) {
            self.rooms.wait_no_more(&room, call);
            self.rooms.hold(&room, false);
        }
    }
}

fn now(read: &Read) -> Reply {
    Reply::Now(said(read))
}

fn said(read: &Read) -> Answer {
    let Read { position, recovery, messages } = read;
    Answer::json(200, wire::poll(*position, *recovery, messages))
}

/// How long to wait: a number of seconds, or a number with a unit.
fn wait(text: Option<&str>) -> Result<Duration, Complaint> {
    let Some(text) = text else { return Ok(DEFAULT) };
    let wait = match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => values::duration(text).ok(),
    };
    let wait = wait.filter(|wait| *wait <= LONGEST);
    wait.ok_or_else(|| malformed("`wait` must be a time of 0s to 60s"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::wait;
    use std::time::Duration;

    #[test]
    fn a_request_waits_as_long_as_it_says() {
        for (text, seconds) in [(None, 25), (Some("0"), 0), (Some("3"), 3), (Some("60s"), 60)] {
            assert_eq!(wait(text), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!(wait(Some("250ms")), Ok(Duration::from_millis(250)));
        for text in ["", "61", "-1", "1h", "x", "18446744073709551615"] {
            assert_eq!(wait(Some(text)).unwrap_err().code, "malformed", "{text}");
        }
    }
}
