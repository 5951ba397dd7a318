//! Wiring of the forwarder: a client of the hub, made of the settings. What is sent, and when, `forward`
//! decides.

use crate::config::{ForwardKey, Forwarding};
use crate::forward::{Connect, ForwardStatus, Forwarder, Since};
use crate::log::EventLog;
use crate::stream::nats::{KeyFile, NatsSettings, NatsStream, TlsFiles};
use crate::stream::{FleetStream, StreamError};
use anyhow::Context as _;
use std::sync::Arc;

/// The forwarder that the settings ask for, beginning with `since`, and where it tells how it is.
pub(super) fn forwarder(settings: &Forwarding, since: Since, log: &Arc<dyn EventLog>) -> anyhow::Result<(Forwarder, ForwardStatus)> {
    let status = ForwardStatus::default();
    let forwarder = Forwarder::new(Arc::clone(log), connector(settings), &settings.identity, since, status.clone())
        .context("--forward-name and --forward-tenant")?;
    Ok((forwarder, status))
}

/// The way to the hub: a client of its own for each connection.
fn connector(settings: &Forwarding) -> Box<dyn Connect> {
    let key = settings.key.as_ref().map(|key| match key {
        ForwardKey::Nkey(file) => KeyFile::Nkey(file.clone()),
        ForwardKey::Creds(file) => KeyFile::Creds(file.clone()),
    });
    Box::new(Nats(NatsSettings {
        urls: settings.servers.clone(),
        stream: settings.stream.clone(),
        name: settings.identity.host.clone(),
        key,
        tls: TlsFiles { ca: settings.tls_ca.clone(), client: settings.tls_client.clone() },
        unsafe_engine: false,
    }))
}

struct Nats(NatsSettings);

#[async_trait::async_trait]
impl Connect for Nats {
    async fn connect(&self) -> Result<Box<dyn FleetStream>, StreamError> {
        Ok(Box::new(NatsStream::connect(self.0.clone()).await?))
    }
}
