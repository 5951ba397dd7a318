//! Where incidents come from: a server, or a place without one.

use super::asked::{Asked, Offline};
use super::extent::Extent;
use super::human::{Told, is_part};
use super::offline::Opened;
use crate::cli::args::Remote;
use crate::client::{Client, ClientError};
use crate::report::{Format, Of};
use crate::time::Timestamp;
use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Names that are offered in the place of one that is not known.
const MAX_OFFERED: usize = 5;
/// What a client says of a status.
const NOT_FOUND: u16 = 404;

/// Where incidents come from.
pub(in crate::cli) enum From {
    Server(Client),
    Opened(Box<Opened>),
}

/// Incidents, each a line of JSON, oldest first.
pub(super) struct Answer {
    pub(super) lines: Vec<String>,
    /// Notices in the range.
    pub(super) notices: u64,
    pub(super) as_of: Timestamp,
}

impl From {
    pub(in crate::cli) async fn open(offline: &Offline, remote: &Remote, asked: &Asked) -> anyhow::Result<Self> {
        Ok(match offline.place() {
            Some(place) => Self::Opened(Box::new(Opened::new(&place, asked).await?)),
            None => Self::Server(remote.client()?),
        })
    }

    pub(super) async fn incidents(&self, asked: &Asked) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => from_server(client, asked).await,
            Self::Opened(opened) => {
                let (lines, notices, as_of) = opened.lines(&asked.selection()?)?;
                Ok(Answer { lines, notices, as_of })
            }
        }
    }

    /// A report of one incident, or of those that were asked for; `None` where there is no such incident.
    pub(in crate::cli) async fn report(&self, id: Option<&str>, asked: &Asked, format: Format) -> anyhow::Result<Option<String>> {
        match self {
            Self::Server(client) => {
                let mut params = if id.is_some() { asked.at_params() } else { asked.params() };
                params.push(("format", format.name().to_owned()));
                let report = match client.report(id, &params).await {
                    Err(ClientError::Refused { status: NOT_FOUND, .. }) if id.is_some() => return Ok(None),
                    report => report?,
                };
                Ok(Some(String::from_utf8(report).context("the server's report is no text")?))
            }
            Self::Opened(opened) => {
                let of = match id {
                    Some(id) => Of::One(id.to_owned()),
                    None => Of::Many(asked.selection()?),
                };
                opened.report(&of, format).await
            }
        }
    }

    /// What is to be said about the times that were asked for, where a recording does not reach so far.
    pub(in crate::cli) async fn beyond(&self, asked: &Asked) -> anyhow::Result<Option<String>> {
        if asked.since.is_none() && asked.until.is_none() && asked.at.is_none() {
            return Ok(None);
        }
        let extent = match self {
            Self::Opened(opened) => opened.extent,
            Self::Server(client) => {
                let page = client.incidents(&[("limit", "1".to_owned())]).await?;
                Extent {
                    begin: None,
                    end: Timestamp::from_text(page.as_of.as_bytes()).context("the server does not say as of when it judges")?,
                }
            }
        };
        Ok(extent.outside(asked.since, asked.until, asked.zone).or_else(|| extent.beyond(asked.at, asked.zone)))
    }

    /// What is to be said about a subject of which there is nothing, where none is called so.
    pub(super) async fn unknown_subject(&self, asked: &Asked) -> anyhow::Result<Option<String>> {
        let Some(subject) = asked.subject() else { return Ok(None) };
        let known: BTreeSet<String> = match self {
            Self::Opened(opened) => opened.subjects().into_iter().collect(),
            Self::Server(client) => {
                let state: State = serde_json::from_str(&client.state(asked.at).await?)?;
                let incidents = self.all(asked).await?;
                let of_incidents = incidents.into_iter().flat_map(|told| told.about().map(str::to_owned).collect::<Vec<_>>());
                state.containers.into_iter().flat_map(|one| [one.key, one.id]).chain(of_incidents).collect()
            }
        };
        Ok(unknown(subject, &known))
    }

    /// Ids of incidents that may be meant by what is none.
    pub(in crate::cli) async fn meant(&self, id: &str, asked: &Asked) -> anyhow::Result<String> {
        let all = self.all(asked).await?;
        let near: Vec<&Told> = all.iter().rev().filter(|told| told.may_be(id)).collect();
        let offered: Vec<String> = near.iter().take(MAX_OFFERED).map(|told| told.name()).collect();
        Ok(match (near.len().saturating_sub(MAX_OFFERED), offered.is_empty()) {
            (_, true) => String::new(),
            (0, _) => format!("; did you mean {}?", offered.join(" or ")),
            (more, _) => format!("; did you mean {}, or one of {more} older ones?", offered.join(", ")),
        })
    }

    async fn all(&self, asked: &Asked) -> anyhow::Result<Vec<Told>> {
        let lines = self.incidents(&asked.of_all()).await?.lines;
        Ok(lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?)
    }
}

/// As far as it is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    key: String,
    id: String,
}

/// All pages.
async fn from_server(client: &Client, asked: &Asked) -> anyhow::Result<Answer> {
    let mut params = asked.params();
    params.push(("limit", "1000".to_owned()));
    let mut lines = Vec::new();
    loop {
        let page = client.incidents(&params).await?;
        lines.extend(page.incidents.iter().map(|incident| incident.get().to_owned()));
        let next = page.next().map(str::to_owned);
        let Some(next) = next else {
            let as_of = Timestamp::from_text(page.as_of.as_bytes()).context("the server does not say as of when it judges")?;
            return Ok(Answer { lines, notices: page.notices.count, as_of });
        };
        params.retain(|(name, _)| *name != "cursor");
        params.push(("cursor", next));
    }
}

fn unknown(subject: &str, known: &BTreeSet<String>) -> Option<String> {
    if known.contains(subject) {
        return None;
    }
    let is_id = |name: &str| name.len() == 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let names = || known.iter().filter(|name| !is_id(name));
    let mut near: Vec<&str> = names().filter(|name| is_part(name, subject)).map(String::as_str).collect();
    if near.is_empty() {
        near.extend(names().filter(|name| !subject.is_empty() && name.contains(subject)).map(String::as_str));
    }
    let more = near.len().saturating_sub(MAX_OFFERED);
    near.truncate(MAX_OFFERED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(if near.is_empty() {
        format!("no subject is called {subject} among incidents and containers; `shipslog state` names those that there are")
    } else {
        format!("no subject is called {subject}; there are {}{more}", near.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_is_not_known_is_told_with_those_that_are_like_it() {
        let known: BTreeSet<String> = ["shop/api", "orders/api", "shop/db", "shop/web/2", "0123456789ab"].map(str::to_owned).into();
        let said = |subject: &str| unknown(subject, &known);
        assert_eq!((said("shop/api"), said("0123456789ab")), (None, None));
        assert_eq!(said("api").as_deref(), Some("no subject is called api; there are orders/api, shop/api"));
        assert_eq!(said("WEB").as_deref(), Some("no subject is called WEB; there are shop/web/2"));
        assert_eq!(said("hop/d").as_deref(), Some("no subject is called hop/d; there are shop/db"));
        assert!(
            said("nosuch").is_some_and(|said| said.starts_with("no subject is called nosuch among") && said.contains("shipslog state"))
        );
        let many: BTreeSet<String> = (0..9).map(|n| format!("p{n}/api")).collect();
        assert!(unknown("api", &many).is_some_and(|said| said.ends_with("p4/api and 4 more")));
    }
}
