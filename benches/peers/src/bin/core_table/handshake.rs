//! A request to open a connection: read, judged and answered (RFC 6455 §4.2).

use std::hint::black_box;

use futures_util::FutureExt;
use ws_proto::handshake::{Choice, Upgrade, head};

use crate::replay::Replay;
use crate::turns::{Column, Contender, Table, Unit};

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";

pub(crate) fn server() -> Table {
    let column = Column { title: "one".into(), per_call: 1, contenders: contenders() };
    Table { title: "Opening handshake of a server", unit: Unit::Nanoseconds, columns: vec![column] }
}

fn contenders() -> Vec<Contender> {
    let stream = Replay::new(REQUEST);
    let (sync, tokio, futures) = (stream.clone(), stream.clone(), stream);
    let mut out = Vec::new();
    vec![
        Contender::new("ws-proto", move || {
            out.clear();
            let request = head::request(black_box(REQUEST)).unwrap();
            let upgrade = Upgrade::parse(request.method, &request.fields).unwrap();
            black_box(upgrade.accept(Choice::default(), &mut out).unwrap());
        }),
        Contender::new("tungstenite", move || {
            let config = tungstenite::protocol::WebSocketConfig::default();
            let config = config.read_buffer_size(16 * 1024);
            let accepted = tungstenite::accept_with_config(sync.clone(), Some(config));
            assert!(black_box(accepted).is_ok());
        }),
        Contender::new("tokio-websockets", move || {
            let builder = tokio_websockets::ServerBuilder::new();
            let accepted = builder.accept(tokio.clone()).now_or_never();
            assert!(black_box(accepted).unwrap().is_ok());
        }),
        Contender::new("soketto", move || {
            let accepted = async {
                use soketto::handshake::Server;
                use soketto::handshake::server::Response;
                let mut server = Server::new(futures.clone());
                let key = server.receive_request().await.unwrap().key();
                server.send_response(&Response::Accept { key, protocol: None }).await.unwrap();
                server
            };
            black_box(accepted.now_or_never().unwrap());
        }),
        Contender::new("sockudo-ws", || {
            use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
            let (request, _) = parse_request(black_box(REQUEST)).unwrap().unwrap();
            black_box(build_response(&generate_accept_key(request.key), None, None));
        }),
        Contender::new("embedded-websocket", || {
            use embedded_websocket::{WebSocketServer, read_http_header};
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut fields);
            assert!(request.parse(black_box(REQUEST)).unwrap().is_complete());
            let fields = request.headers.iter().map(|field| (field.name, field.value));
            let context = read_http_header(fields).unwrap().unwrap();
            let mut out = [0; 1000];
            let mut server = WebSocketServer::new_server();
            server.server_accept(&context.sec_websocket_key, None, &mut out).unwrap();
            black_box(&out);
        }),
    ]
}
