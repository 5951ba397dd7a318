//! The list of routes.
//!
//! Each is boxed: warp's filters nest their types, and unboxed a list of this length takes rustc minutes.

use super::asker::Asker;
use super::context::Context;
use super::docker::{self, Target};
use super::live::{stream, ws};
use super::net::{Link, Permit, Secure};
use super::problem::ApiError;
use super::{charts, events, export, hosts, incident, incidents, login, pages, report, state, status};
use std::convert::Infallible;
use std::sync::Arc;
use warp::filters::BoxedFilter;
use warp::http::{Method, StatusCode, header};
use warp::reject::Reject;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection, path};

fn given(context: &Arc<Context>) -> impl Filter<Extract = (Arc<Context>,), Error = Infallible> + Clone + Send + Sync + 'static + use<> {
    let context = Arc::clone(context);
    warp::any().map(move || Arc::clone(&context))
}

/// Every route; nothing that comes out of here is a rejection any more.
pub(super) fn routes(
    context: &Arc<Context>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static + use<> {
    let with = given(context);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let headers = warp::header::headers_cloned();
    let asker = warp::ext::get::<Asker>();

    let stream = path!("api" / "v1" / "stream")
        .and(get())
        .and(with.clone())
        .and(query)
        .and(headers)
        .and(warp::ext::optional::<Arc<Link>>())
        .and(asker)
        .then(stream::stream)
        .map(answer)
        .boxed();
    let list = path!("api" / "v1" / "events")
        .and(get())
        .and(with.clone())
        .and(query)
        .and(headers)
        .and(asker)
        .then(events::list)
        .map(answer)
        .boxed();
    let one = path!("api" / "v1" / "events" / String).and(get()).and(with.clone()).map(|id, context| (context, id)).untuple_one();
    let one = one.and(asker).then(events::one).map(answer).boxed();
    let export = path!("api" / "v1" / "export")
        .and(get())
        .and(with.clone())
        .and(query)
        .and(headers)
        .and(asker)
        .then(export::export)
        .map(answer)
        .boxed();
    let incidents = path!("api" / "v1" / "incidents")
        .and(get())
        .and(with.clone())
        .and(query)
        .and(headers)
        .and(asker)
        .then(incidents::list)
        .map(answer)
        .boxed();
    let incident = path!("api" / "v1" / "incidents" / String).and(get()).and(with.clone()).map(|id, context| (context, id)).untuple_one();
    let incident = incident.and(headers).and(asker).then(incident::one).map(answer).boxed();
    let state = path!("api" / "v1" / "state").and(get()).and(with.clone()).and(query).and(headers).and(asker);
    let state = state.then(state::state).map(answer).boxed();
    let histogram = path!("api" / "v1" / "histogram").and(get()).and(with.clone()).and(query).and(headers).and(asker);
    let histogram = histogram.then(charts::histogram).map(answer).boxed();
    let facets = path!("api" / "v1" / "facets").and(get()).and(with.clone()).and(query).and(headers).and(asker);
    let facets = facets.then(charts::facets).map(answer).boxed();
    let lifelines = path!("api" / "v1" / "lifelines").and(get()).and(with.clone()).and(query).and(headers).and(asker);
    let lifelines = lifelines.then(charts::lifelines).map(answer).boxed();
    let report_of = path!("api" / "v1" / "incidents" / String / "report").and(get()).and(with.clone());
    let report_of = report_of.map(|id, context| (context, id)).untuple_one().and(query).and(headers).and(asker);
    let report_of = report_of.then(report::one).map(answer).boxed();
    let report = path!("api" / "v1" / "report").and(get()).and(with.clone()).and(query).and(headers).and(asker);
    let report = report.then(report::range).map(answer).boxed();
    let ws = path!("api" / "v1" / "ws")
        .and(get())
        .and(with.clone())
        .and(warp::ext::get::<Permit>())
        .and(asker)
        .and(websocket())
        .map(open_websocket)
        .boxed();
    let stats = path!("api" / "v1" / "stats").and(get()).and(with.clone()).and(asker);
    let stats = stats.map(|context, asker| status::stats(&context, &asker)).boxed();
    let hosts = path!("api" / "v1" / "hosts").and(get()).and(with.clone()).and(asker);
    let hosts = hosts.map(|context, asker| answer(hosts::hosts(&context, &asker))).boxed();
    let openapi = path!("api" / "v1" / "openapi.json").and(get()).and(headers).map(|headers| answer(pages::description(&headers))).boxed();
    let metrics = path!("metrics").and(get()).and(with.clone()).and(asker).then(status::metrics).boxed();
    let healthz = path!("healthz").and(get()).map(status::healthz).boxed();
    let readyz = path!("readyz").and(get()).and(with.clone()).and(asker);
    let readyz = readyz.map(|context, asker| status::readyz(&context, &asker)).boxed();

    let live = path::end().and(get()).and(headers).map(|headers| answer(pages::page("/", &headers))).boxed();
    let compare = path!("compare").and(get()).and(headers).map(|headers| answer(pages::page("/compare", &headers))).boxed();
    let sse = path!("demo" / "sse").and(get()).and(headers).map(|headers| answer(pages::page("/demo/sse", &headers))).boxed();
    let polling = path!("demo" / "polling").and(get()).and(headers).map(|headers| answer(pages::page("/demo/polling", &headers))).boxed();
    let websocket =
        path!("demo" / "websocket").and(get()).and(headers).map(|headers| answer(pages::page("/demo/websocket", &headers))).boxed();
    let form = path!("login").and(get()).and(headers).map(|headers| answer(login::form(&headers))).boxed();
    let secure = warp::ext::get::<Secure>().map(|Secure(secure)| secure);
    let submit = path!("login").and(post()).and(with.clone()).and(secure).and(asker);
    let submit = submit.and(warp::body::stream()).then(login::submit).boxed();
    let end = path!("logout").and(post()).and(secure).map(login::end).boxed();
    let part = path!("assets" / String / String).and(get()).and(headers);
    let part = part.map(|hash: String, name: String, headers| answer(pages::part(&hash, &name, &headers))).boxed();

    let engine = path::full().and_then(|path: path::FullPath| async move { Target::of(path.as_str()).ok_or_else(warp::reject::not_found) });
    let engine = engine.and(warp::method()).and(with.clone()).and(query).and(asker);
    let engine = engine.and(warp::body::stream()).then(docker::answer).boxed();

    let api = stream.or(list).unify().or(one).unify().or(export).unify().or(ws).unify().boxed();
    let operations = stats.or(openapi).unify().or(hosts).unify().or(metrics).unify().or(healthz).unify().or(readyz).unify().boxed();
    let api = api.or(incidents).unify().or(incident).unify().or(state).unify().or(report_of).unify().or(report).unify().boxed();
    let charts = histogram.or(facets).unify().or(lifelines).unify().boxed();
    let api = api.or(charts).unify().boxed();
    let ui = live.or(compare).unify().or(sse).unify().or(polling).unify().or(websocket).unify().or(part).unify().boxed();
    let session = form.or(submit).unify().or(end).unify().boxed();
    engine.or(api).unify().or(operations).unify().or(session).unify().or(ui).unify().recover(refuse).unify()
}

/// GET, and HEAD for those who only want to know.
fn get() -> BoxedFilter<()> {
    taking::<Reads>(&[Method::GET, Method::HEAD])
}

fn post() -> BoxedFilter<()> {
    taking::<Posts>(&[Method::POST])
}

/// A route whose path fits is rejected with the methods that it takes, so that the answer can name those of
/// all such routes.
fn taking<T: Reject + Default>(methods: &'static [Method]) -> BoxedFilter<()> {
    let known = warp::method()
        .and_then(move |method| async move { if methods.contains(&method) { Ok(()) } else { Err(warp::reject::custom(T::default())) } });
    known.untuple_one().boxed()
}

/// There is a route with this path that is read.
#[derive(Debug, Default)]
struct Reads;
impl Reject for Reads {}

/// There is a route with this path that something is posted to.
#[derive(Debug, Default)]
struct Posts;
impl Reject for Posts {}

fn answer(result: Result<Response, ApiError>) -> Response {
    result.unwrap_or_else(Reply::into_response)
}

/// The upgrade, or `None` for a request that asks for none.
fn websocket() -> BoxedFilter<(Option<warp::ws::Ws>,)> {
    warp::ws().map(Some).or(warp::any().map(|| None)).unify().boxed()
}

fn open_websocket(context: Arc<Context>, permit: Permit, asker: Asker, ws: Option<warp::ws::Ws>) -> Response {
    let Some(ws) = ws else {
        let error =
            ApiError::new(StatusCode::UPGRADE_REQUIRED, "this route speaks WebSocket only; for Server-Sent Events use /api/v1/stream");
        return error.with_header(header::UPGRADE, "websocket").into_response();
    };
    ws::upgrade(context, permit, asker, ws)
}

/// What no route took.
async fn refuse(rejection: Rejection) -> Result<Response, Infallible> {
    let (detail, allow) = match (rejection.find::<Reads>().is_some(), rejection.find::<Posts>().is_some()) {
        (true, false) => ("this route is read with GET", "GET, HEAD"),
        (true, true) => ("this route is read with GET, and takes a form by POST", "GET, HEAD, POST"),
        (false, true) => ("this route takes a POST", "POST"),
        (false, false) => {
            let detail = "there is no such route; they are listed in docs/api.md and /api/v1/openapi.json, the live page is at /";
            return Ok(ApiError::new(StatusCode::NOT_FOUND, detail).into_response());
        }
    };
    Ok(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, detail).with_header(header::ALLOW, allow).into_response())
}
