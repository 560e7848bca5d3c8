//! `ws-mio-server gen`: configurations of proxies that work.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::cli::{Backend, GenArgs, Proxy};

/// The configuration that is asked for.
pub(crate) fn configuration(args: &GenArgs) -> Result<String, String> {
    let mut text = head(args);
    text.push_str(&match args.proxy {
        Proxy::Nginx => nginx(args)?,
        Proxy::Haproxy => haproxy(args)?,
    });
    Ok(text)
}

/// What it is, and how servers are started behind it.
fn head(args: &GenArgs) -> String {
    let mut text =
        String::from("# Written by `ws-mio-server gen`. Start each server behind it with\n");
    let protocol = if args.proxy_protocol { " --proxy-protocol" } else { "" };
    let shared = match args.backend.len() {
        0 | 1 => "",
        _ => " --backplane redis://HOST:PORT",
    };
    for backend in &args.backend {
        let listen = match backend {
            Backend::Address(address) => address.to_string(),
            Backend::Name(_, port) => format!("0.0.0.0:{port}"),
        };
        // A string takes everything.
        let _ = writeln!(
            text,
            "#   ws-mio-server --listen {listen} --trusted-proxy ADDRESS-OF-THIS-PROXY{protocol}{shared}"
        );
    }
    text.push_str("# and a --ping-interval well below the idle timeout here.\n");
    if !shared.is_empty() {
        text.push_str("# The same --backplane makes them one: rooms are on all of them, and clients on any.\n");
    }
    text
}

fn nginx(args: &GenArgs) -> Result<String, String> {
    if args.proxy_protocol {
        return Err(
            "nginx can't tell the client's address by the PROXY protocol over HTTP: it does so \
                    by X-Forwarded-For, as it is"
                .to_owned(),
        );
    }
    let tls = match (&args.certificate, &args.key) {
        (Some(certificate), Some(key)) => format!(
            "    ssl_certificate {};\n    ssl_certificate_key {};\n",
            quoted(certificate)?,
            quoted(key)?
        ),
        (Some(_), None) => {
            return Err("nginx wants the certificate's key in a file: --key FILE".to_owned());
        }
        (None, _) => String::new(),
    };
    let ssl = if tls.is_empty() { "" } else { " ssl" };
    let GenArgs { listen, .. } = args;
    let servers = each(&args.backend, |backend, _| format!("    server {backend} max_fails=0;\n"));
    let idle = time(args.idle_timeout);
    Ok(format!(
        r#"
map $http_upgrade $ws_connection {{
    default upgrade;
    ''      '';
}}

upstream ws_mio_server {{
    least_conn;
    # Each request may ask all of them: one that drains is back in a moment.
{servers}}}

server {{
    listen {listen}{ssl};
{tls}
    # For those who run the servers, not for everyone.
    location = /metrics {{
        return 404;
    }}

    location / {{
        proxy_pass http://ws_mio_server;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $ws_connection;
        # As the client sent it, with its port: browsers may connect from pages of the same host.
        proxy_set_header Host $http_host;
        # What the client says of itself is not passed on.
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_buffering off;
        # What does not answer at all is asked no longer than that by each who comes.
        proxy_connect_timeout 2s;
        # A server that drains answers 503, one that has stopped nothing: the next one is asked.
        proxy_next_upstream error timeout http_503;
        proxy_read_timeout {idle};
        proxy_send_timeout {idle};
    }}
}}
"#
    ))
}

fn haproxy(args: &GenArgs) -> Result<String, String> {
    if args.key.is_some() {
        return Err("haproxy wants certificate and key in one file: --certificate FILE".to_owned());
    }
    let tls = match &args.certificate {
        Some(certificate) => format!(" ssl crt {} alpn http/1.1", quoted(certificate)?),
        None => String::new(),
    };
    let (field, send) = match args.proxy_protocol {
        true => ("", " send-proxy-v2 check-send-proxy"),
        false => ("    option forwardfor\n", ""),
    };
    let GenArgs { listen, .. } = args;
    let servers = each(&args.backend, |backend, number| {
        format!("    server ws{number} {backend} check inter 1s fall 1 rise 1{send}\n")
    });
    let idle = time(args.idle_timeout);
    Ok(format!(
        r"
defaults
    mode http
    timeout connect 5s
    timeout http-request 5s
    timeout client {idle}
    timeout server {idle}
    timeout tunnel {idle}

frontend ws_mio_server
    bind {listen}{tls}
    # For those who run the servers, not for everyone.
    http-request return status 404 if {{ path /metrics }}
    default_backend ws_mio_servers

backend ws_mio_servers
    balance leastconn
{field}    # A server that drains takes nobody new; those whom it still gets are sent to another one.
    option httpchk GET /readyz
    option redispatch
    retry-on conn-failure empty-response 503
    retries 3
{servers}"
    ))
}

fn each(backends: &[Backend], line: impl Fn(&Backend, usize) -> String) -> String {
    backends.iter().zip(1..).map(|(backend, number)| line(backend, number)).collect()
}

/// A time as both proxies read it.
fn time(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", time.as_millis()),
    }
}

/// A path in double quotes, as both proxies read it.
fn quoted(path: &Path) -> Result<String, String> {
    let text = path.to_str().filter(|text| !text.contains(['"', '\\', '$', '\n', '\r']));
    let text = text.ok_or_else(|| format!("{}: no proxy reads such a name", path.display()))?;
    Ok(format!("\"{text}\""))
}
