use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_longer_than_the_daemon_would_stays_down() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0).await;
    // Lanes tell containers apart by the head of their ids.
    let of = |second, id: u64, action: &str, attributes: &str| {
        let NewRecord { source, received, event } = event(second, id, action, attributes);
        let line = event.as_json().replace(&format!("{id:064}"), &format!("{id:0<64}"));
        NewRecord { source, received, event: Event::from_line(line.as_bytes()).unwrap() }
    };
    let die = |second, id| of(second, id, "die", r#","exitCode":"1""#);
    let start = |second, id| of(second, id, "start", "");
    // The first waits 4, 8 and 16 seconds and is started by hand after another 100; the second never again.
    let mut told = vec![start(0, 1), start(0, 2), die(20, 2)];
    for (from, until) in [(1, 5), (6, 14), (15, 31), (32, 132)] {
        told.extend([die(from, 1), start(until, 1)]);
    }
    told.extend([die(133, 1), event(134, 3, "exec_start: sh", "")]);
    told.sort_by_key(|one| one.received);
    log.append(told).await.unwrap();
    let (known, _stop) = known(&log, None);
    let lines = known.lifelines(&log, at(0)..=at(140), 1000).await.unwrap();
    let lane = |key: &str| serde_json::to_value(lines.lanes.iter().find(|lane| lane.key == key).unwrap()).unwrap();
    let states = |lane: &serde_json::Value| {
        let of = |span: &serde_json::Value| (span[2].as_str().unwrap().to_owned(), span[1].is_null());
        lane["spans"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let expected = ["running", "down", "running", "restarting", "running", "restarting", "running", "down", "running", "restarting"];
    assert_eq!(states(&lane("c1")), expected.iter().enumerate().map(|(n, state)| ((*state).to_owned(), n == 9)).collect::<Vec<_>>());
    assert_eq!(states(&lane("c2")), [("running".to_owned(), false), ("down".to_owned(), true)]);
    // What had gone down before the range is down in it.
    let later = known.lifelines(&log, at(50)..=at(60), 1000).await.unwrap();
    let second = later.lanes.iter().find(|lane| lane.key == "c2").unwrap();
    assert_eq!(second.spans.first().map(|span| (span.2, span.1)), Some(("down", None)));
    // So many points wide, a second is less than one.
    let narrow = known.lifelines(&log, at(0)..=at(140), 4).await.unwrap();
    let first = serde_json::to_value(narrow.lanes.iter().find(|lane| lane.key == "c1").unwrap()).unwrap();
    let deaths = first["marks"].as_array().unwrap();
    assert_eq!(deaths.iter().map(|mark| mark[4].as_u64().unwrap().max(1)).sum::<u64>(), 5, "{first}");
    assert!(deaths.len() < 5, "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_range_that_holds_too_much_the_newest_part_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), COUNT).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    let end = COUNT * APART;
    let whole = known.lifelines(&log, at(0)..=at(end), 1000).await.unwrap();
    let from = whole.read_from.unwrap();
    // 4,096 records of the test, less what the beginning moves by at once.
    assert!((at(end - 4096 * APART)..=at(end - 3500 * APART)).contains(&from), "{from:?}");
    assert_eq!(whole.ended_after, None);
    let lane = whole.lanes.first().unwrap();
    assert!(lane.spans.iter().all(|span| span.0 >= from) && lane.spans.iter().any(|span| span.1.is_none()), "{lane:?}");
    let part = known.lifelines(&log, at(end - 2000 * APART)..=at(end), 1000).await.unwrap();
    assert_eq!(part.read_from, None);
}
