//! Incidents, and reports of them.

use super::request::parse;
use super::{Client, ClientError, read_at_most};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most that one page of incidents, or one report, may take.
pub(super) const MAX_INCIDENTS_BYTES: usize = 64 << 20;

/// One page of incidents.
#[derive(Debug, Deserialize)]
pub struct IncidentPage {
    /// The incidents, each as the server wrote it.
    pub incidents: Vec<Box<RawValue>>,
    /// What is worth a line and is not among them.
    pub notices: Notices,
    page: PageLinks,
    /// The time that it is judged at.
    pub as_of: String,
}

/// Notices.
#[derive(Debug, Deserialize)]
pub struct Notices {
    /// How many there are in the range.
    pub count: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageLinks {
    next: Option<String>,
}

impl IncidentPage {
    /// What to ask for as `cursor` to go on; `None` at the end.
    pub fn next(&self) -> Option<&str> {
        self.page.next.as_deref()
    }
}

impl Client {
    /// One page of incidents.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn incidents(&self, params: &[(&str, String)]) -> Result<IncidentPage, ClientError> {
        parse(&read_at_most(self.get("/api/v1/incidents", params, &[]).await?, MAX_INCIDENTS_BYTES).await?)
    }

    /// The state at a time, now without one, as JSON text.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn state(&self, at: Option<Timestamp>) -> Result<String, ClientError> {
        let params: Vec<(&str, String)> = at.map(|at| ("at", at.to_string())).into_iter().collect();
        let body = read_at_most(self.get("/api/v1/state", &params, &[]).await?, MAX_INCIDENTS_BYTES).await?;
        parse::<Box<RawValue>>(&body).map(|raw| raw.get().to_owned())
    }

    /// A report of one incident by its id, or of a range.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn report(&self, id: Option<&str>, params: &[(&str, String)]) -> Result<Vec<u8>, ClientError> {
        let path = id.map_or_else(|| "/api/v1/report".to_owned(), |id| format!("/api/v1/incidents/{id}/report"));
        read_at_most(self.get(&path, params, &[]).await?, MAX_INCIDENTS_BYTES).await
    }
}
