//! Answers that are larger than what is read of them, and such as are not what Docker documents.

use super::fake_daemon::FakeDaemon;
use super::*;

const UNIT: &str = r##"{"Id":"#","Names":["/a"],"State":"running","Labels":{"x":null}},"##;
const LAST: &str = r#"{"Id":"last","Names":["/last"],"State":"stopped","Ports":[{"Type":"quic"}]},7,{"Names":["/x"]}]"#;

/// The attributes of the next baseline, and the things told before it.
pub(super) async fn baseline(rig: &mut Rig) -> (serde_json::Value, Vec<crate::event::Event>) {
    let mut things = Vec::new();
    loop {
        if let Input::Observed { event, .. } = rig.next_of_all().await {
            if event.fields().action == "baseline" {
                let json: serde_json::Value = serde_json::from_str(event.as_json()).unwrap();
                return (json["Actor"]["Attributes"].clone(), things);
            }
            things.push(event);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_of_a_list_costs_nothing_else() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large("/containers/json", "[", UNIT, 2, LAST);
    daemon.set_large(
        "/containers/*",
        r#"{"Name":"/a","State":{"Status":"running","Health":{"Status":"odd"}},"Config":null,"x":["#,
        "[",
        1000,
        "",
    );
    daemon.set_large("/volumes", r#"{"Warnings":null,"Volumes":[{"Name":"v","Scope":"odd"},{}]}"#, "", 0, "");
    daemon.set_large("/networks", "null", "", 0, "");
    daemon.set_large("/images/json", "<html>", "", 0, "");
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    let (told, things) = baseline(&mut rig).await;
    assert_eq!(
        (&told["containers"], &told["containers_unreadable"], &told["not_inspected"]),
        (&"3".into(), &"2".into(), &"3".into()),
        "{told}"
    );
    assert_eq!((&told["volumes"], &told["volumes_unreadable"], &told["networks"]), (&"1".into(), &"1".into(), &"0".into()), "{told}");
    assert!(told.get("images").is_none() && told["unreadable"].as_str().unwrap().starts_with("containers: "), "{told}");
    let last = things.iter().find(|thing| thing.fields().actor_id == "last").unwrap();
    assert_eq!(last.view().attribute("state"), Some("stopped"));
}

#[tokio::test]
async fn a_list_of_any_length_is_told_within_bounds() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large("/version", r#"{"Version":""#, "9.9\\u001b[2J", 1 << 20, r#""}"#);
    daemon.set_large("/containers/json", "[", UNIT, MAX_LISTED as u64 + 500, LAST);
    daemon.set_large("/containers/*", "no inspection", "", 0, "");
    let mut rig = Rig::start_with(&daemon.url(), quick(), 100_000);
    let Input::Connected { engine, .. } = rig.next().await else { panic!("not connected") };
    assert_eq!(engine, "unknown", "too long");
    let (told, things) = baseline(&mut rig).await;
    assert_eq!((&told["containers"], &told["containers_left_out"]), (&MAX_LISTED.to_string().into(), &"503".into()), "{told}");
    assert_eq!(things.len(), MAX_LISTED);
    // The daemon has more than is kept, so nothing in it is known to be gone, and another connection is no
    // reason to look again.
    let looks = daemon.count("/containers/json");
    daemon.restart();
    rig.expect_disconnected().await;
    rig.expect_connected_to("unknown").await;
    rig.expect_replay_end(0).await;
    daemon.emit(&old(1));
    rig.expect_event(&old(1)).await;
    assert_eq!(daemon.count("/containers/json"), looks);
}

#[tokio::test]
async fn a_label_of_any_length_is_cut_and_the_container_told() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large(
        "/containers/json",
        r#"[{"Id":"c1","Names":["/a"],"Labels":{"big":""#,
        "0123456789",
        2 << 20,
        r#""},"State":"running"}]"#,
    );
    daemon.set_large("/containers/*", "no inspection", "", 0, "");
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    let (told, things) = baseline(&mut rig).await;
    assert_eq!(told["containers"], "1");
    let big = things[0].view().attribute("big").unwrap().to_owned();
    assert!(big.ends_with("…[cut, 20971520 bytes]") && big.len() < 100_000, "{}", big.len());
}

#[tokio::test]
async fn a_stop_comes_through_a_large_answer() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large("/containers/json", "[", UNIT, u64::MAX, "]");
    let mut rig = Rig::start(&daemon.url(), quick());
    rig.expect_connected().await;
    rig.wait_for("a look", |_| daemon.count("/containers/json") > 0).await;
    rig.stop.stop();
    tokio::time::timeout(Duration::from_secs(3), &mut rig.task).await.expect("it waits for nobody").unwrap();
}

/// bollard keeps what a ping is answered with.
#[tokio::test]
async fn an_answer_that_is_too_long_for_a_ping_is_none() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_large("/_ping", "", "OK", u64::MAX, "");
    let endpoint = DockerHost::parse(&daemon.url()).unwrap().endpoint;
    let engine = Engine::new(&endpoint, &quick()).unwrap();
    let answer = tokio::time::timeout(DEADLINE, engine.docker.ping()).await.unwrap();
    assert!(answer.is_err());
    assert_eq!(engine.version().await, "28.0.0-fake", "and nothing else is bounded by it");
}
