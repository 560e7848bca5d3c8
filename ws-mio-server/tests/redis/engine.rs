//! An engine, and what it has told.
#![allow(unreachable_pub, reason = "all of it is for the tests beside it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ws_mio_server::backplane::redis::{Options, Redis};
use ws_mio_server::backplane::wire::{
    Answer, Append, Ask, Attached, Engine, Event, Failure, Keep, Page, Push, Request,
};
use ws_mio_server::hub::{Id, Message};

/// How long anything may take until the test has failed.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const KEEP: Keep = Keep { count: 1000, bytes: 1 << 20, age: Duration::from_secs(3600) };

pub const EPOCH: u64 = 1;

pub struct Log {
    pub redis: Redis,
    told: Receiver<Vec<Event>>,
    next: AtomicU64,
    pub pushes: Vec<Push>,
    replies: Vec<(u64, Result<Answer, Failure>)>,
    pub downs: Vec<Box<str>>,
    pub is_up: bool,
}

impl Log {
    /// An engine that may not be up yet.
    pub fn start(url: &str, options: &Options) -> Self {
        let (tell, told) = channel();
        let on_event = Box::new(move |events| {
            let _ = tell.send(events);
        });
        let redis = Redis::start(&url.parse().unwrap(), options, on_event).unwrap();
        Self {
            redis,
            told,
            next: AtomicU64::new(1),
            pushes: Vec::new(),
            replies: Vec::new(),
            downs: Vec::new(),
            is_up: false,
        }
    }

    pub fn open(url: &str) -> Self {
        let mut log = Self::start(url, &quick());
        log.until_up();
        log
    }

    pub fn ask(&self, ask: Ask) -> u64 {
        let tag = self.next.fetch_add(1, Ordering::Relaxed);
        self.redis.request(Request { tag, ask }).unwrap();
        tag
    }

    /// Takes what is told next; whether there was something in time.
    fn take(&mut self, patience: Duration) -> bool {
        let events = match self.told.recv_timeout(patience) {
            Ok(events) => events,
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => panic!("the engine is gone"),
        };
        for event in events {
            match event {
                Event::Up => {
                    assert!(!self.is_up, "it is up twice");
                    self.is_up = true;
                }
                Event::Down { why } => {
                    self.is_up = false;
                    self.downs.push(why);
                }
                Event::Reply { tag, result } => {
                    assert!(self.is_up, "a reply while there is no link");
                    assert!(self.replies.iter().all(|(other, _)| *other != tag), "two replies");
                    self.replies.push((tag, result));
                }
                Event::Push(push) => {
                    assert!(self.is_up, "a push while there is no link");
                    self.pushes.push(push);
                }
            }
        }
        true
    }

    /// Waits until something is so of what was told.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let left = LIMIT.saturating_sub(begun.elapsed());
            assert!(!left.is_zero() && self.take(left), "waited too long until {what}");
        }
    }

    pub fn until_up(&mut self) {
        self.until("the link is there", |log| log.is_up);
    }

    pub fn until_down(&mut self) {
        self.until("the link is lost", |log| !log.is_up);
    }

    pub fn reply(&mut self, tag: u64) -> Result<Answer, Failure> {
        let mut found = None;
        self.until("it is answered", |log| {
            found = log.replies.iter().position(|(known, _)| *known == tag);
            found.is_some()
        });
        self.replies.remove(found.unwrap()).1
    }

    pub fn has_reply(&self, tag: u64) -> bool {
        self.replies.iter().any(|(known, _)| *known == tag)
    }

    /// Asks, and waits for the answer.
    pub fn get(&mut self, ask: Ask) -> Result<Answer, Failure> {
        let tag = self.ask(ask);
        self.reply(tag)
    }

    pub fn done(&mut self, ask: Ask) {
        assert_eq!(self.get(ask), Ok(Answer::Done));
    }

    pub fn append(&mut self, append: Append) -> Result<Id, Failure> {
        match self.get(Ask::Append(append))? {
            Answer::Appended { id } => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    pub fn say(&mut self, room: &str, content: &str) -> Id {
        self.append(message(room, content)).unwrap()
    }

    pub fn attach(&mut self, room: &str, after: Option<Id>, run: u64) -> Attached {
        let ask = Ask::Attach { room: room.into(), after, run, most: 100, epoch: EPOCH };
        match self.get(ask) {
            Ok(Answer::Attached(attached)) => attached,
            other => panic!("{other:?}"),
        }
    }

    pub fn read(&mut self, room: &str, from: u64, to: u64, most: usize, newest: bool) -> Page {
        let room = room.into();
        match self.get(Ask::Read { room, from, to, most, newest, epoch: EPOCH }) {
            Ok(Answer::Page(page)) => page,
            other => panic!("{other:?}"),
        }
    }

    /// The messages that were pushed of a room so far.
    pub fn messages(&self, of: &str) -> Vec<&Message> {
        fn message<'a>(push: &'a Push, of: &str) -> Option<&'a Message> {
            match push {
                Push::Message { room, message } if &**room == of => Some(message),
                _ => None,
            }
        }
        self.pushes.iter().filter_map(|push| message(push, of)).collect()
    }

    pub fn until_messages(&mut self, room: &str, count: usize) {
        self.until("messages have come", |log| log.messages(room).len() >= count);
    }

    /// Waits until all that was published before has come.
    pub fn settle(&mut self) {
        let payload: Arc<[u8]> = format!("settled {:?}", Instant::now()).into_bytes().into();
        self.ask(Ask::Shout { from: "settler".into(), payload: Arc::clone(&payload) });
        self.until("a shout comes back", |log| {
            log.pushes
                .iter()
                .any(|push| matches!(push, Push::Shout { payload: p, .. } if *p == payload))
        });
    }
}

/// Options with which a test need not wait long.
pub fn quick() -> Options {
    Options {
        timeout: Duration::from_millis(1000),
        max_backoff: Duration::from_millis(500),
        ..Options::default()
    }
}

pub fn message(room: &str, content: &str) -> Append {
    Append {
        room: room.into(),
        user: "ada".into(),
        key: None,
        name: None,
        content: content.as_bytes().into(),
        at: 1_767_225_600_000,
        keep: KEEP,
        epoch: EPOCH,
    }
}

pub fn offsets<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u64> {
    messages.into_iter().map(|message| message.id.offset).collect()
}

pub fn contents<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<String> {
    let text = |message: &Message| String::from_utf8(message.content.to_vec()).unwrap();
    messages.into_iter().map(text).collect()
}
