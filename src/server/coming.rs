//! Cursors that a server of a fleet has not come to yet, or of an id that it has not heard of yet.

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
    /// Waits for the record of a cursor that this server does not have. It is no record of the future, nor of
    /// another log, before everything that the hub held after the question came is here: a server next to
    /// this one may have it, or has read before this one that the fleet goes on under another id. One that
    /// follows no more cannot tell, and one whose log is about to be opened anew cannot yet.
    pub(super) async fn come_to(&self, cursor: &str) -> Result<(), Lagging> {
        let Some(fleet) = &self.recording.fleet else { return Ok(()) };
        let is_unknown = || matches!(check_cursor(cursor, &*self.log), Err(ResetReason::Future | ResetReason::ForeignLog));
        if !is_unknown() {
            return Ok(());
        }
        let mut status = fleet.watch();
        let comes = async {
            while is_unknown() {
                if status.borrow_and_update().stopped.is_some() || status.changed().await.is_err() {
                    return Err(Lagging);
                }
            }
            Ok(())
        };
        let is_judged = async {
            while !matches!(fleet.reach_end().await, Ok(true)) {
                sleep(ASK_AGAIN).await;
            }
        };
        tokio::select! {
            biased;
            come = comes => come,
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

#[cfg(test)]
mod tests;
