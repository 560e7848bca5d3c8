//! Settings from made-up sources.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use proptest::prelude::*;

use crate::hub::Presence;

use super::{Problems, Settings, Sources, arguments, command, reference};

fn resolve(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Settings, Problems> {
    let flags = std::iter::once(&"").chain(flags);
    let matches = command().try_get_matches_from(flags).expect("flags that can be read");
    let environment = environment.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    Settings::resolve(Sources {
        flags: &matches,
        config: Some(Path::new("ws.toml")),
        environment: environment.collect::<Vec<_>>(),
        read: |_: &Path| Ok(file.to_owned()),
    })
}

fn line<'p>(printed: &'p str, name: &str) -> &'p str {
    let starts = |line: &&str| line.starts_with(&format!("{name} = "));
    printed.lines().find(starts).unwrap_or_else(|| panic!("{name} is not in {printed}"))
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let file =
        "max-message = \"2MiB\"\nworkers = 2\n\nlisten = [\n\"127.0.0.1:1\"]\ndeflate-level = 0x9";
    let environment =
        [("WSMIO_WORKERS", "3"), ("WSMIO_LISTEN", "127.0.0.1:2, 127.0.0.1:3"), ("HOME", "x")];
    let settings = resolve(file, &environment, &["--listen", "127.0.0.1:4"]).unwrap();
    let printed = settings.to_string();
    assert_eq!(line(&printed, "max-message"), "max-message = \"2MiB\"  # ws.toml:1");
    assert_eq!(line(&printed, "workers"), "workers = 3  # WSMIO_WORKERS");
    assert_eq!(line(&printed, "listen"), "listen = [\"127.0.0.1:4\"]  # command line");
    assert_eq!(line(&printed, "deflate-level"), "deflate-level = 9  # ws.toml:6");
    assert_eq!(line(&printed, "close-timeout"), "close-timeout = \"5s\"  # default");
    assert!(printed.contains("# auth-jwks is not set"), "{printed}");
    assert_eq!(settings.listen(), ["127.0.0.1:4".parse().unwrap()]);
    assert_eq!(settings.max_message(), 2 * 1024 * 1024);
    let settings = resolve(file, &environment, &[]).unwrap();
    assert_eq!(settings.listen().len(), 2);
    is_printed_as_it_is(&settings);
}

/// What is printed is a file that says the same.
fn is_printed_as_it_is(settings: &Settings) {
    let again = resolve(&settings.to_string(), &[], &[]).unwrap();
    assert_eq!(format!("{:?}", again.args), format!("{:?}", settings.args));
}

#[test]
fn texts_of_digits_are_printed_as_texts_where_numbers_would_say_something_else() {
    for value in ["063", "+5", "-0", "00", "4294967296", "0x10", "1_000"] {
        let settings = resolve("", &[], &[&format!("--record={value}")]).unwrap();
        is_printed_as_it_is(&settings);
    }
    let settings = resolve("workers = 3", &[], &["--record=63"]).unwrap();
    let printed = settings.to_string();
    assert_eq!(line(&printed, "workers"), "workers = 3  # ws.toml:1");
    is_printed_as_it_is(&settings);
}

#[test]
fn switches_are_true_or_false() {
    let is = |file: &str, environment: &[(&str, &str)]| {
        let printed = resolve(file, environment, &[]).unwrap().to_string();
        line(&printed, "insecure-no-auth").split("  #").next().unwrap().ends_with("true")
    };
    assert!(!is("", &[]));
    assert!(is("insecure-no-auth = true", &[]));
    assert!(!is("insecure-no-auth = false", &[]));
    assert!(!is("insecure-no-auth = true", &[("WSMIO_INSECURE_NO_AUTH", "0")]));
    assert!(is("insecure-no-auth = false", &[("WSMIO_INSECURE_NO_AUTH", "true")]));
    let flag = resolve("insecure-no-auth = false", &[], &["--insecure-no-auth"]).unwrap();
    assert_eq!(
        line(&flag.to_string(), "insecure-no-auth"),
        "insecure-no-auth = true  # command line"
    );
}

#[test]
fn what_is_wrong_is_told_all_at_once_with_its_place_and_what_is_due() {
    let problems = |file: &str, environment: &[(&str, &str)]| {
        resolve(file, environment, &[]).unwrap_err().to_string()
    };
    let all = problems(
        "max_message = 1\nworkers = 0\n[quux]\na = 1",
        &[("WSMIO_PING_INTERVALL", "1s"), ("WSMIO_DEFLATE", "maybe"), ("WSMIO_max_message", "1")],
    );
    for due in [
        "ws.toml:1: max_message is not a setting; is max-message meant?",
        "ws.toml:2: workers: invalid value '0' for '--workers <N>': 0 is not in 1..=1024",
        "ws.toml:3: quux is not a setting: `ws-mio-server print-config` prints all",
        "WSMIO_PING_INTERVALL is not a setting; is WSMIO_PING_INTERVAL meant?",
        "WSMIO_DEFLATE: deflate: invalid value 'maybe' for '--deflate <HOW>' [possible values: off, shared, dedicated]",
        "WSMIO_max_message is not a setting; is WSMIO_MAX_MESSAGE meant?",
    ] {
        assert!(all.lines().any(|line| line == due), "{due}\n is not in\n{all}");
    }
    assert_eq!(all.lines().count(), 6, "{all}");
    for (file, due) in [
        ("a = ", "ws.toml:1: "),
        ("\nworkers = 1\nworkers = 2", "ws.toml:3: "),
        ("workers = [1, 2]", "ws.toml:1: workers: one value is due"),
        ("workers = []", "one value is due"),
        ("workers = 1.5", "a whole number"),
        ("workers = 1979-05-27", "a whole number"),
        ("listen = [[\"a\"]]", "a list of texts"),
        ("listen = \"localhost\"", "127.0.0.1:8080"),
        ("insecure-no-auth = \"yes\"", "true or false"),
        ("max-message = \"--help\"", "'--help'"),
        ("handshake-timeout = \"0s\"", "5s"),
        ("\"a\\u001bb\" = 1", "a\\u{1b}b is not a setting"),
    ] {
        let said = problems(file, &[]);
        assert!(said.contains(due) && said.lines().count() == 1, "{file}: {said}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let url = "redis+sentinel://me:secret@a,b/1?master=m&sentinel-password=secret";
    let by_flag = resolve("", &[], &[&format!("--backplane={url}")]).unwrap();
    let printed = by_flag.to_string();
    assert_eq!(
        line(&printed, "backplane"),
        "backplane = \"redis+sentinel://me:***@a,b/1?master=m&sentinel-password=***\"  # command line"
    );
    assert!(!format!("{printed}{by_flag:?}").contains("secret"));
    // It is not taken for the password, and is as good as the rest where that comes from elsewhere.
    let error = resolve(&printed, &[], &[]).unwrap_err().to_string();
    assert!(error.contains("backplane") && error.contains("password-file=FILE"), "{error}");
    let again = resolve(&printed, &[("WSMIO_BACKPLANE", url)], &[]).unwrap();
    assert_eq!(again.args.cluster.backplane, by_flag.args.cluster.backplane);
    let by_file = "backplane = \"redis://me:@h?password-file=/run/secret\"";
    let printed = resolve(by_file, &[], &[]).unwrap().to_string();
    assert!(printed.contains(by_file), "{printed}");
    resolve(&printed, &[], &[]).unwrap();
    // Neither is it in what is said of a mistake, wherever it stands.
    for wrong in
        ["redis://me:secret@h:x", "redis://secret@h", "redis://me:sec/ret@h", "me:secret@h"]
    {
        let matches = command().try_get_matches_from(["", &format!("--backplane={wrong}")]);
        let of_flag = matches.unwrap_err().render().to_string();
        let of_file =
            resolve(&format!("backplane = \"{wrong}\""), &[], &[]).unwrap_err().to_string();
        for told in [of_flag, of_file] {
            assert!(told.contains("--backplane") && told.contains("***"), "{told}");
            assert!(!told.contains("sec"), "{told}");
        }
    }
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let matches = command().get_matches_from([""]);
    let sources = |environment: Vec<(OsString, OsString)>| Sources {
        flags: &matches,
        config: None,
        environment,
        read: |_: &Path| Err(io::Error::other("no such luck")),
    };
    let named = vec![("WSMIO_CONFIG".into(), "/a/b.toml".into())];
    let error = Settings::resolve(sources(named)).unwrap_err();
    assert_eq!(error.to_string(), "/a/b.toml: no such luck");
    assert!(Settings::resolve(sources(Vec::new())).is_ok());
}

#[test]
fn the_reference_is_current() {
    let file = include_str!("../../SETTINGS.md");
    assert!(
        file == reference(),
        "run: cargo run -- print-config --reference > ws-mio-server/SETTINGS.md"
    );
    for (name, arg) in arguments() {
        assert!(file.contains(&format!("\n## `{name}`\n")));
        assert!(arg.get_help().is_some(), "{name}");
    }
}

/// Names of settings and values that are nearly right, and anything.
fn word() -> impl Strategy<Value = String> {
    let names: Vec<String> = arguments().map(|(name, _)| name.to_owned()).collect();
    static VALUES: [&str; 13] = [
        "1",
        "-1",
        "5s",
        "0s",
        "1MiB",
        "127.0.0.1:0",
        "[::1]:0",
        "true",
        "off",
        "\"",
        "[",
        "=",
        "\n",
    ];
    prop_oneof![
        prop::sample::select(names),
        prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        ".{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_file_and_no_environment_panics(
        file in prop_oneof![
            "(?s).{0,200}",
            prop::collection::vec((word(), word()), 0..6).prop_map(|lines| {
                lines.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
            }),
        ],
        environment in prop::collection::vec((word(), word()), 0..4),
    ) {
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (super::variable(name), value.clone())).collect();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Ok(settings) = resolve(&file, &environment, &[]) {
            // What is good stays so when it is printed.
            prop_assert!(resolve(&settings.to_string(), &[], &[]).is_ok(), "{settings}");
        }
    }

    #[test]
    fn no_command_line_panics(words in prop::collection::vec(("-{0,3}", word()), 0..8)) {
        let words = words.iter().map(|(dashes, word)| format!("{dashes}{word}"));
        let _ = command().try_get_matches_from(std::iter::once(String::new()).chain(words));
    }
}

#[test]
fn namespaces_are_tables_and_have_what_they_do_not_say_from_all_rooms() {
    let file = "history = 7\npresence = \"count\"\n[[namespace]]\nrooms = \"a:*\"\nhistory = 9\n\
                may-join = [\"role=x\", \"role=y\"]\n[[namespace]]\nrooms = \"b\"\n";
    let settings = resolve(file, &[], &["--join-history", "3"]).unwrap();
    let rooms = settings.rooms().unwrap();
    let of = |room| {
        let (number, namespace) = rooms.namespaces.find(room);
        (number, namespace.history, namespace.join_history, namespace.presence)
    };
    assert_eq!(of("a:1"), (0, 9, 3, Presence::Count));
    assert_eq!(of("b"), (1, 7, 3, Presence::Count));
    assert_eq!(of("c"), (2, 7, 3, Presence::Count));
    assert!(!rooms.access(0).may_join("a:1", None) && rooms.access(1).may_join("b", None));
    // Printed, it is a file that says the same.
    let again = resolve(&settings.to_string(), &[], &[]).unwrap();
    assert_eq!(again.to_string().matches("[[namespace]]").count(), 2, "{again}");
    assert_eq!(again.rooms().unwrap().namespaces.find("a:1").1.history, 9);
    let other = resolve("history = 7\n", &[], &[]).unwrap();
    let changes = other.changes(&settings);
    assert!(changes.iter().any(|change| change.name == "namespace" && change.fixed), "{changes:?}");
}

#[test]
fn what_is_wrong_with_a_namespace_is_told_with_its_line() {
    for (file, due) in [
        ("namespace = 1", "each [[namespace]]"),
        ("[namespace]\nrooms = \"a\"", "each [[namespace]]"),
        ("[[namespace]]\nhistory = 1", ":2: namespace: `rooms` is due"),
        ("[[namespace]]\nrooms = \"a\"\nhistroy = 1", ":3: namespace: histroy is not a setting"),
        ("[[namespace]]\nrooms = \"a\"\nhistory = \"x\"", ":3: namespace: history: "),
        ("[[namespace]]\nrooms = \"a\"\nhistory = [\"1\", \"2\"]", "one value is due"),
        ("[[namespace]]\nrooms = \"a\"\nhistory = { a = 1 }", ":3: namespace: history: a text"),
        ("[[namespace]]\nrooms = \"a\"\npersist = \"maybe\"", "true or false is due"),
        ("[[namespace]]\nrooms = \"a\"\nmay-join = [\"all\"]", "role=admin"),
        ("[[namespace]]\nrooms = \"\"", "empty"),
        ("[[namespace]]\nrooms = \"a\"\nlisten = \"127.0.0.1:1\"", "listen is not a setting of a"),
    ] {
        let problems = resolve(file, &[], &[]).unwrap_err().to_string();
        assert!(problems.contains(due), "{file}: {problems}");
    }
    let settings = resolve("[[namespace]]\nrooms = \"a\"\npersist = true", &[], &[]).unwrap();
    assert!(settings.rooms().unwrap_err().contains("namespace a: persist"));
}
