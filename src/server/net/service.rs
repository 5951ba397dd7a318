//! What stands between a connection and the routes: sizes, names, origins, tokens, and the headers that every
//! answer carries.

use super::caught::{self, Caught, HasBody};
use super::exchange::{Answering, Exchange};
use super::guard;
use super::link::Link;
use super::origin::{self, From, Origins};
use super::permits::{Permit, Refused};
use crate::server::access::{Access, Admitted};
use crate::server::asker::Asker;
use crate::server::context::Context;
use crate::server::docker::Target;
use crate::server::forwarded::Peer;
use crate::server::login;
use crate::server::peer::Address;
use crate::server::problem::{self, ApiError};
use crate::server::rights;
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

/// warp's routes with all checks before them.
pub(super) struct Guarded<S> {
    pub(super) routes: S,
    pub(super) context: Arc<Context>,
    pub(super) permit: Permit,
    pub(super) address: Address,
    /// The connection, if it can be written to [directly](super::link).
    pub(super) link: Option<Arc<Link>>,
    /// Whether the connection is encrypted.
    pub(super) secure: bool,
    /// Who connects.
    pub(super) peer: Peer,
    /// Whether there has been a request.
    pub(super) asked: Arc<AtomicBool>,
    pub(super) exchange: Arc<Exchange>,
}

/// Over TLS, so that a session's cookie can be kept to it.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Secure(pub(in crate::server) bool);

impl<S> Guarded<S> {
    /// An answer to a request that is not for the routes to see, or where it comes from.
    fn check<B>(&self, request: &hyper::Request<B>, address: Address) -> Result<(From, Option<Admitted>), Box<Response>> {
        let context = &self.context;
        let refuse = |error: ApiError| Box::new(error.into_response());
        guard::check_target(request).map_err(refuse)?;
        guard::check_sizes(request).map_err(refuse)?;
        // No web page reaches a unix socket by whatever name, and Docker's clients make one up.
        if self.peer != Peer::Unix {
            guard::check_name(request, &context.admission.allowed_hosts).map_err(refuse)?;
        }
        let from = Origins { hosts: &context.admission.allowed_hosts, listed: &context.admission.cors_origins, secure: self.secure }
            .check(request);
        let from = match from {
            // Without its parts a page could not even say why it is refused. They are the same for everybody.
            Err(_) if login::is_part(request.uri().path()) => From::Here,
            from => from.map_err(refuse)?,
        };
        let finish = |mut response: Response| {
            origin::allow(response.headers_mut(), &from);
            Box::new(response)
        };
        if let Some(response) = origin::preflight(request) {
            return Err(finish(response));
        }
        if login::is_open(request.uri().path()) {
            return Ok((from, None));
        }
        // Pages of other origins bring their own token: a cookie may be there only because they share a host
        // name with us.
        let sessions = from == From::Here;
        let admitted = context.admission.access.as_ref().and_then(|access| access.admit(request.headers(), sessions));
        if let (Some(access), None) = (&context.admission.access, &admitted) {
            let wrong = Access::has_bearer(request.headers());
            if let Some(wait) = wrong.then(|| access.failures.failed(address)).flatten() {
                return Err(finish(login::too_many(wait)));
            }
            return Err(finish(login::refuse(request)));
        }
        // Before any route, so that one that is new tells nothing until it is listed.
        let refused = admitted.as_ref().and_then(Admitted::hosts).and_then(|hosts| rights::refuse(request.uri().path(), hosts));
        if let Some(error) = refused {
            return Err(finish(error.into_response()));
        }
        Ok((from, admitted))
    }
}

impl<S> Guarded<S>
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// What the routes answer, or what is answered in their place.
    fn begin(&self, mut request: hyper::Request<Incoming>) -> Answer {
        let client = self.context.admission.trusted_proxies.client(self.peer, request.headers());
        let address = client.map_or(self.address, Address::of);
        let (from, admitted) = match self.check(&request, address) {
            Ok(checked) => checked,
            Err(response) => return Box::pin(async move { Ok((*response, None)) }),
        };
        let permit = match client.map_or_else(|| Ok(self.permit.clone()), |client| self.permit.of_client(client)) {
            Ok(permit) => permit,
            Err(why) => return Box::pin(async move { Ok((over(why), None)) }),
        };
        request.extensions_mut().insert(Asker { address, admitted });
        request.extensions_mut().insert(permit.clone());
        // Also behind a proxy that does the encrypting.
        let encrypted = request.headers().get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
        request.extensions_mut().insert(Secure(self.secure || encrypted));
        // Direct writes are chunks, which older clients do not know (RFC 9112, 7.1), and no body follows a
        // HEAD.
        let chunked = request.version() == hyper::Version::HTTP_11 && request.method() == hyper::Method::GET;
        if let Some(link) = self.link.as_ref().filter(|_| chunked) {
            request.extensions_mut().insert(Arc::clone(link));
        }
        let answer = self.routes.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            origin::allow(response.headers_mut(), &from);
            Ok((response, Some(permit)))
        })
    }
}

/// An answer, with the permit of its client.
type Answer = Pin<Box<dyn Future<Output = Result<(Response, Option<Permit>), Infallible>> + Send>>;

/// The answer to one more request than an address may have.
fn over(why: Refused) -> Response {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why.detail()).with_header(header::RETRY_AFTER, "2").into_response()
}

impl<S> Service<hyper::Request<Incoming>> for Guarded<S>
where
    S: Service<hyper::Request<Incoming>, Response = Response, Error = Infallible> + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    type Response = warp::http::Response<Caught<<Response as HasBody>::Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        self.context.requests.fetch_add(1, Ordering::Relaxed);
        self.asked.store(true, Ordering::Relaxed);
        let docker = Target::of(request.uri().path()).is_some();
        let answering = self.exchange.asked(request.version() < hyper::Version::HTTP_2);
        // An answer of no known length is sent in chunks, which older clients do not know (RFC 9112, 6.3).
        let old = request.version() < hyper::Version::HTTP_11 && request.method() != hyper::Method::HEAD;
        let begun = caught::begin(|| self.begin(request));
        Box::pin(async move {
            let (response, permit) = caught::answer(begun).await;
            let response = if old { mark_end(response, &answering) } else { response };
            let response = finish(response, docker);
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                answering.upgraded();
                return Ok(response.map(|body| Caught::new(body, None, permit)));
            }
            Ok(response.map(|body| Caught::new(body, Some(answering), permit)))
        })
    }
}

/// Sees to it that a part of an answer whose end is that of its connection does not pass for the whole. Where
/// it would (on unix sockets) only a stream of events is sent, whose clients come back at every end.
fn mark_end(response: Response, answering: &Answering) -> Response {
    let told = response.headers().contains_key(header::CONTENT_LENGTH) || response.body().size_hint().exact().is_some();
    let stream = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if told || answering.is_open_ended() || stream {
        return response;
    }
    let detail =
        "over HTTP/1.0 on a unix socket a part of this could not be told from all of it; ask over HTTP/1.1 (nginx: proxy_http_version 1.1)";
    ApiError::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail).into_response()
}

/// Adds the headers that every answer carries. `docker`: to a path of Docker's API.
fn finish(mut response: Response, docker: bool) -> Response {
    if docker {
        problem::for_docker(&mut response);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Our own forms need an origin that can be told (Fetch standard, 3.2); nobody else learns where a click
    // came from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
