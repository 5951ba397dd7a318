//! HTTP for the archive: an answer is read no further than it may be long.

use super::limits::{MAX_ERROR_BYTES, MAX_OBJECT_BYTES, MAX_PAGE_BYTES};
use async_trait::async_trait;
use http_body_util::{BodyExt as _, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService, ReqwestConnector,
};

/// Makes clients that read within bounds.
#[derive(Debug)]
pub(super) struct Bounded;

impl HttpConnector for Bounded {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(HttpClient::new(BoundedClient(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct BoundedClient(HttpClient);

/// Bytes that an answer may have.
fn longest(is_success: bool, query: Option<&str>) -> usize {
    if !is_success {
        MAX_ERROR_BYTES
    } else if query.is_some_and(|query| query.contains("list-type=")) {
        MAX_PAGE_BYTES
    } else {
        usize::try_from(MAX_OBJECT_BYTES).unwrap_or(usize::MAX)
    }
}

#[async_trait]
impl HttpService for BoundedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().map(str::to_owned);
        let (parts, body) = self.0.execute(request).await?.into_parts();
        let most = longest(parts.status.is_success(), query.as_deref());
        let body = Limited::new(body, most).map_err(|e| match e.downcast::<HttpError>() {
            Ok(e) => *e,
            Err(e) => HttpError::new_boxed(HttpErrorKind::Decode, e),
        });
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}
