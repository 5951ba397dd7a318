//! What of a replay is news.

use super::fake_daemon::FakeDaemon;
use super::state::{container, expect_baseline, observations};
use super::*;

/// What came while nobody was connected is news, whatever a clock says that was set back meanwhile.
#[tokio::test]
async fn what_a_replay_brings_is_news_behind_a_clock_that_was_set_back() {
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("one", "running", 0))]);
    let timing = Timing { glance_every: Duration::from_millis(50), baseline_every: NEVER, ..quick() };
    let mut rig = Rig::start(&daemon.url(), timing);
    rig.expect_connected().await;
    rig.expect_replay_end(0).await;
    observations(&mut rig, 1).await;
    expect_baseline(&mut rig, "1").await;
    let of_c1 = |action: &str, nanos: i64| die("one", nanos).replace("f4", "c1").replace("die", action);
    let now = Timestamp::now().nanos();
    daemon.emit(&of_c1("start", now));
    rig.expect_event(&of_c1("start", now)).await;
    // It is connected to again only when all of this has been.
    daemon.set_hang(true);
    daemon.drop_connections();
    daemon.emit(&of_c1("die", now - 60_000_000_000));
    daemon.set_containers(&[("c1", container("one", "exited", 0))]);
    daemon.set_hang(false);
    rig.expect_disconnected().await;
    rig.expect_connected().await;
    let looks = daemon.count("/containers/json");
    rig.wait_for("more looks", |_| daemon.count("/containers/json") > looks + 3).await;
    daemon.emit(&live("last"));
    loop {
        match rig.next_of_all().await {
            Input::Event { event, .. } if event.view().attribute("name") == Some("last") => break,
            Input::Observed { event, .. } => panic!("no event would have told of it: {event:?}"),
            Input::Disconnected { reason, .. } => panic!("{reason}"),
            _ => {}
        }
    }
}
