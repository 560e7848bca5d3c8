//! The channel engine, rule by rule: what is refused, what is known again, what is told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use ws_mio_server::hub::{
    Budget, Effect, Epoch, Hub, Id, Join, Limits, Namespace, Namespaces, Page, Presence, Publish,
    Refused, Since, Welcome,
};

const START: u64 = 1_767_225_600_000;
const MINUTE: u64 = 60_000;

type Effects = Vec<Effect<u32, u32>>;

/// A hub, and what time it is.
struct Scene {
    hub: Hub<u32, u32>,
    now: u64,
}

impl Scene {
    fn with(other: Namespace, limits: Limits) -> Self {
        let (namespaces, epoch) = (Arc::new(Namespaces::new(other)), Epoch::from_entropy(1));
        let hub = Hub::new(namespaces, limits, epoch, Some(Epoch::from_entropy(2)));
        Self { hub, now: START }
    }

    fn of(other: Namespace) -> Self {
        Self::with(other, Limits::default())
    }

    fn join(&mut self, room: &str, member: u32, user: &str) -> Result<Effects, Refused> {
        self.come(room, member, user, Since::Nothing)
    }

    fn come(
        &mut self,
        room: &str,
        member: u32,
        user: &str,
        since: Since,
    ) -> Result<Effects, Refused> {
        let mut effects = Vec::new();
        let join = Join { room, member, user, since };
        self.hub.join(join, self.now, &mut effects).map(|()| effects)
    }

    fn leave(&mut self, room: &str, member: u32) -> Effects {
        let mut effects = Vec::new();
        self.hub.leave(room, member, &mut effects);
        effects
    }

    fn publish(&mut self, room: &str, content: &str, key: Option<&str>) -> Effects {
        self.publish_as(room, "alice", content, key)
    }

    fn publish_as(&mut self, room: &str, user: &str, content: &str, key: Option<&str>) -> Effects {
        let mut effects = Vec::new();
        let content = content.as_bytes().into();
        let publish = Publish { room, user, content, key, except: None, answer: 7 };
        self.hub.publish(publish, self.now, &mut effects);
        effects
    }

    fn stored(&mut self, room: &str, offset: u64, is_stored: bool) -> Effects {
        let mut effects = Vec::new();
        self.hub.stored(room, offset, is_stored, self.now, &mut effects);
        effects
    }
}

fn accepted(effects: &Effects) -> Option<Id> {
    effects.iter().find_map(|effect| match effect {
        Effect::Accepted { answer: 7, id } => Some(*id),
        _ => None,
    })
}

fn refused(effects: &Effects) -> Option<Refused> {
    effects.iter().find_map(|effect| match effect {
        Effect::Refused { answer: 7, why } => Some(*why),
        _ => None,
    })
}

fn delivered(effects: &Effects) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Deliver { .. })).count()
}

fn welcome(effects: Result<Effects, Refused>) -> Welcome<u32> {
    match effects.unwrap().into_iter().next() {
        Some(Effect::Welcome(welcome)) => welcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_known_as_long_as_its_message_is_kept() {
    let mut scene = Scene::of(Namespace::default());
    let first = accepted(&scene.publish("a", "0", Some("k0"))).unwrap();
    for n in 1..500 {
        scene.publish("a", &n.to_string(), Some(&format!("k{n}")));
    }
    scene.now += 60 * MINUTE;
    let again = scene.publish("a", "0", Some("k0"));
    assert_eq!((accepted(&again), delivered(&again)), (Some(first), 0));
    // Another user's is another message, and so is one without a key.
    assert_eq!(delivered(&scene.publish_as("a", "bob", "0", Some("k0"))), 1);
    assert_eq!(delivered(&scene.publish("a", "0", None)), 1);
    let other = scene.publish("a", "other", Some("k0"));
    assert_eq!((refused(&other), delivered(&other)), (Some(Refused::KeyReused), 0));
    // In another room it means nothing.
    assert_eq!(delivered(&scene.publish("b", "other", Some("k0"))), 1);
}

#[test]
fn where_nothing_is_kept_the_newest_keys_are_known_for_a_while() {
    let mut scene = Scene::of(Namespace { history: 0, ..Namespace::default() });
    for n in 0..128 {
        scene.publish("a", "x", Some(&format!("k{n}")));
    }
    assert_eq!(delivered(&scene.publish("a", "x", Some("k0"))), 0);
    // The room is there as long as they are.
    assert_eq!(scene.hub.len(), 1);
    scene.publish("a", "x", Some("k128"));
    assert_eq!(delivered(&scene.publish("a", "x", Some("k0"))), 1, "there are too many");
    scene.now += 6 * MINUTE;
    let mut effects = Vec::new();
    scene.hub.expire(scene.now, &mut effects);
    assert!(scene.hub.is_empty(), "they are too old");
}

#[test]
fn an_id_from_before_a_room_was_forgotten_is_not_taken_for_one_of_its_own() {
    let mut scene = Scene::of(Namespace { history: 0, ..Namespace::default() });
    for n in 1..=5 {
        assert_eq!(accepted(&scene.publish("a", "x", None)).unwrap().offset, n);
        assert!(scene.hub.is_empty(), "without members and history, it vanishes");
    }
    let old = Id { epoch: Epoch::from_entropy(1), offset: 3 };
    let back = welcome(scene.come("a", 1, "bob", Since::After(old)));
    assert_eq!(back.position.offset, 5);
    let recovery = back.recovery.unwrap();
    assert_eq!((recovery.missed, recovery.gap), (0, None), "nobody knows what was between");
    // Who saw the last one has missed nothing.
    let last = Id { offset: 5, ..old };
    let back = welcome(scene.come("a", 2, "carol", Since::After(last)));
    assert!(back.recovery.unwrap().is_complete());
}

#[test]
fn what_was_missed_beyond_what_may_be_sent_at_once_is_a_gap() {
    let limits = Limits { replay_bytes: 10_000, ..Limits::default() };
    let mut scene = Scene::with(Namespace::default(), limits);
    for _ in 0..20 {
        // Control characters take six times as much on the wire.
        scene.publish("a", &"\u{1}".repeat(150), None);
    }
    let since = Id { epoch: Epoch::from_entropy(1), offset: 0 };
    let back = welcome(scene.come("a", 1, "bob", Since::After(since)));
    let recovery = back.recovery.unwrap();
    assert_eq!(recovery.missed, back.messages.len());
    assert!((8..=10).contains(&recovery.missed), "{recovery:?}");
    assert_eq!(recovery.gap, Some(20 - back.messages.len() as u64));
    assert_eq!(back.messages.last().unwrap().id, back.position);
}

#[test]
fn behind_a_message_that_could_not_be_stored_none_is_taken_until_all_are_known() {
    let mut scene = Scene::of(Namespace { persist: true, max_unstored: 3, ..Namespace::default() });
    scene.join("a", 1, "bob").unwrap();
    for _ in 0..3 {
        let effects = scene.publish("a", "x", None);
        assert!(matches!(effects.as_slice(), [Effect::Store { .. }]), "{effects:?}");
    }
    assert_eq!(refused(&scene.publish("a", "x", None)), Some(Refused::StoreBusy));
    assert_eq!(delivered(&scene.stored("a", 1, true)), 1);
    assert_eq!(refused(&scene.stored("a", 2, false)), Some(Refused::StoreFailed));
    assert_eq!(refused(&scene.publish("a", "x", None)), Some(Refused::StoreFailed));
    // What is not told of in order, or twice, means nothing.
    assert!(scene.stored("a", 2, true).is_empty() && scene.stored("a", 4, true).is_empty());
    assert_eq!(refused(&scene.stored("a", 3, false)), Some(Refused::StoreFailed));
    let effects = scene.publish("a", "y", None);
    let [Effect::Store { message, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(message.id.offset, 2, "the offsets have no gap");
    assert_eq!(scene.hub.position("a").offset, 1);
    // One that the store does not even take leaves its offset to the next.
    let mut effects = Vec::new();
    scene.hub.not_taken("a", 2, &mut effects);
    assert_eq!(refused(&effects), Some(Refused::StoreBusy));
    assert_eq!(scene.hub.unstored(), 0);
}

#[test]
fn who_comes_while_messages_are_stored_gets_them_once() {
    let mut scene = Scene::of(Namespace { persist: true, ..Namespace::default() });
    scene.publish("a", "x", Some("k"));
    let joiner = welcome(scene.join("a", 1, "bob"));
    assert_eq!((joiner.position.offset, joiner.messages.len()), (0, 0), "it is not there yet");
    // It was sent again meanwhile: both are answered, and it is delivered once.
    assert!(scene.publish("a", "x", Some("k")).is_empty());
    let effects = scene.stored("a", 1, true);
    assert_eq!(delivered(&effects), 1);
    let answers = effects.iter().filter(|effect| matches!(effect, Effect::Accepted { .. }));
    assert_eq!(answers.count(), 2);
}

#[test]
fn limits_are_told_of() {
    let small = Namespace { max_message: 3, max_members: 2, ..Namespace::default() };
    let mut scene = Scene::with(small, Limits { rooms: 2, ..Limits::default() });
    assert_eq!(refused(&scene.publish("a", "four", None)), Some(Refused::TooLong(3)));
    assert!(accepted(&scene.publish("a", "abc", None)).is_some());
    scene.join("a", 1, "alice").unwrap();
    assert_eq!(scene.join("a", 1, "alice").unwrap_err(), Refused::AlreadyIn);
    scene.join("a", 2, "bob").unwrap();
    assert_eq!(scene.join("a", 3, "carol").unwrap_err(), Refused::RoomFull);
    scene.join("b", 3, "carol").unwrap();
    assert_eq!(scene.join("c", 4, "dave").unwrap_err(), Refused::TooManyRooms);
    assert_eq!(refused(&scene.publish("c", "abc", None)), Some(Refused::TooManyRooms));
    // Who was refused has left nothing behind.
    assert_eq!((scene.hub.len(), scene.hub.connections("dave").len()), (2, 0));
    scene.leave("b", 3);
    scene.join("c", 4, "dave").unwrap();
}

#[test]
fn rooms_that_share_a_budget_keep_no_more_than_it() {
    let memory = Arc::new(Budget::new(2000));
    let limits = Limits { memory: Arc::clone(&memory), ..Limits::default() };
    let mut scene = Scene::with(Namespace::default(), limits.clone());
    let mut other = Scene::with(Namespace::default(), limits);
    for _ in 0..100 {
        scene.publish("a", "x", None);
        other.publish("b", "x", None);
    }
    assert!((1000..=2000).contains(&memory.used()), "{}", memory.used());
    // Nobody is left with nothing.
    assert!(scene.hub.room("a").unwrap().kept >= 1 && other.hub.room("b").unwrap().kept >= 1);
}

#[test]
fn presence_tells_what_it_should() {
    for (presence, told, names) in
        [(Presence::On, 2, true), (Presence::Count, 2, false), (Presence::Off, 0, false)]
    {
        let mut scene = Scene::of(Namespace { presence, ..Namespace::default() });
        let effects = scene.join("a", 1, "alice").unwrap();
        assert_eq!(effects.len(), if names { 3 } else { 2 }, "{presence:?}");
        // A second tab is nobody new.
        assert_eq!(scene.join("a", 2, "alice").unwrap().len(), 2);
        assert_eq!(welcome(scene.join("a", 3, "bob")).people, told);
        let people = scene.hub.people("a");
        assert_eq!(people.people, told);
        let users: Option<Vec<_>> = people
            .users
            .map(|users| users.iter().map(|(user, n)| (user.to_string(), *n)).collect());
        let due = names.then(|| vec![("alice".to_owned(), 2), ("bob".to_owned(), 1)]);
        assert_eq!(users, due);
        assert_eq!(scene.hub.names("a", 1).map(|names| names.len()), names.then_some(1));
        assert!(scene.leave("a", 1).is_empty(), "the person is still there");
        assert_eq!(scene.leave("a", 2).len(), usize::from(names));
        assert!(scene.leave("a", 2).is_empty() && scene.leave("x", 1).is_empty());
        assert_eq!(scene.hub.connections("bob"), [3]);
    }
}

#[test]
fn history_is_had_in_pages_and_grows_old() {
    let age = Duration::from_secs(60);
    let mut scene = Scene::of(Namespace { history: 10, history_age: age, ..Namespace::default() });
    for n in 1..=15 {
        scene.publish("a", &n.to_string(), None);
        scene.now += 1000;
    }
    let at = |offset| Id { epoch: Epoch::from_entropy(1), offset };
    let page = |scene: &Scene, page, most| {
        let (messages, more) = scene.hub.history("a", page, most, scene.now);
        (messages.iter().map(|m| m.id.offset).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(&scene, Page::Newest, 4), (vec![12, 13, 14, 15], true));
    assert_eq!(page(&scene, Page::Before(at(12)), 4), (vec![8, 9, 10, 11], true));
    assert_eq!(page(&scene, Page::Before(at(8)), 4), (vec![6, 7], false));
    assert_eq!(page(&scene, Page::After(at(6)), 4), (vec![7, 8, 9, 10], true));
    assert_eq!(page(&scene, Page::After(at(14)), 4), (vec![15], false));
    let other = Id { epoch: Epoch::from_entropy(9), offset: 12 };
    assert_eq!(page(&scene, Page::Before(other), 4), (vec![], false));
    // The first that is kept is 9 s old by now.
    scene.now += 60_000 - 9_500;
    assert_eq!(page(&scene, Page::Newest, 100).0, [7, 8, 9, 10, 11, 12, 13, 14, 15]);
    scene.now += 60_000;
    assert_eq!(page(&scene, Page::Newest, 100), (vec![], false));
    let mut effects = Vec::new();
    scene.hub.expire(scene.now, &mut effects);
    assert!(scene.hub.is_empty());
}
