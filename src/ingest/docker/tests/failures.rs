//! What a container that has just failed is asked.

use super::fake_daemon::FakeDaemon;
use super::*;
use serde_json::json;

fn line(action: &str, id: &str, attributes: &str) -> String {
    format!(r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{{attributes}}}}},"timeNano":5}}"#)
}

/// The next record about a failure: its action and its attributes.
async fn told(rig: &mut Rig) -> (String, serde_json::Value) {
    loop {
        if let Input::Observed { event, .. } = rig.next_of_all().await {
            let attributes = serde_json::from_str::<serde_json::Value>(event.as_json()).unwrap()["Actor"]["Attributes"].take();
            if event.fields().action == "last-words" || attributes["observation"] == "failure" {
                return (event.fields().action.to_string(), attributes);
            }
        }
    }
}

/// Both records about one death, whichever comes first.
async fn told_of_death(rig: &mut Rig) -> (serde_json::Value, serde_json::Value) {
    let (first, second) = (told(rig).await, told(rig).await);
    let (words, observed) = if first.0 == "last-words" { (first, second) } else { (second, first) };
    assert_eq!((words.0.as_str(), observed.0.as_str()), ("last-words", "observed"));
    (words.1, observed.1)
}

async fn connected(daemon: &FakeDaemon) -> Rig {
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    rig
}

#[tokio::test]
async fn a_death_that_nobody_asked_for_is_explained_once() {
    let daemon = FakeDaemon::unix().await;
    let state = json!({"Status": "exited", "ExitCode": 137, "OOMKilled": true, "Error": ""});
    let host = json!({"Memory": 25_165_824, "RestartPolicy": {"Name": "always"}});
    daemon.set_containers(&[("c1", json!({"Id": "c1", "Name": "/web", "Config": {"Image": "i"}, "State": state, "HostConfig": host}))]);
    daemon.set_large("/containers/c1/logs", "\u{1}\0\0\0\0\0\0\u{6}t one\n\u{2}\0\0\0\0\0\0\u{6}t two\n", "", 0, "");
    let mut rig = connected(&daemon).await;
    for _ in 0..3 {
        daemon.emit(&line("die", "c1", r#""exitCode":"137","name":"web""#));
    }
    let (words, observed) = told_of_death(&mut rig).await;
    assert_eq!((&words["text"], &words["lines"], &words["exitCode"]), (&json!("t one\nt two"), &json!("2"), &json!("137")));
    assert_eq!(
        (&observed["oomKilled"], &observed["memory"], &observed["restartPolicy"]),
        (&json!("true"), &json!("25165824"), &json!("always"))
    );
    assert_eq!(observed["was"], json!(null));
    let asked =
        |daemon: &FakeDaemon| daemon.requests().into_iter().filter(|request| request.contains("/containers/c1/logs")).collect::<Vec<_>>();
    daemon.emit(&line("die", "c2", r#""exitCode":"1","name":"gone""#));
    let (action, words) = told(&mut rig).await;
    assert_eq!((action.as_str(), &words["why"]), ("last-words", &json!("it was removed before it could be asked")));
    assert_eq!(asked(&daemon), ["GET /containers/c1/logs?stdout=1&stderr=1&timestamps=1&tail=2 HTTP/1.1"], "of three deaths in a minute");
}

#[tokio::test]
async fn what_was_asked_for_is_not_looked_at() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", json!({"Id": "c1", "State": {"Status": "exited"}}))]);
    let mut rig = connected(&daemon).await;
    daemon.emit(&line("kill", "c1", r#""signal":"15""#));
    daemon.emit(&line("die", "c1", r#""exitCode":"143""#));
    daemon.emit(&line("die", "job", r#""exitCode":"0""#));
    daemon.emit(&line("die", "last", r#""exitCode":"1""#));
    assert_eq!(told(&mut rig).await.0, "last-words", "of the last");
    let asked: Vec<_> = daemon.requests().into_iter().filter(|request| request.contains("/logs")).collect();
    assert!(asked.len() == 1 && asked[0].contains("/containers/last/logs"), "{asked:?}");
}

/// Recording goes on, and it is said.
#[tokio::test]
async fn a_daemon_that_hangs_costs_the_words_and_nothing_else() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = connected(&daemon).await;
    daemon.set_hang(true);
    daemon.emit(&line("die", "c1", r#""exitCode":"1""#));
    daemon.emit(&line("start", "c2", ""));
    rig.expect_event(&line("die", "c1", r#""exitCode":"1""#)).await;
    rig.expect_event(&line("start", "c2", "")).await;
    assert_eq!(told(&mut rig).await.1["why"], "the daemon took longer than 2 s");
}

/// A hundred containers that die at once, on a host that answers.
#[tokio::test]
async fn many_failures_at_once_are_paced() {
    let daemon = FakeDaemon::unix().await;
    let mut rig = connected(&daemon).await;
    for n in 0..100 {
        daemon.emit(&line("die", &format!("c{n}"), r#""exitCode":"1""#));
    }
    for n in 0..100 {
        rig.expect_event(&line("die", &format!("c{n}"), r#""exitCode":"1""#)).await;
    }
    for _ in 0..6 {
        told(&mut rig).await;
    }
    let asked = daemon.requests().iter().filter(|request| request.contains("/logs")).count();
    assert!(asked < 50, "{asked} were asked");
}
