//! What the tree must look like.

/// Parts of the program by floor; imports point down only.
pub(crate) const FLOORS: [(&str, u8); 31] = [
    ("chain", 0),
    ("event", 0),
    ("cursor", 0),
    ("file", 0),
    ("filter", 0),
    ("parcel", 0),
    ("redact", 0),
    ("shutdown", 0),
    ("text", 0),
    ("time", 0),
    ("log", 1),
    ("migrations", 1),
    ("ingest", 1),
    ("stream", 1),
    ("archive", 2),
    ("recorder", 2),
    ("reader", 2),
    ("projection", 2),
    ("export", 2),
    ("forward", 2),
    ("retention", 2),
    ("follow", 2),
    ("report", 2),
    ("hooks", 3),
    ("server", 3),
    ("client", 3),
    ("app", 4),
    ("cli", 4),
    ("config", 4),
    ("console", 4),
    ("main", 4),
];

/// Parts of one floor that may not know each other.
pub(crate) const BLIND: [(&str, &str); 6] =
    [("log", "ingest"), ("migrations", "ingest"), ("stream", "ingest"), ("stream", "log"), ("server", "client"), ("recorder", "export")];

/// A home that is the whole program: language, values, errors, logging.
pub(crate) const EVERYWHERE: &[&str] = &[""];

/// Where each crate of `[dependencies]` may be named: modules, each with all that is below it. hyper stands
/// for HTTP on the wire, which ingest reads raw (bollard cannot) and the server accepts itself (warp cannot).
pub(crate) const HOMES: &[(&str, &[&str])] = &[
    ("aho_corasick", &["redact", "filter"]),
    ("anstream", &["cli"]),
    ("anstyle", &["cli"]),
    ("anyhow", &["app", "cli"]),
    ("async_nats", &["stream::nats"]),
    ("async_trait", &["app", "archive", "forward", "hooks", "ingest", "log", "server", "stream"]),
    ("base64", &["parcel", "redact"]),
    ("bincode", &["log", "projection::derived"]),
    ("bollard", &["ingest::docker"]),
    ("bytes", EVERYWHERE),
    ("bytesize", &["config", "cli::fleet"]),
    ("chrono", &["time", "export", "ingest::docker", "cli"]),
    ("chrono_tz", &["time", "cli", "config", "hooks", "server"]),
    ("clap", &["cli", "config", "main"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("cookie", &["server"]),
    ("crc32fast", &["log", "ingest"]),
    ("crossbeam_epoch", &["log::tip::sled_store"]),
    ("csv", &["export", "report"]),
    ("flate2", &["export"]),
    ("form_urlencoded", &["server"]),
    ("futures_util", &["app", "archive", "ingest", "server", "client", "stream"]),
    ("typed_headers", &["server::negotiate"]),
    ("hex", EVERYWHERE),
    ("hmac", &["server::access"]),
    ("http_body_util", &["archive::http", "ingest::docker"]),
    ("humantime", &["time", "config", "cli::fleet"]),
    ("hyper", &["ingest::docker", "server::net"]),
    ("hyper_util", &["ingest::docker", "server::net", "server::serve"]),
    ("iana_time_zone", &["cli"]),
    ("indicatif", &["cli"]),
    ("ipnet", &["server::forwarded"]),
    ("memchr", EVERYWHERE),
    ("nkeys", &["stream::nats::enrol"]),
    ("object_store", &["archive"]),
    ("parking_lot", EVERYWHERE),
    ("quick_cache", &["log", "ingest"]),
    ("rand", &["forward", "ingest", "server", "client"]),
    ("rayon", &["log::read::parallel"]),
    ("reqwest", &["client", "hooks", "stream::nats::monitor"]),
    ("rlimit", &["app"]),
    ("rustix", &["log", "retention", "server::net", "time::clock"]),
    ("rustls", &["archive::http", "ingest::docker", "server::net", "client", "hooks", "stream::nats::monitor"]),
    ("rustls_native_certs", &["ingest::docker::tls"]),
    ("serde", EVERYWHERE),
    ("serde_json", EVERYWHERE),
    ("sha2", &["chain", "ingest::endpoint", "projection::derived", "server"]),
    ("sled", &["log::tip::sled_store"]),
    ("socket2", &["ingest::docker", "server::net"]),
    ("strsim", &["filter"]),
    ("subtle", &["server::access"]),
    ("sync_wrapper", &["server"]),
    ("thiserror", EVERYWHERE),
    ("tikv_jemallocator", &["main"]),
    ("tokio", EVERYWHERE),
    ("tokio_rustls", &["ingest::docker", "server::net"]),
    ("tokio_stream", &["follow", "ingest", "server", "stream"]),
    ("tokio_util", &["shutdown", "ingest::docker", "cli::state"]),
    ("toml", &["config"]),
    ("tracing", EVERYWHERE),
    ("tracing_subscriber", &["main", "console"]),
    ("uuid", EVERYWHERE),
    ("warp", &["server"]),
    ("weak_table", &["server"]),
    ("zstd", &["log", "export", "follow", "parcel", "projection::derived"]),
];

/// A longer file is asking to be two.
pub(crate) const MAX_LINES: usize = 400;
/// Lines of tests at the end of a file, at most; with more, a reader of the code reads past too much.
pub(crate) const MAX_TEST_MODULE_LINES: usize = 70;
/// Columns of a comment, at most.
pub(crate) const MAX_COMMENT_COLUMNS: usize = 110;

/// Files that import each other in a circle today. A circle that is not listed fails, and so does one that is
/// listed and gone: a change that unties one takes it off here. Paths from the manifest on.
pub(crate) const KNOWN_CIRCLES: &[&[&str]] = &[];
