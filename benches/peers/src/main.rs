//! Echo servers on the WebSocket crates of others: `peers NAME` is one of them, `peers` lists all.
//!
//! Each is written as its documentation tells to, on a single thread, with `TCP_NODELAY`, and with the
//! means that the crate has to spare system calls. The opening handshake is not what is compared, and
//! the same for all.

mod frames;
mod handshake;
mod streams;
mod sync;

use std::env;
use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use handshake::Path;
use streams::Flush;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Names, the crate that each is on, and whether it serves `/relay` too.
///
/// What ends in `/batch` sends when there is nothing more to read, the others after each message.
const PEERS: [(&str, &str, bool); 13] = [
    ("tungstenite", "tungstenite", false),
    ("tokio-tungstenite", "tokio-tungstenite", true),
    ("tokio-tungstenite/batch", "tokio-tungstenite", true),
    ("tokio-websockets", "tokio-websockets", true),
    ("tokio-websockets/batch", "tokio-websockets", true),
    ("fastwebsockets", "fastwebsockets", false),
    ("soketto", "soketto", false),
    ("sockudo-ws", "sockudo-ws", true),
    ("sockudo-ws/batch", "sockudo-ws", true),
    ("sockudo-ws/protocol", "sockudo-ws", false),
    ("web-socket", "web-socket", false),
    ("yawc", "yawc", true),
    ("yawc/batch", "yawc", true),
];

/// Everyone in the only room: who sent a message, and the message.
type Room<M> = broadcast::Sender<(u64, M)>;

/// A limit that no point reaches: the crates' own are from 1 MiB to 64 MiB.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

fn main() -> Result<()> {
    let Some(name) = env::args().nth(1) else {
        for (name, of, relays) in PEERS {
            println!("{name} {} {}", version(of), if relays { "echo relay" } else { "echo" });
        }
        return Ok(());
    };
    let flush = if name.ends_with("/batch") { Flush::Idle } else { Flush::Each };
    match name.as_str() {
        "tungstenite" => sync::serve(),
        "tokio-tungstenite" | "tokio-tungstenite/batch" => {
            serve(move |stream, path, room| async move {
                use tokio_tungstenite::WebSocketStream;
                use tungstenite::Message;
                use tungstenite::protocol::Role;
                let config = Some(sync::config());
                let ws = WebSocketStream::from_raw_socket(stream, Role::Server, config).await;
                let is_data = |message: &Message| message.is_text() || message.is_binary();
                streams::run(ws, is_data, flush, path, &room).await;
            })
        }
        "tokio-websockets" | "tokio-websockets/batch" => {
            serve(move |stream, path, room| async move {
                use tokio_websockets::{Config, Limits, Message, ServerBuilder};
                let ws = ServerBuilder::new()
                    .config(Config::default().frame_size(usize::MAX))
                    .limits(Limits::unlimited())
                    .serve(stream);
                let is_data = |message: &Message| message.is_text() || message.is_binary();
                streams::run(ws, is_data, flush, path, &room).await;
            })
        }
        "sockudo-ws" | "sockudo-ws/batch" => serve(move |stream, path, room| async move {
            use sockudo_ws::{Config, Message, WebSocketStream};
            let ws = WebSocketStream::server(stream, Config::default());
            let is_data =
                |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_));
            streams::run(ws, is_data, flush, path, &room).await;
        }),
        "yawc" | "yawc/batch" => serve(move |stream, path, room| async move {
            use yawc::{Frame, OpCode, Options, Role, WebSocket, WebSocketError};
            let options = Options::default().with_limits(MAX_MESSAGE, MAX_MESSAGE);
            let Ok(ws) = WebSocket::from_stream(stream, Role::Server, options) else { return };
            let is_data = |frame: &Frame| matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
            streams::run(ws.map(Ok::<_, WebSocketError>), is_data, flush, path, &room).await;
        }),
        "fastwebsockets" => serve(|stream, _, _: Room<()>| frames::fastwebsockets(stream)),
        "soketto" => serve(|stream, _, _: Room<()>| frames::soketto(stream)),
        "sockudo-ws/protocol" => serve(|stream, _, _: Room<()>| frames::sockudo(stream)),
        "web-socket" => serve(|stream, _, _: Room<()>| frames::web_socket(stream)),
        _ => Err(format!("{name} is unknown; without a name, this lists all").into()),
    }
}

/// Runs a task for each connection, all on this thread.
fn serve<M, F>(connection: impl Fn(TcpStream, Path, Room<M>) -> F) -> Result<()>
where
    M: Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("ws://{}/", listener.local_addr()?);
        let room = broadcast::channel(1024).0;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let path = handshake::accept(&mut stream).await?;
            let connection = connection(stream, path, room.clone());
            tokio::task::spawn(tokio::task::unconstrained(connection));
        }
    })
}

/// Another for each connection.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Which version of a crate this was built with.
fn version(of: &str) -> &'static str {
    let mut lines = include_str!("../Cargo.lock").lines();
    let name = format!("name = \"{of}\"");
    let version = lines.find(|line| *line == name).and_then(|_| lines.next());
    version.and_then(|line| line.split('"').nth(1)).unwrap_or("?")
}
