use super::{Recorder, Wish};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use ws_proto::deflate::Agreement;

/// A directory of this test's own, which is gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("ws-mio-server-recording-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn recorder(&self, each: u64, all: u64) -> Arc<Recorder> {
        let wish = Wish { directory: self.0.clone(), each, all };
        Arc::new(Recorder::new(wish).unwrap())
    }

    fn files(&self) -> Vec<String> {
        let mut paths: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_connection_is_a_file() {
    let directory = Directory::new("file");
    let recorder = directory.recorder(10_000, 10_000);
    let mut one = recorder.begin(at(500)).unwrap();
    one.came(b"GET /?s3cret HTTP/1.1\r\nCookie: a");
    one.write(at(500));
    one.came(b"b\r\n\r\n\x81\x80abcd");
    one.opened(41, 6, 1000, Some(Agreement::default()), at(1500));
    one.settle(at(1500));
    let sent = [b"HTTP/1.1 101 \r\n\r\n\x81\0".as_slice(), b"not all"].map(io::IoSlice::new);
    one.sent(&sent, 19, at(1500));
    one.write(at(1500));
    one.came(b"\\ ");
    one.write(at(1501));
    one.ended(None);
    one.write(at(1502));
    one.closed(at(1503));
    let mut other = recorder.begin(at(500)).unwrap();
    other.ended(Some(&io::ErrorKind::ConnectionReset.into()));
    other.write(at(510));
    other.closed(at(511));
    let due = [
        "ws-mio-server recording 1\n\
         0.000000 > GET /?****** HTTP/1.1\\r\\nCookie: *\n\
         1.000000 > *\\r\\n\\r\\n\n\
         1.000000 websocket head=41 max-message=1000 deflate=15+/15+\n\
         1.000000 > \\x81\\x80abcd\n\
         1.000000 < HTTP/1.1 101 \\r\\n\\r\\n\\x81\\x00\n\
         1.001000 > \\\\\\x20\n\
         1.002000 eof\n\
         1.003000 closed\n",
        "ws-mio-server recording 1\n\
         0.010000 broken connection reset\n\
         0.011000 closed\n",
    ];
    assert_eq!(directory.files(), due);
}

#[test]
fn limits_hold_for_each_and_for_all() {
    let directory = Directory::new("limits");
    let recorder = directory.recorder(200, 500);
    let fill = || {
        let Some(mut recording) = recorder.begin(at(0)) else { return false };
        for _ in 0..10 {
            recording.came(&[b'-'; 60]);
            recording.write(at(0));
        }
        recording.closed(at(0));
        true
    };
    assert!(fill());
    let file = &directory.files()[0];
    assert!(file.len() <= 200 && file.ends_with("0.000000 full\n"), "{file}");
    while fill() {}
    let sum = directory.files().iter().map(String::len).sum::<usize>();
    assert!((450..=550).contains(&sum), "{sum}");
    // What is there counts, also when the server has started again.
    assert!(directory.recorder(200, 500).begin(at(0)).is_none());
    assert!(directory.recorder(200, 5000).begin(at(0)).is_some());
}

#[test]
fn frames_that_are_not_known_end_the_recording() {
    let directory = Directory::new("lost");
    let mut recording = directory.recorder(1000, 1000).begin(at(0)).unwrap();
    recording.came(b"GET / HTTP/1.1\r\n\r\n");
    recording.write(at(0));
    recording.opened(18, 6, 1000, None, at(1));
    recording.came(b"s3cret");
    recording.write(at(1));
    recording.closed(at(2));
    let due = "ws-mio-server recording 1\n0.000000 > GET / HTTP/1.1\\r\\n\\r\\n\n0.001000 lost\n";
    assert_eq!(directory.files(), [due]);
}
