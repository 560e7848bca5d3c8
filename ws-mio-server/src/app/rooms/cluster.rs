//! Rooms that several nodes have, by what they share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use ws_mio_server::backplane::redis::{Options, Redis};
use ws_mio_server::backplane::wire::{Event, Push, Request, RoomList};
use ws_mio_server::backplane::{
    Act, Directory, Engine, Lease, Node, Now, OnEvent, Out, Policy, Settings,
};
use ws_mio_server::hub::{Effect, Epoch, Hub, Publish, Welcome};
use ws_mio_server::settings::cluster::ClusterSettings;
use ws_mio_server::settings::rooms::RoomSettings;
use ws_mio_server::{CloseCode, Message as Frame, PeerId, Shared};

use super::others::NOTICE;
use super::perform::Call;
use super::{Answer, BINARY, Inner, Read, Rooms, Shard, TEXT, Told, lock};
use crate::app::chat::wire::{self, Complaint, RETRY_AFTER};
use crate::clock::{self, Clock};

/// What there is of other nodes.
pub(super) struct Cluster {
    settings: Settings,
    seed: u64,
    lease: Mutex<Lease>,
    engine: OnceLock<Box<dyn Engine>>,
    is_up: AtomicBool,
    clock: Clock,
    pub(super) directory: Mutex<Directory<Told<Option<RoomList>>>>,
}

/// The tags of shards are their numbers and one, modulo this; those of the list of rooms are one less, and that of the
/// lease is this.
const STEP: u64 = 66;

impl Cluster {
    fn new(settings: &ClusterSettings, name: &str, seed: u64) -> Self {
        let within = u64::try_from(settings.lease.as_millis()).unwrap_or(u64::MAX);
        let lease = Lease::new(name, settings.lease, STEP);
        let policy = settings.policy;
        let directory = Directory::new(name, settings.lease, (STEP.saturating_sub(1), STEP));
        let settings = Settings { policy, lease: Lease::length(within), ..Settings::new(name) };
        let (engine, is_up, clock) = (OnceLock::new(), AtomicBool::new(false), Clock::start());
        let (lease, directory) = (Mutex::new(lease), Mutex::new(directory));
        Self { settings, seed, lease, engine, is_up, clock, directory }
    }

    /// What a shard needs.
    pub(super) fn node(&self, number: usize) -> Node<PeerId, Answer> {
        let number = u64::try_from(number).unwrap_or(0);
        let seed = self.seed.wrapping_add(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        Node::new(self.settings.clone(), seed, (number.saturating_add(1), STEP))
    }

    pub(super) fn now(&self) -> Now {
        let steady = u64::try_from(self.clock.running().as_millis()).unwrap_or(u64::MAX);
        Now { unix: clock::unix_millis(), steady }
    }

    /// What this node is called.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// Whether the others can be reached.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Whether what is published is taken.
    pub(super) fn is_ready(&self) -> bool {
        self.is_up() || self.settings.policy == Policy::Degrade
    }

    /// How many requests are not answered.
    pub(super) fn waiting(&self) -> usize {
        self.engine.get().map_or(0, |engine| engine.waiting())
    }

    fn lease<T>(&self, act: impl FnOnce(&mut Lease) -> T) -> T {
        act(&mut self.lease.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for something; `false`: too much waits.
    pub(super) fn ask(&self, request: Request) -> bool {
        self.engine.get().is_some_and(|engine| engine.request(request).is_ok())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let resign = self.lease(|lease| lease.resign());
        self.ask(resign);
    }
}

impl Rooms {
    /// Rooms that this node shares with others by Redis. `entropy` is drawn at random.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn share(
        settings: RoomSettings,
        cluster: &ClusterSettings,
        entropy: u64,
    ) -> std::io::Result<Self> {
        Self::share_by(settings, cluster, entropy, |on_event| {
            let options = Options { prefix: cluster.prefix.clone(), ..Options::default() };
            Ok(Box::new(Redis::start(&cluster.target, &options, on_event)?))
        })
    }

    /// The same by whatever engine is started.
    ///
    /// # Errors
    /// It can't be.
    pub(crate) fn share_by(
        settings: RoomSettings,
        cluster: &ClusterSettings,
        entropy: u64,
        start: impl FnOnce(OnEvent) -> std::io::Result<Box<dyn Engine>>,
    ) -> std::io::Result<Self> {
        let epoch = Epoch::from_entropy(entropy);
        let name = format!("{}.{epoch}", cluster.name.as_deref().unwrap_or("node"));
        let rooms: Arc<OnceLock<Weak<Inner>>> = Arc::default();
        let told = Arc::clone(&rooms);
        let on_event = move |events: Vec<Event>| {
            if let Some(inner) = told.get().and_then(Weak::upgrade) {
                let rooms = Self(inner);
                events.into_iter().for_each(|event| rooms.told(event));
            }
        };
        let shared = Cluster::new(cluster, &name, entropy);
        let these = Self::with_store(settings, epoch, None, None, Some(shared));
        let _ = rooms.set(Arc::downgrade(&these.0));
        let engine = start(Box::new(on_event))?;
        if let Some(cluster) = &these.0.cluster {
            let _ = cluster.engine.set(engine);
        }
        Ok(these)
    }

    /// Whether there may be other nodes.
    pub(crate) fn is_clustered(&self) -> bool {
        self.0.cluster.is_some()
    }

    /// Takes what the engine tells.
    fn told(&self, event: Event) {
        let Some(cluster) = &self.0.cluster else { return };
        let now = cluster.now();
        match &event {
            Event::Up => {
                tracing::info!(node = &*cluster.settings.name, "the backplane is there");
            }
            Event::Down { why } => {
                tracing::warn!(%why, "the backplane is away: other nodes can't be reached");
            }
            _ => {}
        }
        let peers = cluster.lease(|lease| lease.handle(&event, now.steady));
        self.ask_directory(|directory, now, found| directory.handle(&event, now, found));
        match event {
            Event::Up | Event::Down { .. } => {
                let is_up = event == Event::Up;
                for shard in self.0.shards.iter() {
                    let event = event.clone();
                    self.turn_node_at(lock(shard), |node, hub, now, out| {
                        node.handle(hub, event, now, out);
                    });
                }
                // What is told is so for all rooms by now.
                cluster.is_up.store(is_up, Ordering::Relaxed);
                self.tell_ready();
                self.tick_lease();
            }
            Event::Reply { tag, .. } => {
                if let Some(peers) = peers {
                    for node in &peers.gone {
                        tracing::warn!(%node, "a node is gone");
                    }
                    for shard in self.0.shards.iter() {
                        self.turn_node_at(lock(shard), |node, hub, now, out| {
                            node.peers(hub, &peers.alive, &peers.gone, now, out);
                            if peers.was_late {
                                node.reassert();
                            }
                        });
                    }
                }
                let number = usize::try_from(tag % STEP).unwrap_or(0).wrapping_sub(1);
                if let Some(shard) = self.0.shards.get(number) {
                    self.turn_node_at(lock(shard), |node, hub, now, out| {
                        node.handle(hub, event, now, out);
                    });
                }
            }
            Event::Push(Push::Shout { from, payload }) => {
                if from != cluster.settings.name {
                    self.shouted(&payload);
                }
            }
            Event::Push(
                Push::Message { ref room, .. }
                | Push::Present { ref room, .. }
                | Push::Whisper { ref room, .. }
                | Push::Lost { ref room },
            ) => {
                let room = Arc::clone(room);
                self.turn_node(&room, |node, hub, now, out| node.handle(hub, event, now, out));
            }
        }
    }

    fn tick_lease(&self) {
        let Some(cluster) = &self.0.cluster else { return };
        if let Some(request) = cluster.lease(|lease| lease.tick(cluster.now().steady)) {
            cluster.ask(request);
        }
    }

    /// To be called a few times a second.
    pub(super) fn tick_nodes(&self) {
        if !self.is_clustered() {
            return;
        }
        self.tick_lease();
        for shard in self.0.shards.iter() {
            self.turn_node_at(lock(shard), Node::tick);
        }
        self.tick_directory();
    }

    /// A turn at a room that other nodes have, too.
    pub(super) fn turn_node<T>(
        &self,
        room: &str,
        act: impl FnOnce(
            &mut Node<PeerId, Answer>,
            &mut Hub<PeerId, Answer>,
            Now,
            &mut Out<PeerId, Answer>,
        ) -> T,
    ) -> Option<T> {
        self.turn_node_at(self.shard(room), act)
    }

    fn turn_node_at<T>(
        &self,
        mut shard: std::sync::MutexGuard<'_, Shard>,
        act: impl FnOnce(
            &mut Node<PeerId, Answer>,
            &mut Hub<PeerId, Answer>,
            Now,
            &mut Out<PeerId, Answer>,
        ) -> T,
    ) -> Option<T> {
        let cluster = self.0.cluster.as_ref()?;
        let (now, mut out) = (cluster.now(), Out::default());
        let Shard { hub, node, .. } = &mut *shard;
        let result = act(node.as_mut()?, hub, now, &mut out);
        let mut calls = Vec::new();
        loop {
            let Out { acts, requests } = std::mem::take(&mut out);
            for act in acts {
                calls.extend(self.perform_act(&mut shard, act, now));
            }
            for request in requests {
                if !cluster.ask(request.clone()) {
                    let Shard { hub, node, .. } = &mut *shard;
                    node.as_mut()?.not_taken(hub, request, now, &mut out);
                }
            }
            if out.acts.is_empty() && out.requests.is_empty() {
                break;
            }
        }
        drop(shard);
        for call in calls {
            call();
        }
        Some(result)
    }

    fn perform_act(&self, shard: &mut Shard, act: Act<PeerId, Answer>, now: Now) -> Vec<Call> {
        match act {
            Act::Hub(effect) => {
                if let Effect::Welcome(Welcome { room, .. }) = &effect {
                    self.has_changed(room);
                }
                return self.perform(shard, vec![effect], now.unix);
            }
            Act::NotJoined { member, why, .. } => {
                let complaint = Complaint::from(why);
                let reason = format!("{}; retry-after={RETRY_AFTER}", complaint.message);
                self.send(member, &Shared::new(wire::error(&complaint).as_str()));
                self.with(|handle| handle.close(member, CloseCode::TRY_AGAIN_LATER, &reason));
            }
            Act::Transient { room, message } => {
                self.deliver(&room, &Shared::new(wire::transient(&message).as_str()), None);
            }
            Act::AcceptedHere { answer } => {
                if let Answer::Member { peer, client_id: Some(client_id) } = answer {
                    self.send(peer, &Shared::new(wire::ack_here(&client_id).as_str()));
                }
            }
            Act::Whispered { room, payload } => match payload.split_first() {
                Some((&TEXT, text)) => {
                    if let Ok(text) = str::from_utf8(text) {
                        self.deliver(&room, &Shared::new(text), None);
                    }
                }
                Some((&NOTICE, said)) => {
                    if let Ok(said) = str::from_utf8(said) {
                        let text = Self::notice(shard, &room, said, now.unix);
                        self.deliver(&room, &Shared::new(text.as_str()), None);
                    }
                }
                Some((&BINARY, bytes)) => {
                    self.deliver(&room, &Shared::new(Frame::Binary(bytes)), None);
                }
                _ => {}
            },
            Act::Read { answer: Answer::Read(tell), position, recovery, messages } => {
                let read = Read { position, recovery, messages };
                return vec![Box::new(|| tell(Ok(read)))];
            }
            Act::History { answer: Answer::History(tell), history } => {
                return vec![Box::new(|| tell(Ok(history)))];
            }
            Act::People { answer: Answer::People(tell), people } => {
                return vec![Box::new(|| tell(Ok(people)))];
            }
            // Each is asked with an answer of its own kind.
            Act::Read { .. } | Act::History { .. } | Act::People { .. } => {}
        }
        Vec::new()
    }

    pub(super) fn leave_node(&self, room: &str, peer: PeerId, quietly: bool) {
        self.turn_node(room, |node, hub, _, out| {
            node.leave(hub, room, peer, out);
            let is_left = |act: &Act<_, _>| matches!(act, Act::Hub(Effect::Left { .. }));
            out.acts.retain(|act| !quietly || !is_left(act));
        });
        self.has_changed(&Arc::from(room));
    }

    pub(super) fn publish_node(&self, publish: Publish<'_, PeerId, Answer>) {
        let room = publish.room;
        self.turn_node(room, |node, hub, now, out| {
            // Whoever is not in the room is told of an id, or that there is none.
            let is_member = matches!(publish.answer, Answer::Member { .. });
            if !node.is_up() && !is_member {
                let why = ws_mio_server::hub::Refused::LogAway;
                let effect = Effect::Refused { answer: publish.answer, why };
                return out.acts.push(Act::Hub(effect));
            }
            node.publish(hub, publish, now, out);
        });
    }
}
