//! A panic costs the one answer that it happened in.

use super::exchange::Answering;
use super::permits::Permit;
use crate::server::problem::ApiError;
use futures_util::FutureExt;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use warp::http::StatusCode;
use warp::reply::{Reply, Response};

/// Begins to answer. What a panic says is on stderr (the panic hook).
pub(super) fn begin<F>(begin: impl FnOnce() -> F) -> Option<F> {
    catch_unwind(AssertUnwindSafe(begin)).ok()
}

/// The answer, also to a request in which something panicked, and the permit of its client.
pub(super) async fn answer<F>(begun: Option<F>) -> (Response, Option<Permit>)
where
    F: Future<Output = Result<(Response, Option<Permit>), Infallible>>,
{
    let answer = match begun {
        Some(answer) => AssertUnwindSafe(answer).catch_unwind().await.ok(),
        None => None,
    };
    match answer {
        Some(Ok(answer)) => answer,
        None => {
            let error = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault in shipslog; its stderr says more");
            (error.into_response(), None)
        }
    }
}

/// The type of a response's body, for which warp has no name.
pub(super) trait HasBody {
    type Body;
}

impl<B> HasBody for warp::http::Response<B> {
    type Body = B;
}

/// The body of an answer; a panic in it breaks the transfer off.
#[derive(Debug)]
pub(super) struct Caught<B> {
    body: Option<B>,
    answering: Option<Answering>,
    /// Until all is sent.
    _permit: Option<Permit>,
}

impl<B> Caught<B> {
    /// `answering`: told when all of the body has been given, and dropped with it, as is `permit`.
    pub(super) fn new(body: B, answering: Option<Answering>, permit: Option<Permit>) -> Self {
        Self { body: Some(body), answering, _permit: permit }
    }
}

/// Why a body was broken off.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError<E> {
    #[error(transparent)]
    Own(#[from] E),
    #[error("a panic")]
    Panic,
}

impl<B: Body + Unpin> Body for Caught<B> {
    type Data = B::Data;
    type Error = BodyError<B::Error>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Some(Err(BodyError::Panic))) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(polled) => {
                let over = matches!(polled, Poll::Ready(None)) || self.is_end_stream();
                if let Some(answering) = self.answering.as_ref().filter(|_| over) {
                    answering.whole();
                }
                polled.map(|frame| frame.map(|frame| frame.map_err(BodyError::Own)))
            }
            Err(_) => {
                // Nobody knows what state it is in.
                self.body = None;
                Poll::Ready(Some(Err(BodyError::Panic)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
