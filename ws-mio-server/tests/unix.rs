//! Unix sockets: who connects, and what becomes of their files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use common::{LIMIT, TEXT, echo, frame, request, serve};
use ws_mio_server::{Adopted, Handler, Message, Peer, Server};

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ws-unix-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

/// Says whom a proxy speaks for.
#[derive(Clone)]
struct Who;

impl Handler for Who {
    fn on_message(&mut self, peer: &mut Peer<'_>, _: Message<'_>) {
        let client = peer.forwarded_for().map_or("nobody".to_owned(), |client| client.to_string());
        peer.send(client.as_str());
    }
}

/// Opens a connection, sends a message, and comes to the one that comes back.
fn exchange(path: &Path, target: &str, fields: &str, message: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request = request(target);
    let request = format!("{}{fields}\r\n\r\n", request.trim_end_matches("\r\n\r\n"));
    stream.write_all(&[request.as_bytes(), &frame(TEXT, message.as_bytes())].concat()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    let mut start = [0; 2];
    stream.read_exact(&mut start).unwrap();
    let mut payload = vec![0; start[1].into()];
    stream.read_exact(&mut payload).unwrap();
    String::from_utf8(payload).unwrap()
}

#[test]
fn peers_connect_by_a_unix_socket_and_by_tcp() {
    let folder = Folder::new("echo");
    let path = folder.0.join("socket");
    let builder = echo().workers(2).route("/who", Who).trust_proxy("127.0.0.1".parse().unwrap());
    let mut server = serve(builder.listen_unix(&path));
    for i in 0..20 {
        let message = format!("message {i}");
        assert_eq!(exchange(&path, "/echo", "", &message), message);
    }
    server.open("/echo").echo("by TCP");
    let fields = "\r\nX-Forwarded-For: 192.0.2.1";
    assert_eq!(exchange(&path, "/who", fields, "?"), "192.0.2.1");
    server.handle.shutdown();
    server.join();
    assert!(!path.exists(), "the file is gone with the server");
}

#[test]
fn what_a_server_has_left_is_replaced_and_nothing_else_is() {
    let folder = Folder::new("files");
    let path = folder.0.join("socket");
    let refused = |path: &Path| {
        let addresses: &[std::net::SocketAddr] = &[];
        let error = Server::builder().listen_unix(path).bind(addresses).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    };
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = serve(echo().listen_unix(&path));
    refused(&path);
    assert_eq!(exchange(&path, "/echo", "", "undisturbed"), "undisturbed");
    drop(server);
    let file = folder.0.join("file");
    fs::write(&file, "precious").unwrap();
    refused(&file);
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    refused(&folder.0.join("nowhere/socket"));
}

#[test]
fn sockets_that_listen_already_are_adopted() {
    let path = std::env::temp_dir().join(format!("ws-adopted-{}.sock", std::process::id()));
    let (unix, tcp) =
        (UnixListener::bind(&path).unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = tcp.local_addr().unwrap();
    let builder = echo().workers(2).adopt(unix, Adopted::Plain).adopt(tcp, Adopted::Plain);
    let server = builder.bind(&[][..]).unwrap();
    assert_eq!(server.local_addrs(), [address]);
    assert_eq!(server.unix_paths(), [path.as_path()]);
    let handle = server.handle();
    let running = std::thread::spawn(|| server.run());
    let mut client = common::Client::connect(address);
    client.upgrade("/echo");
    client.echo("by TCP");
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request("/echo").as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    drop((client, stream));
    handle.shutdown();
    running.join().unwrap().unwrap();
    // What somebody else has bound is theirs to remove.
    fs::remove_file(path).unwrap();
    // A socket that does not listen can't be served.
    let connected =
        TcpStream::connect(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let error = echo().adopt(connected.unwrap(), Adopted::Plain).bind(&[][..]).unwrap_err();
    assert!(error.to_string().contains("socket 1"), "{error}");
}
