//! The pages and the client as they are served: to whom, and under which policy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;
#[path = "common/program.rs"]
mod program;

use std::net::SocketAddr;

use common::Client;
use program::Program;

/// Head and body of the answer to a plain request.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut client = Client::connect(address);
    let host = "Host: a\r\nConnection: close\r\n";
    client.write(format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes());
    let answer = String::from_utf8(client.rest()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// The paths that a page or a script takes others from.
fn references(at: &str, text: &str) -> Vec<String> {
    let folder = &at[..=at.rfind('/').unwrap()];
    let marks = ["src=\"", "href=\"", "from \""];
    let found = marks.iter().flat_map(|mark| text.split(mark).skip(1));
    let names = found.map(|rest| rest.split('"').next().unwrap());
    let path = |name: &str| match (name.strip_prefix("../"), name.strip_prefix("./")) {
        _ if name.starts_with('/') => name.to_owned(),
        (Some(name), _) => format!("/{name}"),
        (_, Some(name)) => format!("{folder}{name}"),
        _ => format!("{folder}{name}"),
    };
    names.filter(|name| !name.starts_with('#')).map(path).collect()
}

/// Checks a page and all that it loads; returns the paths.
fn check(address: SocketAddr, page: &str) -> Vec<String> {
    let mut paths = vec![page.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if path == "/metrics" {
            continue;
        }
        let (head, body) = get(address, &path);
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert!(head.contains("\r\nx-content-type-options: nosniff"), "{path}: {head}");
        let kind = head.split("content-type: ").nth(1).unwrap().lines().next().unwrap();
        let due = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(kind, due, "{path}");
        if due.starts_with("text/html") {
            assert!(head.contains("\r\nreferrer-policy: no-referrer"), "{head}");
            let policy = head.split("content-security-policy: ").nth(1).unwrap();
            let policy = policy.lines().next().unwrap();
            for due in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
                assert!(policy.contains(due), "{policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            // Nothing that the policy forbids is needed.
            for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
                assert!(!body.contains(inline), "{path} has {inline}");
            }
            assert!(
                !body.split("<script").skip(1).any(|tag| !tag.starts_with(" type=\"module\" src="))
            );
        }
        if !path.ends_with(".svg") && !path.ends_with(".css") && path != "/client.js" {
            for found in references(&path, &body) {
                if !paths.contains(&found) {
                    paths.push(found);
                }
            }
        }
    }
    paths
}

#[test]
fn the_page_loads_what_is_served_under_a_strict_policy() {
    let program = Program::with(&[]);
    let paths = check(program.address(), "/");
    for path in ["/client.js", "/assets/chat.js", "/assets/words.js", "/assets/chat.css"] {
        assert!(paths.iter().any(|found| found == path), "{path} is not among {paths:?}");
    }
    // Pages of others may load the client, as they could from a registry.
    for path in ["/client.js", "/client.d.ts"] {
        let (head, _) = get(program.address(), path);
        assert!(head.contains("\r\naccess-control-allow-origin: *"), "{head}");
    }
}

#[test]
fn pages_for_operators_are_where_they_are() {
    let program = Program::with(&["--admin-listen", "127.0.0.1:0"]);
    let admin = program.url("admin").strip_prefix("http://").unwrap();
    let admin: SocketAddr = admin.split('/').next().unwrap().parse().unwrap();
    let paths = check(admin, "/admin");
    assert!(paths.len() >= 4, "{paths:?}");
    for path in paths.iter().filter(|path| *path != "/metrics") {
        let (head, _) = get(program.address(), path);
        assert!(head.starts_with("http/1.1 404 "), "{path} is served to everyone: {head}");
    }
    let (head, _) = get(admin, "/");
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}

#[test]
fn scripts_make_no_html_of_text() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/web");
    let mut scripts = 0;
    for part in ["", "chat", "admin"] {
        for entry in std::fs::read_dir(std::path::Path::new(folder).join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "js") {
                continue;
            }
            scripts += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
            ] {
                assert!(!text.contains(way), "{} has {way}", path.display());
            }
        }
    }
    assert!(scripts >= 5, "{scripts}");
}
