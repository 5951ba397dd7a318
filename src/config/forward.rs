//! What the settings say of forwarding. The hub is not asked here.

use super::ConfigError;
use super::setting::given;
use super::table::Settings;
use crate::forward::{Identity, Since};
use crate::stream::Subject;
use std::path::PathBuf;

/// Servers of a hub that may be named.
const MAX_SERVERS: usize = 16;
/// Bytes of a stream's name.
const MAX_STREAM_BYTES: usize = 63;

/// The file with which this host shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardKey {
    /// An NKey's seed.
    Nkey(PathBuf),
    /// A JWT with its key.
    Creds(PathBuf),
}

/// Where a log is forwarded, and as whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// Servers of the hub; never empty.
    pub servers: Vec<String>,
    /// The tenant and this host's name.
    pub identity: Identity,
    /// Name of the stream.
    pub stream: String,
    /// Where it begins when the hub has nothing.
    pub since: Since,
    /// With what this host shows who it is; nothing where the hub does not ask.
    pub key: Option<ForwardKey>,
    /// Whose certificates are believed, besides those that the system believes.
    pub tls_ca: Option<PathBuf>,
    /// Certificate and key of this host.
    pub tls_client: Option<(PathBuf, PathBuf)>,
}

/// What is said of forwarding, checked; nothing where there is no `--forward`.
pub(super) fn check(settings: &Settings) -> Result<Option<Forwarding>, ConfigError> {
    const URL: &str = "1 to 16 servers as nats://HOST:PORT or tls://HOST:PORT";
    const NAME: &str = "the name with which this host was enrolled: 1 to 63 of a-z, 0-9 and -, not - at an end; --forward needs it";
    if settings.forward.value.is_empty() {
        return Ok(None);
    }
    let servers: Vec<String> = settings.forward.value.iter().map(|url| url.trim().to_owned()).collect();
    let is_server = |url: &&String| {
        let host = url.strip_prefix("nats://").or_else(|| url.strip_prefix("tls://")).unwrap_or("");
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#'))
    };
    if let Some(odd) = servers.iter().find(|url| !is_server(url)) {
        return Err(settings.forward.refuse(odd, URL));
    }
    if servers.len() > MAX_SERVERS {
        return Err(settings.forward.refuse(servers.len().to_string(), URL));
    }
    if !settings.read_only.value.as_os_str().is_empty() {
        return Err(settings.forward.refuse(servers.join(","), "nothing together with --read-only: only a recorder forwards"));
    }
    let identity = Identity { tenant: settings.forward_tenant.value.clone(), host: settings.forward_name.value.clone() };
    if Subject::base(&identity.tenant).is_err() {
        return Err(settings.forward_tenant.refuse(&identity.tenant, "1 to 63 of a-z, 0-9 and -, not - at an end"));
    }
    if Subject::host(&identity.tenant, &identity.host, "00000000").is_err() {
        return Err(settings.forward_name.refuse(&identity.host, NAME));
    }
    let stream = settings.forward_stream.value.clone();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if stream.is_empty() || stream.len() > MAX_STREAM_BYTES || !stream.chars().all(is_plain) {
        return Err(settings.forward_stream.refuse(stream, "1 to 63 letters, digits, - and _"));
    }
    let since = match settings.forward_since.value.as_str() {
        "oldest" => Since::Oldest,
        "now" => Since::Now,
        other => return Err(settings.forward_since.refuse(other, "oldest or now")),
    };
    let key = match (given(&settings.forward_nkey), given(&settings.forward_creds)) {
        (Some(_), Some(creds)) => {
            return Err(settings.forward_creds.refuse(creds.display().to_string(), "one of --forward-nkey and --forward-creds, not both"));
        }
        (Some(nkey), None) => Some(ForwardKey::Nkey(nkey)),
        (None, creds) => creds.map(ForwardKey::Creds),
    };
    let tls_client = match (given(&settings.forward_tls_cert), given(&settings.forward_tls_key)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(settings.forward_tls_key.refuse("", "the file with the key of --forward-tls-cert; the two go together"));
        }
        (None, Some(_)) => {
            return Err(settings.forward_tls_cert.refuse("", "the file with the certificate of --forward-tls-key; the two go together"));
        }
    };
    Ok(Some(Forwarding { servers, identity, stream, since, key, tls_ca: given(&settings.forward_tls_ca), tls_client }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ServeArgs, ServeConfig};
    use clap::{Args as _, Command, FromArgMatches as _};

    fn forwarding(flags: &[&str]) -> Result<Option<Forwarding>, String> {
        let matches = ServeArgs::augment_args(Command::new("serve")).get_matches_from([&["serve"], flags].concat());
        let args = ServeArgs::from_arg_matches(&matches).unwrap();
        ServeConfig::load(&args, &|_| None).map(|config| config.forwarding).map_err(|e| e.to_string())
    }

    #[test]
    fn says_where_to_and_as_whose() {
        let found = forwarding(&["--forward", "nats://a:4222", "--forward", "tls://b:4222", "--forward-name", "web-17"]).unwrap().unwrap();
        let expected = Forwarding {
            servers: vec!["nats://a:4222".to_owned(), "tls://b:4222".to_owned()],
            identity: Identity { tenant: "default".to_owned(), host: "web-17".to_owned() },
            stream: "SHIPSLOG".to_owned(),
            since: Since::Oldest,
            key: None,
            tls_ca: None,
            tls_client: None,
        };
        assert_eq!(found, expected);
        let more = [
            "--forward=nats://a:4222",
            "--forward-name=web",
            "--forward-tenant=acme",
            "--forward-stream=S_2",
            "--forward-since=now",
            "--forward-nkey=k",
            "--forward-tls-ca=a",
            "--forward-tls-cert=c",
            "--forward-tls-key=d",
        ];
        let found = forwarding(&more).unwrap().unwrap();
        assert_eq!((found.since, found.key), (Since::Now, Some(ForwardKey::Nkey("k".into()))));
        assert_eq!((found.tls_ca, found.tls_client), (Some("a".into()), Some(("c".into(), "d".into()))));
        assert_eq!(forwarding(&["--forward-name=web"]), Ok(None));
    }

    #[test]
    fn what_cannot_be_is_told_by_its_flag() {
        let many = "--forward=nats://a:4222 ".repeat(MAX_SERVERS + 1);
        for (flags, expected) in [
            ("--forward=http://a:4222 --forward-name=a", "--forward: \"http://a:4222\""),
            ("--forward=nats:// --forward-name=a", "--forward: \"nats://\""),
            ("--forward=nats://user@a --forward-name=a", "--forward: \"nats://user@a\""),
            (&format!("{many}--forward-name=a"), "--forward: \"17\""),
            ("--forward=nats://a:4222", "--forward-name: \"\""),
            ("--forward=nats://a:4222 --forward-name=Web", "--forward-name: \"Web\""),
            ("--forward=nats://a:4222 --forward-name=a --forward-tenant=a.b", "--forward-tenant: \"a.b\""),
            ("--forward=nats://a:4222 --forward-name=a --forward-stream=a.b", "--forward-stream: \"a.b\""),
            ("--forward=nats://a:4222 --forward-name=a --forward-since=never", "--forward-since: \"never\""),
            ("--forward=nats://a:4222 --forward-name=a --forward-nkey=a --forward-creds=b", "--forward-creds: \"b\""),
            ("--forward=nats://a:4222 --forward-name=a --forward-tls-key=b", "--forward-tls-cert"),
            ("--forward=nats://a:4222 --forward-name=a --forward-tls-cert=b", "--forward-tls-key"),
            ("--forward=nats://a:4222 --forward-name=a --read-only=b", "only a recorder forwards"),
        ] {
            let error = forwarding(&flags.split(' ').collect::<Vec<_>>()).unwrap_err();
            assert!(error.contains(expected), "{flags}: {error}");
        }
    }
}
