//! The description of the routes, `docs/openapi.yaml`, against the program. `tests/clients/openapi` makes
//! requests up by it.

use crate::support::{PATIENCE, Ship, client};
use reqwest::{Method, Response};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

const DESCRIPTION: &str = "/api/v1/openapi.json";
const TOKEN: &str = "correct-horse-battery-staple";
/// Members of a path that are methods (OpenAPI 3.1, "Path Item Object").
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn without_docker(args: &[&str]) -> (TempDir, Ship) {
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(dir.path(), &[&["--docker-host", "unix:///nonexistent/docker.sock"], args].concat());
    (dir, ship)
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value))
}

/// What a reference leads to.
fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => description.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Names of the parameters of a path that stand in one place.
fn parameters<'a>(description: &'a Value, path: &str, place: &str) -> BTreeSet<&'a str> {
    let all = description["paths"][path]["parameters"].as_array().unwrap();
    let all = all.iter().map(|parameter| resolved(description, parameter)).filter(|parameter| parameter["in"] == place);
    all.map(|parameter| parameter["name"].as_str().unwrap()).collect()
}

/// A path with a value for each of its parameters.
fn target(path: &str) -> String {
    path.replace("{version}", "1.51").replace("{id}", "00000000-1").replace("{hash}", "0").replace("{name}", "x")
}

fn without_redirects() -> reqwest::Client {
    reqwest::Client::builder().read_timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A path without the names of its parameters.
fn nameless(path: &str) -> String {
    let segment = |segment: &str| segment.split_once('{').map_or_else(|| segment.to_owned(), |(before, _)| format!("{before}{{}}"));
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What the server has, as its source lists it.
fn routes() -> BTreeSet<String> {
    let source = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server").join(file)).unwrap();
    let (ours, docker) = (source("routes.rs"), source("docker/target.rs"));
    let segment = |segment: &str| segment.trim().strip_prefix('"').map_or("{}".to_owned(), |text| text.trim_end_matches('"').to_owned());
    let path = |list: &str| format!("/{}", list.split('/').map(segment).collect::<Vec<_>>().join("/"));
    let mut all: BTreeSet<String> = ours.split("path!(").skip(1).map(|rest| path(rest.split(')').next().unwrap())).collect();
    assert!(ours.contains("path::end()") && !ours.contains("path("), "a route is made in another way");
    all.insert("/".to_owned());
    let docker = docker.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => Route::"));
    for (name, _) in docker {
        all.extend([format!("/{name}"), format!("/v{{}}/{name}")]);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_and_nothing_else() {
    let (_dir, ship) = without_docker(&[]);
    let description = ship.json(DESCRIPTION).await;
    let described: BTreeSet<_> = object(&description["paths"]).map(|(path, _)| nameless(path)).collect();
    assert_eq!(described, routes());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_described_and_nothing_else() {
    let (_dir, ship) = without_docker(&[]);
    let description = ship.json(DESCRIPTION).await;
    let client = without_redirects();
    for (path, item) in object(&description["paths"]) {
        let allowed: BTreeSet<_> = METHODS.into_iter().filter(|method| item.get(*method).is_some()).map(str::to_uppercase).collect();
        for method in METHODS {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let response = client.request(method.clone(), format!("{}{}", ship.url, target(path))).send().await.unwrap();
            let status = response.status().as_u16();
            let Some(operation) = item.get(method.as_str().to_lowercase()) else {
                let told = response.headers().get("allow").map_or("", |value| value.to_str().unwrap());
                let told: BTreeSet<_> = told.split(", ").map(str::to_owned).collect();
                assert_eq!((status, &told), (405, &allowed), "{method} {path}");
                continue;
            };
            let answer = &operation["responses"][status.to_string()];
            assert!(answer.is_object(), "{method} {path} answers {status}, which is not described");
            // Some of the others do not end.
            let nowhere = status == 404 && response.text().await.unwrap().contains("no such route");
            assert!(!nowhere, "{method} {path}");
        }
    }
}

/// A route says itself which parameters it takes, and a filter which keys.
#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_is_described_and_nothing_else() {
    let (_dir, ship) = without_docker(&[]);
    let description = ship.json(DESCRIPTION).await;
    let told = async |target: String, before: &str| {
        let response = ship.get(&target).await;
        assert_eq!(response.status(), 400, "{target}");
        let detail = response.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned();
        let names = detail.split_once(before).unwrap_or_else(|| panic!("{target}: {detail}")).1;
        names.split(", ").map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    for path in ["stream", "events", "incidents", "report", "state", "histogram", "facets", "lifelines", "export"]
        .map(|name| format!("/api/v1/{name}"))
    {
        let path = &*path;
        let described = owned(parameters(&description, path, "query"));
        assert_eq!(told(format!("{path}?nonsense=1"), "this route takes ").await, described, "{path}");
        if !described.contains("filters") {
            continue;
        }
        let keys = owned(object(&description["components"]["schemas"]["Filter"]["properties"]).map(|(key, _)| key).collect());
        assert_eq!(told(format!(r#"{path}?filters={{"nonsense":[]}}"#), "the keys are ").await, keys, "{path}");
    }
}

/// Where there are tokens, all that is not described as open asks for one.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_a_token_as_described() {
    let (dir, open) = without_docker(&[]);
    let description = open.json(DESCRIPTION).await;
    let file = dir.path().join("tokens");
    std::fs::write(&file, TOKEN).unwrap();
    let (_dir, ship) = without_docker(&["--token-file", file.to_str().unwrap()]);
    for (path, item) in object(&description["paths"]) {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let response = without_redirects().request(method.clone(), format!("{}{}", ship.url, target(path))).send().await.unwrap();
            let security = operation.get("security").unwrap_or(&description["security"]).as_array().unwrap();
            assert_eq!(response.status() == 401, !security.is_empty(), "{method} {path}: {}", response.status());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_sent_as_any_document_is() {
    let (dir, _) = without_docker(&[]);
    let file = dir.path().join("tokens");
    std::fs::write(&file, TOKEN).unwrap();
    let (_dir, ship) = without_docker(&["--token-file", file.to_str().unwrap()]);
    let ask = async |method: Method, headers: &[(&'static str, &str)]| {
        let request = client().request(method, format!("{}{DESCRIPTION}", ship.url)).bearer_auth(TOKEN);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    };
    assert_eq!(ship.get(DESCRIPTION).await.status(), 401);
    let header = |response: &Response, name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let whole = ask(Method::GET, &[]).await;
    let (tag, length) = (header(&whole, "etag").unwrap(), header(&whole, "content-length").unwrap());
    assert_eq!((whole.status().as_u16(), header(&whole, "content-type").unwrap().as_str()), (200, "application/json"));
    let description: Value = whole.json().await.unwrap();
    assert_eq!((&description["openapi"], &description["info"]["version"]), (&"3.1.0".into(), &env!("CARGO_PKG_VERSION").into()));
    let head = ask(Method::HEAD, &[]).await;
    assert_eq!((head.status().as_u16(), header(&head, "etag"), header(&head, "content-length")), (200, Some(tag.clone()), Some(length)));
    assert!(head.bytes().await.unwrap().is_empty());
    let known = ask(Method::GET, &[("If-None-Match", &tag)]).await;
    assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, Some(tag)));
    let packed = ask(Method::GET, &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((packed.status().as_u16(), header(&packed, "content-encoding")), (200, Some("gzip".to_owned())));
}

/// Headers that every script of another origin may read (Fetch standard, "CORS-safelisted response-header
/// name"), and those that its browser acts on.
const READ_ANYWAY: [&str; 6] = ["cache-control", "content-encoding", "upgrade", "vary", "www-authenticate", "x-accel-buffering"];

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_listed_origins_may_read_every_header_that_is_described() {
    let origin = "https://status.example";
    let (_dir, ship) = without_docker(&["--cors-origin", origin]);
    let description = ship.json(DESCRIPTION).await;
    let mut headers = BTreeMap::new();
    for (path, item) in object(&description["paths"]).filter(|(path, _)| path.starts_with("/api/v1/")) {
        let answers = METHODS.into_iter().filter_map(|method| item.get(method)).flat_map(|operation| object(&operation["responses"]));
        for (_, answer) in answers {
            let names = resolved(&description, answer).get("headers").into_iter().flat_map(object);
            headers.extend(names.map(|(name, _)| (name.to_lowercase(), path)));
        }
    }
    headers.retain(|name, _| !READ_ANYWAY.contains(&name.as_str()));
    // An hour that Berlin had twice, so that there is a remark.
    let target = "/api/v1/events?tz=Europe/Berlin&since=2026-10-25+02:30";
    let response = client().get(format!("{}{target}", ship.url)).header("Origin", origin).send().await.unwrap();
    assert!(response.headers().contains_key("shipslog-remark") && headers.contains_key("shipslog-remark"));
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    let exposed: BTreeSet<_> = exposed.split(", ").collect();
    assert_eq!(exposed, headers.keys().map(String::as_str).collect(), "{headers:?}");
}
