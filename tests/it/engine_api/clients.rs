//! bollard, which never sends a version, and ends at a type that it does not know.

use super::{SECOND, event, now, recorded, unix};
use crate::support::PATIENCE;
use bollard::Docker;
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt;
use std::collections::HashMap;

#[tokio::test(flavor = "multi_thread")]
async fn bollard_reads_history_and_goes_on_live() {
    let base = now() - 3600 * SECOND;
    let messages: Vec<_> = (0..50).map(|n| event(n, base + n)).collect();
    let (_dir, daemon, ship) = recorded(&messages).await;
    let address = ship.url.replacen("http://", "tcp://", 1);
    let docker = Docker::connect_with_http(&address, 30, bollard::API_DEFAULT_VERSION).unwrap().negotiate_version().await.unwrap();
    assert_eq!(docker.ping().await.unwrap(), "OK");
    let version = docker.version().await.unwrap();
    assert_eq!((version.api_version.as_deref(), version.version.as_deref()), (Some("1.51"), Some(env!("CARGO_PKG_VERSION"))));

    let names = async |options: EventsOptions, count: usize| {
        let mut events = Box::pin(docker.events(Some(options)).take(count));
        let mut names = Vec::new();
        while let Some(event) = tokio::time::timeout(PATIENCE, events.next()).await.expect("no event came") {
            let attributes = event.unwrap().actor.unwrap().attributes.unwrap();
            names.push(attributes["name"].clone());
            if names.len() == 50 {
                daemon.emit(&super::event(1000, now()));
            }
        }
        names
    };
    let all: Vec<_> = (0..50).chain([1000]).map(|n| format!("job-{n}")).collect();
    assert_eq!(names(EventsOptions { since: Some("0".into()), ..EventsOptions::default() }, 51).await, all);
    let filters = HashMap::from([
        ("container".to_owned(), vec!["job-2".to_owned(), "job-31".to_owned()]),
        ("type".to_owned(), vec!["container".to_owned()]),
    ]);
    let options = EventsOptions { since: Some(unix(base + 21)), until: Some(unix(base + 40)), filters: Some(filters) };
    assert_eq!(
        names(options, usize::MAX).await,
        ["job-21", "job-22", "job-23", "job-24", "job-25", "job-26", "job-27", "job-28", "job-29", "job-31"]
    );

    let error = docker.list_containers(None).await.unwrap_err();
    assert!(error.to_string().contains("only /_ping, /version and /events"), "{error}");
    let error =
        docker.events(Some(EventsOptions { since: Some("1h".into()), ..EventsOptions::default() })).next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("not a time in Unix seconds"), "{error}");
}
