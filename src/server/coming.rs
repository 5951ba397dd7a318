//! Cursors that a server of a fleet has not come to yet.

use super::context::Context;
use super::problem::ApiError;
use crate::reader::{ResetReason, StartAt, check_cursor};
use std::time::Duration;
use tokio::time::sleep;
use warp::http::{StatusCode, header};

/// How long an answer waits for a record that another server of the fleet has.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Wait before a hub that did not tell its end is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// This server has not come to a record that the fleet may have.
#[derive(Debug)]
pub(super) struct Lagging;

/// What is said then.
pub(super) const LAGGING: &str = "this server of the fleet has not come to that record yet; ask again, or another server";

impl From<Lagging> for ApiError {
    fn from(_: Lagging) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, LAGGING).with_header(header::RETRY_AFTER, "2")
    }
}

impl Context {
    /// Waits for the record of a cursor that lies ahead of this server. It is no record of the future before
    /// everything that the hub held after the question came is here: a server next to this one may have it.
    pub(super) async fn come_to(&self, cursor: &str) -> Result<(), Lagging> {
        let Some(fleet) = &self.recording.fleet else { return Ok(()) };
        let lies_ahead = || check_cursor(cursor, &*self.log) == Err(ResetReason::Future);
        if !lies_ahead() {
            return Ok(());
        }
        let mut status = fleet.watch();
        let comes = async {
            while lies_ahead() {
                if status.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let is_judged = async {
            while !matches!(fleet.reach_end().await, Ok(true)) {
                sleep(ASK_AGAIN).await;
            }
        };
        tokio::select! {
            () = comes => Ok(()),
            () = is_judged => Ok(()),
            () = sleep(LONGEST_WAIT) => Err(Lagging),
            () = self.shutdown.stopping() => Err(Lagging),
        }
    }

    /// The same for where a stream starts.
    pub(super) async fn come_to_start(&self, start: &StartAt) -> Result<(), Lagging> {
        match start {
            StartAt::After(cursor) => self.come_to(cursor).await,
            StartAt::Now | StartAt::Oldest | StartAt::Time(_) => Ok(()),
        }
    }
}
