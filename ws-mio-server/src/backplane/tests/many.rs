//! A node with many rooms.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Act, Effect, Epoch, Event, Hub, Join, Limits, Model, Namespace, Namespaces};
use super::{Node, Now, Out, Publish, Refused, Request, Settings, Since};
use crate::backplane::wire::Ask;

const AT_ONCE: usize = 8;

struct Many {
    model: Model,
    hub: Hub<u32, u32>,
    node: Node<u32, u32>,
    now: u64,
    /// How many requests may wait, and how many were not taken.
    room: usize,
    refused: usize,
    waiting: Vec<Request>,
    answers: HashMap<u32, Result<(), Refused>>,
}

impl Many {
    /// With so many rooms, in each of which somebody is.
    fn new(rooms: u32) -> Self {
        let namespaces = Arc::new(Namespaces::new(Namespace::default()));
        let hub = Hub::new(namespaces, Limits::default(), Epoch::from_entropy(1), None);
        let settings = Settings { at_once: AT_ONCE, ..Settings::new("n") };
        let node = Node::new(settings, 1, (1, 1));
        let (waiting, answers) = (Vec::new(), HashMap::new());
        let model = Model::new(1);
        let mut many =
            Self { model, hub, node, now: 1_000, room: usize::MAX, refused: 0, waiting, answers };
        many.connect();
        for number in 0..rooms {
            many.act(|node, hub, now, out| {
                let (room, since) = (format!("{number}"), Since::Nothing);
                let join = Join { room: &room, member: number, user: "ada", since };
                node.join(hub, join, now, out).unwrap();
            });
        }
        many.answer_all();
        assert_eq!(many.hub.members().count(), usize::try_from(rooms).unwrap());
        many
    }

    fn act(
        &mut self,
        act: impl FnOnce(&mut Node<u32, u32>, &mut Hub<u32, u32>, Now, &mut Out<u32, u32>),
    ) {
        let (now, mut out) = (Now { unix: self.now, steady: self.now }, Out::default());
        act(&mut self.node, &mut self.hub, now, &mut out);
        while !out.requests.is_empty() || !out.acts.is_empty() {
            let Out { acts, requests } = std::mem::take(&mut out);
            for act in acts {
                match act {
                    Act::Hub(Effect::Accepted { answer, .. }) => {
                        self.answers.insert(answer, Ok(()));
                    }
                    Act::Hub(Effect::Refused { answer, why }) => {
                        self.answers.insert(answer, Err(why));
                    }
                    _ => {}
                }
            }
            for request in requests {
                if self.waiting.len() >= self.room {
                    self.refused += 1;
                    self.node.not_taken(&mut self.hub, request, now, &mut out);
                } else {
                    self.waiting.push(request);
                }
            }
        }
    }

    fn event(&mut self, event: Option<Event>) {
        let Some(event) = event else { return };
        self.act(|node, hub, now, out| node.handle(hub, event, now, out));
    }

    fn connect(&mut self) {
        let event = self.model.connect(0);
        self.event(event);
    }

    fn cut(&mut self) {
        self.waiting.clear();
        let event = self.model.cut(0);
        self.event(event);
    }

    /// Answers what was asked first.
    fn answer_one(&mut self) {
        let request = self.waiting.remove(0);
        self.model.ask(0, request);
        self.model.work(0, self.now);
        while let Some(event) = self.model.reply(0).or_else(|| self.model.push(0)) {
            self.event(Some(event));
        }
    }

    fn answer_all(&mut self) {
        while !self.waiting.is_empty() {
            self.answer_one();
        }
    }

    fn pass(&mut self, time: u64) {
        self.now += time;
        self.act(|node, hub, now, out| node.tick(hub, now, out));
    }

    fn publish(&mut self, answer: u32) {
        let room = answer.to_string();
        self.act(|node, hub, now, out| {
            let (user, content, key, except) = ("ada", b"x"[..].into(), None, None);
            node.publish(
                hub,
                Publish { room: &room, user, content, key, except, answer },
                now,
                out,
            );
        });
    }

    fn attaching(&self) -> usize {
        let is_it = |request: &&Request| matches!(request.ask, Ask::Attach { .. });
        self.waiting.iter().filter(is_it).count()
    }

    fn attached(&self) -> usize {
        self.node.seen(&self.hub).count()
    }
}

#[test]
fn rooms_are_attached_anew_a_few_at_a_time() {
    let mut many = Many::new(500);
    many.cut();
    many.connect();
    assert_eq!(many.attaching(), AT_ONCE);
    // What is published waits for those alone, and somebody who comes for nobody.
    many.publish(499);
    many.act(|node, hub, now, out| {
        let since = Since::After(hub.numbered("498").unwrap());
        let join = Join { room: "498", member: 1_000, user: "bob", since };
        node.join(hub, join, now, out).unwrap();
    });
    assert_eq!(many.attaching(), AT_ONCE + 1);
    for _ in 0..=AT_ONCE {
        many.answer_one();
        assert!(many.attaching() <= AT_ONCE + 1);
    }
    assert_eq!(many.answers.get(&499), Some(&Ok(())));
    many.answer_one();
    assert!(many.hub.who("498", 1_000).is_some());
    // As each is answered, the next is asked for: nobody waits for a tick.
    while !many.waiting.is_empty() {
        many.answer_one();
        assert!(many.attaching() <= AT_ONCE);
    }
    assert_eq!((many.attached(), many.refused), (500, 0));
}

#[test]
fn what_an_engine_has_no_room_for_is_asked_for_again() {
    let mut many = Many::new(100);
    (0..10).for_each(|number| many.publish(number));
    // Nobody knows what became of these.
    many.cut();
    many.room = 5;
    many.connect();
    assert!(many.refused > 0);
    for _ in 0..100 {
        many.answer_all();
        many.pass(500);
    }
    assert_eq!(many.attached(), 100);
    // They may have been done before: they are not told that they were refused.
    assert!((0..10).all(|number| many.answers[&number] == Ok(())), "{:?}", many.answers);
    // What was not sent before is refused, and is not done.
    many.room = 0;
    many.publish(11);
    assert_eq!(many.answers[&11], Err(Refused::StoreFailed));
}

#[test]
fn who_is_here_is_told_again_once_a_day_and_not_all_at_once() {
    let mut many = Many::new(500);
    let mut told = HashMap::<Arc<str>, u64>::new();
    let (begun, mut most) = (many.now, 0);
    let (minute, minutes) = (60 * 1000, 5);
    while many.now < begun + 48 * 60 * minute {
        many.pass(minutes * minute);
        let rooms = many.waiting.iter().map(|request| match &request.ask {
            Ask::Present { room, users, .. } => {
                assert_eq!(**users, [("ada".into(), 1)]);
                Arc::clone(room)
            }
            other => panic!("{other:?}"),
        });
        let rooms: Vec<_> = rooms.collect();
        most = most.max(rooms.len());
        for room in rooms {
            let before = told.insert(room, many.now).unwrap_or(begun);
            let hours = (many.now - before) / minute / 60;
            assert!((11..=24).contains(&hours), "after {hours} h");
        }
        many.answer_all();
    }
    assert_eq!(told.len(), 500);
    assert!(told.values().all(|at| many.now - at <= 25 * 60 * minute));
    assert!(most <= AT_ONCE, "{most} at once");
    // Should others have forgotten all of it, all is told, a part in each tick.
    many.node.reassert();
    let mut rooms = 0;
    for _ in 0..500_usize.div_ceil(AT_ONCE) {
        many.pass(500);
        assert!(many.waiting.len() <= AT_ONCE);
        rooms += many.waiting.len();
        many.answer_all();
    }
    assert_eq!(rooms, 500);
}
