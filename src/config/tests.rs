use super::*;
use crate::retention::Retention;
use crate::server::TrustedProxy;
use clap::{Args as _, Command, FromArgMatches as _};
use std::collections::HashMap;
use std::ffi::OsString;

fn args(line: &[&str]) -> ServeArgs {
    let matches = ServeArgs::augment_args(Command::new("serve")).try_get_matches_from(std::iter::once(&"serve").chain(line)).unwrap();
    ServeArgs::from_arg_matches(&matches).unwrap()
}

fn resolve(line: &[&str], env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let env: HashMap<_, _> = env.iter().copied().collect();
    Settings::resolve(&args(line), &|name| env.get(name).map(OsString::from))
}

fn load(line: &[&str], env: &[(&str, &str)]) -> Result<ServeConfig, ConfigError> {
    resolve(line, env)?.check()
}

struct TomlFile {
    _dir: tempfile::TempDir,
    path: String,
}

fn toml_file(text: &str) -> TomlFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shipslog.toml");
    std::fs::write(&path, text).unwrap();
    TomlFile { path: path.to_str().unwrap().to_owned(), _dir: dir }
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = load(&[], &[]).unwrap();
    assert_eq!(
        config,
        ServeConfig {
            data_dir: "data".into(),
            listen: "127.0.0.1:7070".parse().unwrap(),
            docker_hosts: vec!["unix:///var/run/docker.sock".to_owned()],
            demo: false,
            allow_hosts: Vec::new(),
            insecure: false,
            read_only: None,
            retention: Retention::default(),
            max_connections: 10_000,
            max_connections_per_address: None,
            tls: None,
            token_file: None,
            cors_origins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            direct_writes: true,
            redaction: Rules::default(),
            drop_noise: false,
            last_words: 0,
            hooks: Vec::new(),
            mutes: Vec::new(),
            links: Vec::new(),
            forwarding: None,
        }
    );
}

#[test]
fn flag_beats_env_beats_file_beats_default() {
    let file = toml_file("listen = '127.0.0.1:1'\ndemo = true\nmax-connections = 7\ndata-dir = 'f'\n");
    let env = [("SHIPSLOG_CONFIG", file.path.as_str()), ("SHIPSLOG_LISTEN", "127.0.0.1:2"), ("SHIPSLOG_DEMO", "no")];
    let settings = resolve(&["--listen", "127.0.0.1:3"], &env).unwrap();
    assert_eq!((settings.listen.value.as_str(), &settings.listen.origin), ("127.0.0.1:3", &Origin::Flag));
    assert_eq!((settings.demo.value, &settings.demo.origin), (false, &Origin::Env("SHIPSLOG_DEMO".into())));
    assert_eq!((settings.max_connections.value, &settings.max_connections.origin), (7, &Origin::File(file.path.clone().into())));
    assert_eq!((settings.insecure.value, &settings.insecure.origin), (false, &Origin::Default));
    assert_eq!(load(&["--demo"], &env).unwrap().listen.to_string(), "127.0.0.1:2");
    assert!(load(&["--demo"], &env).unwrap().demo);
    assert!(!load(&["--demo=false"], &[("SHIPSLOG_DEMO", "1")]).unwrap().demo);
}

#[test]
fn lists_come_from_every_place_and_do_not_mix() {
    let file = toml_file("docker-host = ['a=unix:///a', 'unix:///b']\nallow-host = 'one.example'\n");
    let config = load(&["--config", &file.path], &[]).unwrap();
    assert_eq!(config.docker_hosts, ["a=unix:///a", "unix:///b"]);
    assert_eq!(config.allow_hosts, ["one.example"]);
    let config = load(&["--config", &file.path], &[("SHIPSLOG_DOCKER_HOST", "unix:///c, d=tcp://d:1 ,")]).unwrap();
    assert_eq!(config.docker_hosts, ["unix:///c", "d=tcp://d:1"]);
    let config = load(&["--docker-host", "unix:///e", "--docker-host", "unix:///f"], &[("SHIPSLOG_DOCKER_HOST", "unix:///c")]).unwrap();
    assert_eq!(config.docker_hosts, ["unix:///e", "unix:///f"]);
}

#[test]
fn names_are_kept_as_they_are_compared() {
    let names = ["--allow-host", "Ship.Example.:8443", "--allow-host", "[FD00::1]:80", "--allow-host", "10.0.0.5"];
    assert_eq!(load(&names, &[]).unwrap().allow_hosts, ["ship.example", "fd00::1", "10.0.0.5"]);
}

#[test]
fn trusted_proxies_come_from_every_place() {
    let trusted = |line: &[&str], env: &[(&str, &str)]| load(line, env).unwrap().trusted_proxies;
    let proxies = |texts: &[&str]| texts.iter().map(|text| text.parse::<TrustedProxy>().unwrap()).collect::<TrustedProxies>();
    let file = toml_file("trusted-proxy = ['10.0.0.7', 'fd00::/8']\n");
    assert_eq!(trusted(&["--config", &file.path], &[]), proxies(&["10.0.0.7", "fd00::/8"]));
    let env = [("SHIPSLOG_TRUSTED_PROXY", "172.16.0.0/12, unix")];
    assert_eq!(trusted(&["--config", &file.path], &env), proxies(&["172.16.0.0/12", "unix"]));
    assert_eq!(trusted(&["--trusted-proxy", "::1", "--trusted-proxy", "127.0.0.1"], &env), proxies(&["::1", "127.0.0.1"]));
}

#[test]
fn dockers_own_variable_is_the_last_resort_before_the_socket() {
    let settings = resolve(&[], &[("DOCKER_HOST", "tcp://h:2375")]).unwrap();
    assert_eq!((settings.docker_host.value, settings.docker_host.origin), (vec!["tcp://h:2375".into()], Origin::Env("DOCKER_HOST".into())));
    let both = [("DOCKER_HOST", "tcp://h:2375"), ("SHIPSLOG_DOCKER_HOST", "unix:///x")];
    assert_eq!(load(&[], &both).unwrap().docker_hosts, ["unix:///x"]);
    assert_eq!(load(&[], &[("DOCKER_HOST", "")]).unwrap().docker_hosts, ["unix:///var/run/docker.sock"]);
}

#[test]
fn redaction_is_on_unless_told_otherwise() {
    let redaction = |line: &[&str], env: &[(&str, &str)]| load(line, env).unwrap().redaction;
    assert_eq!(redaction(&[], &[]), Rules::default());
    assert_eq!(redaction(&["--redact", "none"], &[("SHIPSLOG_REDACT", "secret-name")]), Rules::none());
    let some =
        redaction(&["--redact-except", "a.*"], &[("SHIPSLOG_REDACT", "private-key, secret-name"), ("SHIPSLOG_REDACT_ATTRIBUTE", "x,y*")]);
    assert!(some.rules.iter().map(|rule| rule.name()).eq(["secret-name", "private-key"]));
    assert_eq!((some.attributes, some.except), (vec!["x".to_owned(), "y*".to_owned()], vec!["a.*".to_owned()]));
}

/// Command line, environment, and what the message must hold.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn errors_name_the_place_and_what_is_accepted() {
    let unknown = toml_file("listne = '127.0.0.1:1'\n");
    let bad_listen = toml_file("listen = 'nonsense'\n");
    let bad_kind = toml_file("max-connections = 'many'\n");
    let bad_list = toml_file("allow-host = 7\n");
    let cases: [Case<'_>; 25] = [
        (&["--config", &unknown.path], &[], &["shipslog.toml", "unknown field `listne`", "`data-dir`", "`listen`"]),
        (&["--config", &bad_listen.path], &[], &["shipslog.toml: listen", "nonsense", "127.0.0.1:7070"]),
        (&["--config", &bad_kind.path], &[], &["shipslog.toml", "max-connections", "u32"]),
        (&["--config", &bad_list.path], &[], &["shipslog.toml", "allow-host", "a string or a list of strings"]),
        (&["--config", "/nowhere/at/all.toml"], &[], &["/nowhere/at/all.toml", "cannot read"]),
        (&["--listen", "7070"], &[], &["--listen", "\"7070\"", "ADDRESS:PORT"]),
        (&[], &[("SHIPSLOG_LISTEN", ":7070")], &["SHIPSLOG_LISTEN", "ADDRESS:PORT"]),
        (&[], &[("SHIPSLOG_DEMO", "maybe")], &["SHIPSLOG_DEMO", "\"maybe\"", "true or false"]),
        (&[], &[("SHIPSLOG_MAX_CONNECTIONS", "-1")], &["SHIPSLOG_MAX_CONNECTIONS", "a number from 1 up"]),
        (&["--max-connections", "0"], &[], &["--max-connections", "a number from 1 up"]),
        (&["--docker-host", ""], &[], &["--docker-host", "unix:///var/run/docker.sock"]),
        (&["--allow-host", "http://a/"], &[], &["--allow-host", "without scheme"]),
        (&["--allow-host", "*.example"], &[], &["--allow-host", "a host name"]),
        (&["--trusted-proxy", "proxy.example"], &[], &["--trusted-proxy", "\"proxy.example\"", "172.16.0.0/12"]),
        (&[], &[("SHIPSLOG_TRUSTED_PROXY", "10.0.0.1, 10.0.0.0/99")], &["SHIPSLOG_TRUSTED_PROXY", "10.0.0.0/99", "an address"]),
        (&["--listen", "unix:"], &[], &["--listen", "unix:PATH"]),
        (&["--tls-cert", "c"], &[], &["--tls-key", "the two go together"]),
        (&["--tls-key", "k"], &[], &["--tls-cert", "the two go together"]),
        (&["--cors-origin", "*"], &[], &["--cors-origin", "https://status.example"]),
        (&["--cors-origin", "https://a.example/path"], &[], &["--cors-origin", "an origin"]),
        (
            &["--redact", "secrets"],
            &[],
            &["--redact", "\"secrets\"", "exec-command, secret-name, url-password, private-key, secret-value, or none"],
        ),
        (&["--redact", "none", "--redact", "exec-command"], &[], &["--redact", "none alone"]),
        (&[], &[("SHIPSLOG_REDACT", ",")], &["SHIPSLOG_REDACT", "exec-command"]),
        (&["--redact-attribute", ""], &[], &["--redact-attribute", "names of attributes"]),
        (&[], &[("SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS", "few")], &["SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS", "a number from 1 up"]),
    ];
    for (line, env, expected) in cases {
        let error = load(line, env).unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{line:?} {env:?}: {error} lacks {part}");
        }
    }
}

#[test]
fn an_address_that_others_can_reach_needs_consent() {
    for listen in ["0.0.0.0:7070", "[::]:0", "192.168.1.5:80", "[::ffff:10.0.0.1]:1"] {
        let error = load(&["--listen", listen], &[]).unwrap_err().to_string();
        assert!(error.contains("--insecure") && error.contains("127.0.0.1"), "{error}");
        assert!(load(&["--listen", listen, "--insecure"], &[]).unwrap().insecure);
        assert!(load(&["--listen", listen], &[("SHIPSLOG_INSECURE", "true")]).unwrap().insecure);
    }
    // With both a token and TLS it is no longer open to everybody; with one of them it is, or the token
    // travels in the clear.
    let (tls, token) = (["--tls-cert", "c", "--tls-key", "k"], ["--token-file", "t"]);
    let with = |extra: &[&str]| load(&[&["--listen", "0.0.0.0:0"], extra].concat(), &[]);
    assert!(with(&[&tls[..], &token].concat()).is_ok());
    assert!(with(&tls).is_err() && with(&token).is_err());
    for listen in ["unix:/run/s", "unix:///run/s", "127.0.0.1:0", "127.8.0.1:1", "[::1]:7070", "[::ffff:127.0.0.1]:1", "localhost:7070"] {
        assert!(load(&["--listen", listen], &[]).is_ok(), "{listen}");
    }
}

#[test]
fn what_show_prints_is_a_configuration_file() {
    let settings =
        resolve(&["--docker-host", "a=unix:///a", "--allow-host", "x", "--trusted-proxy", "fd00::/8", "--data-dir", "d \"q\""], &[])
            .unwrap();
    let lines: Vec<_> = settings.rows().into_iter().map(|(key, value, origin)| format!("{key} = {value} # {origin}")).collect();
    let text = lines.join("\n");
    let file = toml_file(&text);
    let again = load(&["--config", &file.path], &[]).unwrap();
    assert_eq!(again, settings.check().unwrap());
    assert!(text.contains("listen = \"127.0.0.1:7070\" # default"), "{text}");
}

/// A line such as `#listen = "127.0.0.1:7070"` is a setting at its default; prose has a space after the `#`.
#[test]
fn the_packaged_file_shows_every_default() {
    let packaged = include_str!("../../packaging/shipslog.toml");
    let config = load(&["--config", &toml_file(packaged).path], &[]).unwrap();
    assert_eq!(config, ServeConfig { data_dir: "/var/lib/shipslog".into(), ..load(&[], &[]).unwrap() });
    let shown = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    let lines: Vec<String> = packaged.lines().map(shown).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut rows: Vec<_> = resolve(&[], &[]).unwrap().rows().into_iter().map(|(key, value, _)| format!("{key} = {value}")).collect();
    rows.retain(|row| !row.starts_with("data-dir"));
    for row in &rows {
        assert!(lines.contains(row), "packaging/shipslog.toml lacks {row}");
    }
    assert_eq!(lines.len(), rows.len() + 1, "{lines:?}");
}

#[test]
fn help_names_every_variable() {
    let command = ServeArgs::augment_args(Command::new("serve"));
    for arg in command.get_arguments() {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let variable = format!("SHIPSLOG_{}", arg.get_long().unwrap().replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{help} lacks {variable}");
    }
}

#[test]
fn without_a_host_the_docker_cli_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::fs::write(&file, r#"{"currentContext":"prod"}"#).unwrap();
    let home = ("DOCKER_CONFIG", dir.path().to_str().unwrap());
    let host = |line: &[&str], more: &[(&str, &str)]| {
        let setting = resolve(line, &[&[home], more].concat()).unwrap().docker_host;
        (setting.value.join(" "), setting.origin)
    };
    let env = |name: &str| Origin::Env(name.to_owned());
    assert_eq!(host(&[], &[]), ("context://prod".to_owned(), Origin::File(file.clone())));
    assert_eq!(host(&[], &[("DOCKER_CONTEXT", "test")]), ("context://test".to_owned(), env("DOCKER_CONTEXT")));
    let both = [("DOCKER_CONTEXT", "test"), ("DOCKER_HOST", "tcp://h")];
    assert_eq!(host(&[], &both), ("tcp://h".to_owned(), env("DOCKER_HOST")));
    assert_eq!(host(&["--docker-host", "unix:///a"], &both), ("unix:///a".to_owned(), Origin::Flag));
    assert_eq!(host(&[], &[("DOCKER_CONTEXT", "default")]), ("unix:///var/run/docker.sock".to_owned(), Origin::Default));
}
