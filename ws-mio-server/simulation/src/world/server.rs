//! One node: a server with its rooms, as it is started, killed, and started again.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ws_mio_server::backplane::Engine;
use ws_mio_server::backplane::model::Model;
use ws_mio_server::backplane::wire::{Event, Full, OnEvent, Request};
use ws_mio_server::hub::Epoch;
use ws_mio_server::settings::{Settings, Sources, command};
use ws_mio_server::simulation::{Network, Node, set_clock};
use ws_mio_server::{Ending, Handler, Message, OnSlow, Peer, PeerId, Server as Product};

use crate::app::{Chat, Echo, Relay, Rooms};
use crate::dice::Dice;
use crate::plan::{SECOND, Scale};

/// When a world begins, in microseconds since 1970.
const EPOCH: u64 = 1_800_000_000 * SECOND;

/// Deadlines are short, so that little time has much in it.
pub(super) const PING: u64 = 4 * SECOND;
pub(super) const DEADLINE: u64 = 2 * SECOND;

pub(super) type Log = Arc<Mutex<Model>>;

/// How often each connection was opened and has ended, as handlers are told.
pub(super) type Told = Arc<Mutex<BTreeMap<PeerId, (u32, u32)>>>;

pub(super) struct Server {
    pub(super) node: Option<Node>,
    pub(super) rooms: Option<Rooms>,
    pub(super) ports: Vec<usize>,
    /// When each event loop has its next turn.
    pub(super) due: Vec<Option<u64>>,
    pub(super) is_soon: Vec<bool>,
    pub(super) life: u64,
    /// How far its wall clock is off, in microseconds.
    pub(super) wall: i64,
    pub(super) frozen_until: u64,
    /// Until when what goes wrong on its connections is its own fault.
    pub(super) troubled_until: u64,
    pub(super) on_event: Option<OnEvent>,
    /// Until when its link to the log can't be there.
    pub(super) unlinked_until: u64,
    pub(super) is_linked: bool,
    pub(super) is_link_due: bool,
    pub(super) ticks: usize,
    /// How many of the next pushes are lost, if they are messages.
    pub(super) losses: u32,
    pub(super) told: Told,
}

/// What asks the log, for a node.
struct Link {
    log: Log,
    node: usize,
}

impl Engine for Link {
    fn request(&self, request: Request) -> Result<(), Full> {
        self.log.lock().unwrap().ask(self.node, request);
        Ok(())
    }

    fn waiting(&self) -> usize {
        0
    }
}

/// A handler whose connections are counted.
#[derive(Clone)]
struct Counted<H> {
    handler: H,
    told: Told,
}

impl<H: Handler> Handler for Counted<H> {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        self.told.lock().unwrap().entry(peer.id()).or_default().0 += 1;
        self.handler.on_open(peer);
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        self.handler.on_message(peer, message);
    }

    fn on_drain(&mut self, peer: &mut Peer<'_>) {
        self.handler.on_drain(peer);
    }

    fn on_gap(&mut self, peer: &mut Peer<'_>, messages: u32) {
        self.handler.on_gap(peer, messages);
    }

    fn on_close(&mut self, peer: &mut Peer<'_>, ending: Ending<'_>) {
        self.told.lock().unwrap().entry(peer.id()).or_default().1 += 1;
        self.handler.on_close(peer, ending);
    }
}

thread_local! {
    /// Settings that were read before: that takes longer than a short run.
    static READ: std::cell::RefCell<BTreeMap<String, Settings>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

fn settings(scale: &Scale) -> Settings {
    let mut flags = format!("--history {} --join-history 3 --presence-lease 4s", scale.history);
    if scale.nodes > 1 {
        flags.push_str(" --backplane redis://127.0.0.1");
        if scale.degrade {
            flags.push_str(" --backplane-policy degrade");
        }
    }
    READ.with_borrow_mut(|read| {
        let read = read.entry(flags).or_insert_with_key(|flags| {
            let words = std::iter::once("").chain(flags.split(' '));
            let matches = command().get_matches_from(words);
            let sources = Sources {
                flags: &matches,
                config: None,
                environment: std::iter::empty(),
                read: |_: &std::path::Path| Err(io::ErrorKind::NotFound.into()),
            };
            Settings::resolve(sources).map_err(|problems| problems.to_string()).unwrap()
        });
        read.clone()
    })
}

impl Server {
    pub(super) fn new(wall: i64) -> Self {
        Self {
            node: None,
            rooms: None,
            ports: Vec::new(),
            due: Vec::new(),
            is_soon: Vec::new(),
            life: 0,
            wall,
            frozen_until: 0,
            troubled_until: 0,
            on_event: None,
            unlinked_until: 0,
            is_linked: false,
            is_link_due: false,
            ticks: 0,
            losses: 0,
            told: Told::default(),
        }
    }

    /// What follows is done by this node, by its clocks.
    pub(super) fn enter(&self, now: u64) {
        let unix = (EPOCH + now).saturating_add_signed(self.wall);
        set_clock(Duration::from_micros(now), Duration::from_micros(unix));
    }

    pub(super) fn start(
        &mut self,
        number: usize,
        now: u64,
        scale: &Scale,
        network: &Network,
        log: &Log,
        dice: &mut Dice,
    ) {
        self.enter(now);
        let settings = settings(scale);
        let told = Told::default();
        let entropy = dice.next();
        let rooms = match settings.cluster() {
            None => Rooms::new(settings.rooms().unwrap(), Epoch::from_entropy(entropy)),
            Some(cluster) => {
                let (on_event, link) =
                    (&mut self.on_event, Link { log: Arc::clone(log), node: number });
                Rooms::share_by(settings.rooms().unwrap(), &cluster, entropy, |told| {
                    *on_event = Some(told);
                    Ok(Box::new(link))
                })
                .unwrap()
            }
        };
        let micros = Duration::from_micros;
        let on_slow = if scale.drops { OnSlow::DropOldest } else { OnSlow::Close };
        let counted = |chat| Counted { handler: chat, told: Arc::clone(&told) };
        let builder = Product::builder()
            .route("/echo", Counted { handler: Echo, told: Arc::clone(&told) })
            .route("/chat/{room}", counted(Chat::new(rooms.clone())))
            .route(
                "/relay/{room}",
                Counted { handler: Relay::new(rooms.clone()), told: Arc::clone(&told) },
            )
            .deflate(ws_mio_server::Deflate::Off)
            .max_message(128 * 1024)
            .max_queued(scale.queued)
            .on_slow(on_slow)
            .stall_timeout(micros(scale.stall))
            .ping_interval(Some(micros(PING)))
            .pong_timeout(micros(DEADLINE))
            .handshake_timeout(micros(DEADLINE))
            .close_timeout(micros(DEADLINE))
            .keep_alive(micros(DEADLINE))
            .remember_ended(100_000);
        self.ports = (0..scale.workers).map(|_| network.port()).collect();
        let node = Node::new(builder, network, &self.ports).unwrap();
        rooms.attach(node.handle().clone());
        self.due = vec![Some(now); scale.workers];
        self.is_soon = vec![true; scale.workers];
        (self.node, self.rooms, self.told) = (Some(node), Some(rooms), told);
        (self.is_linked, self.frozen_until, self.ticks) = (false, now, 0);
        self.life += 1;
    }

    /// All of it is gone at once.
    pub(super) fn stop(&mut self, now: u64) {
        self.enter(now);
        (self.node, self.rooms, self.on_event) = (None, None, None);
        self.is_linked = false;
    }

    /// The log tells something.
    pub(super) fn tell(&mut self, now: u64, event: Event) {
        self.enter(now);
        if let Some(on_event) = &mut self.on_event {
            on_event(vec![event]);
        }
    }
}
