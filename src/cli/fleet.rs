//! `fleet`: sets up and looks at the hub of a fleet, and serves one. `init` never changes a stream that is
//! there.

mod doctor;
mod enrol;

use super::ending::Usage;
use crate::app::{Archiving, Following};
use crate::config::{ServeArgs, ServeConfig};
use crate::stream::nats::{KeyFile, Made, NatsSettings, NatsStream, Shape, TlsFiles};
use crate::stream::{StreamError, Subject};
use anyhow::Context as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A cluster that has just begun may not answer for seconds, or say that it has no nodes.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Subcommand)]
pub(super) enum FleetCommand {
    /// Make the hub's stream, or check that the one which is there does what a fleet needs
    ///
    /// The hub is NATS JetStream, version 2.12 or later, on three nodes, with `sync_interval: always` in the
    /// configuration of each. Run it once, with a key that may make streams; again, it changes nothing.
    Init(Box<InitArgs>),
    /// Look whether the hub does what a fleet is promised, and say what is wrong
    ///
    /// Looks at each server that is named, at the stream, and with --monitor at each node by itself: one that
    /// is stuck answers as a quiet fleet does. Changes nothing. Exits with 1 where anything is wrong.
    Doctor(doctor::DoctorArgs),
    /// Print a new key for a host or a server, and the rights that it needs at the hub
    ///
    /// The secret half is printed once and kept nowhere; the rights are the least with which a host can
    /// forward, or a server serve.
    Enrol(enrol::EnrolArgs),
    /// Follow the hub, and serve all hosts of the fleet as one log, with the same ids on every such server
    ///
    /// It has the pages and routes of a recorder, and records nothing. It needs a directory of its own; any
    /// number of servers may follow one hub, and a client may ask any of them.
    Serve(Box<ServeFleetArgs>),
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeFleetArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Ask the hub as this server, as it was enrolled
    #[arg(long, value_name = "NAME", default_value = "fleet-server", help_heading = "Hub")]
    hub_name: String,
    /// Follow an engine or a stream that does not keep what a fleet is promised; /readyz warns of it
    #[arg(long, help_heading = "Hub")]
    unsafe_engine: bool,
    /// Call a host silent that has sent nothing for so long
    #[arg(long, value_name = "DURATION", default_value = "7h", value_parser = humantime::parse_duration, help_heading = "Hub")]
    host_silent_after: Duration,
    /// Put each sealed segment into this archive, s3://BUCKET/PREFIX or file:///DIRECTORY; a server without a
    /// log begins with what is there
    ///
    /// Keys and region of S3 come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and what else is
    /// usual in the environment. Nothing that is there is ever replaced, and nothing waits for it.
    #[arg(long, value_name = "URL", help_heading = "Archive")]
    archive: Option<String>,
    /// Ask what speaks as S3 at this address, as http://HOST:PORT
    #[arg(long, value_name = "URL", requires = "archive", help_heading = "Archive")]
    archive_endpoint: Option<String>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Keep every message on this many nodes
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Stream")]
    replicas: usize,
    /// Forget messages that are older than this: twice the longest time that a server of the fleet may be
    /// away
    #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = humantime::parse_duration, help_heading = "Stream")]
    max_age: Duration,
    /// Keep at most this much on each node, as 100GiB: the oldest messages go first
    #[arg(long, value_name = "SIZE", help_heading = "Stream")]
    max_bytes: Option<bytesize::ByteSize>,
    /// Take an engine or a stream that does not keep what a fleet is promised, such as one of a single node
    #[arg(long, help_heading = "Stream")]
    unsafe_engine: bool,
}

/// Which hub, and as whom.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hub")]
struct HubArgs {
    /// Server of the hub, as nats://HOST:PORT or tls://HOST:PORT; repeatable
    #[arg(long, value_name = "URL", required = true)]
    nats: Vec<String>,
    /// Name of the stream
    #[arg(long, value_name = "NAME", default_value = "SHIPSLOG")]
    stream: String,
    /// Whose fleet it is, in small letters, digits and -
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    /// Show who this is with the NKey whose seed is in this file
    #[arg(long, value_name = "FILE", conflicts_with = "creds")]
    nkey: Option<PathBuf>,
    /// Show who this is with the JWT and the key in this file, as nsc writes it
    #[arg(long, value_name = "FILE")]
    creds: Option<PathBuf>,
    /// Trust the certificates in this PEM file about the hub
    #[arg(long, value_name = "FILE")]
    hub_tls_ca: Option<PathBuf>,
    /// Show the hub the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "hub_tls_key")]
    hub_tls_cert: Option<PathBuf>,
    /// Read the key of that certificate from this PEM file
    #[arg(long, value_name = "FILE", requires = "hub_tls_cert")]
    hub_tls_key: Option<PathBuf>,
}

impl HubArgs {
    fn settings(self, name: &str, unsafe_engine: bool) -> NatsSettings {
        NatsSettings {
            urls: self.nats,
            stream: self.stream,
            name: name.to_owned(),
            key: self.nkey.map(KeyFile::Nkey).or(self.creds.map(KeyFile::Creds)),
            tls: TlsFiles { ca: self.hub_tls_ca, client: self.hub_tls_cert.zip(self.hub_tls_key) },
            unsafe_engine,
        }
    }
}

pub(super) async fn run(command: FleetCommand) -> anyhow::Result<()> {
    match command {
        FleetCommand::Doctor(args) => doctor::run(args).await,
        FleetCommand::Enrol(args) => enrol::run(&args),
        FleetCommand::Init(args) => init(*args).await,
        FleetCommand::Serve(args) => serve(*args).await,
    }
}

async fn serve(args: ServeFleetArgs) -> anyhow::Result<()> {
    let config = ServeConfig::of_follower(&args.serve, &|name| std::env::var_os(name))?;
    let tenant = args.hub.tenant.clone();
    Subject::base(&tenant).map_err(|e| Usage(format!("--tenant: {e}")))?;
    let hub = args.hub.settings(&args.hub_name, args.unsafe_engine);
    let archive = args.archive.map(|url| Archiving { url, endpoint: args.archive_endpoint });
    let following = Following { hub, tenant, silent_after: args.host_silent_after, archive };
    Box::pin(crate::app::serve_fleet(config, following)).await
}

async fn init(args: InitArgs) -> anyhow::Result<()> {
    let shape = Shape {
        tenant: args.hub.tenant.clone(),
        replicas: args.replicas,
        max_age: args.max_age,
        max_bytes: args.max_bytes.map(|size| size.as_u64()),
    };
    Subject::base(&shape.tenant).map_err(|e| Usage(format!("--tenant: {e}")))?;
    let stream = args.hub.stream.clone();
    let settings = args.hub.settings("fleet-init", args.unsafe_engine);
    let servers = settings.urls.join(", ");
    let (hub, made) = patiently(&settings, &shape).await.with_context(|| format!("the hub at {servers}"))?;
    let faults = hub.faults(&shape).await?;
    let version = hub.version().await?;
    let mut out = io::stdout().lock();
    match made {
        Made::New => write!(out, "made the stream {stream} on NATS {version}")?,
        Made::WasThere => write!(out, "the stream {stream} is there, on NATS {version}")?,
    }
    match faults.as_slice() {
        [] => writeln!(out, ", and does what a fleet needs")?,
        faults => writeln!(out, "; it does NOT keep what a fleet is promised: {}", faults.join("; "))?,
    }
    Ok(())
}

/// Asks again while the hub cannot answer.
async fn patiently(settings: &NatsSettings, shape: &Shape) -> Result<(NatsStream, Made), StreamError> {
    let began = Instant::now();
    loop {
        let tried = async {
            let hub = NatsStream::connect(settings.clone()).await?;
            let made = hub.create_or_check(shape).await?;
            Ok((hub, made))
        };
        match tried.await {
            Err(StreamError::Unavailable(_) | StreamError::Unanswered(_)) if began.elapsed() < PATIENCE => {}
            other => return other,
        }
        tokio::time::sleep(PAUSE).await;
    }
}
