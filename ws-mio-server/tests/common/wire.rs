//! What stands between a browser and the server: a wire that can be cut and mended, or that lets no WebSocket
//! through, as some proxies do.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A wire to a server; it ends with the test's process.
pub struct Wire {
    pub address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    pub fn to(server: SocketAddr) -> Self {
        Self::start(server, false)
    }

    /// Answers whoever asks for a WebSocket with a status, and passes all else on.
    pub fn without_websockets(server: SocketAddr) -> Self {
        Self::start(server, true)
    }

    fn start(server: SocketAddr, blocks: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            is_cut: Arc::default(),
            streams: Arc::default(),
        };
        let (is_cut, streams) = (Arc::clone(&wire.is_cut), Arc::clone(&wire.streams));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Dropped: the client sees the end of the connection.
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                let pair = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                streams.lock().unwrap().extend(pair);
                let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(client, forth, blocks));
                thread::spawn(move || pass(server, back, false));
            }
        });
        wire
    }

    /// Ends all connections, and each new one.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, blocks: bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        // A browser's request comes in one read.
        let text = String::from_utf8_lossy(&buffer[..n]).to_ascii_lowercase();
        if blocks && text.starts_with("get ") && text.contains("\r\nupgrade: websocket") {
            let refusal =
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = from.write_all(refusal.as_bytes());
            break;
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
