use super::super::revisions::MAX_REPLAYS;
use super::*;

/// Everything that follows a place, portion by portion.
async fn all_after(known: &Arc<Known>, log: &Arc<dyn EventLog>, from: Place) -> Vec<(Place, Change)> {
    let (mut all, mut at) = (Vec::new(), from);
    loop {
        let portion = timeout(PATIENCE, known.revisions(log, at)).await.unwrap().unwrap();
        let places: Vec<Place> = portion.changes.iter().map(|(place, _)| *place).collect();
        assert!(places.is_sorted() && places.iter().all(|place| *place > at && *place <= portion.reached), "{at:?}: {portion:?}");
        let over = portion.changes.is_empty() && portion.reached == at;
        all.extend(portion.changes);
        at = portion.reached;
        if over {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_that_are_followed_are_those_that_are_found_again_from_any_place() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 1000).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    let followed = known.followed();
    let (mut live, mut at) = (all_after(&known, &log, Place::after(0)).await, known.newest());
    // Followed while records come.
    let writing = {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for from in (1000..COUNT).step_by(500) {
                log.append(records(from, 500)).await.unwrap();
            }
        })
    };
    while at < Place::after(u64::try_from(COUNT).unwrap()) {
        timeout(PATIENCE, known.more_than(at, None)).await.unwrap();
        let portion = known.revisions(&log, at).await.unwrap();
        at = portion.reached;
        live.extend(portion.changes);
    }
    writing.await.unwrap();
    drop(followed);
    assert!(live.len() > 1000 && live.is_sorted_by(|(a, _), (b, _)| a < b), "{}", live.len());
    // One record more, so that nothing is kept of the newest ones either.
    log.append(records(COUNT, 1)).await.unwrap();
    until("it is read", || known.newest() > at).await;
    let end = Place::after(u64::try_from(COUNT).unwrap());
    for (nth, from) in
        live.iter().map(|(place, _)| *place).chain([Place::after(0), Place::after(STRETCH), Place::after(STRETCH - 1)]).enumerate()
    {
        if nth % 301 != 0 && nth < live.len() {
            continue;
        }
        let again: Vec<_> = all_after(&known, &log, from).await.into_iter().filter(|(place, _)| *place <= end).collect();
        let rest: Vec<_> = live.iter().filter(|(place, _)| *place > from).cloned().collect();
        assert!(again == rest, "from {from:?}: {} and {}", again.len(), rest.len());
    }
    // And so it is after a restart, without files.
    let (other, _stop) = self::known(&log, None);
    other.list(&other.log, asked(Severity::Minor), at_end()).await.unwrap();
    let again: Vec<_> = all_after(&other, &log, Place::after(0)).await.into_iter().filter(|(place, _)| *place <= end).collect();
    assert!(again == live);
}

fn at_end() -> Timestamp {
    at(END)
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_of_records_that_are_gone_are_a_gap_and_what_goes_on_is_told_anew() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), COUNT).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    all_after(&known, &log, Place::after(STRETCH)).await;
    let oldest = log.trim(24_100).await.unwrap();
    let gone = all_after(&known, &log, Place::after(7)).await;
    assert_eq!(gone[0], (Place::after(oldest - 1), Change::Gap(8..=oldest - 1, crate::log::GapReason::Retention)));
    // Part of what came with a record that is gone is not sure to have been told.
    let within = all_after(&known, &log, Place::within(oldest - 1, 1)).await;
    assert_eq!(within[0].1, Change::Gap(oldest - 1..=oldest - 1, crate::log::GapReason::Retention));
    assert_eq!(within[1..], gone[1..]);
    let (again, _stop) = self::known(&log, None);
    again.list(&again.log, asked(Severity::Minor), at(END)).await.unwrap();
    assert_eq!(all_after(&again, &log, Place::after(oldest - 1)).await, gone[1..]);
}

#[test]
fn places_are_written_in_one_way() {
    let log: crate::cursor::LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
    for (place, text) in [(Place::after(7), "7f3c9a1e-7"), (Place::within(7, 2), "7f3c9a1e-7.2")] {
        assert_eq!(place.id(log).to_string(), text);
    }
    assert_eq!(Place::parts("7f3c9a1e-7"), Some(("7f3c9a1e-7", None)));
    assert_eq!(Place::parts("7f3c9a1e-7.2"), Some(("7f3c9a1e-7", Some(2))));
    for wrong in ["7f3c9a1e-7.", "7f3c9a1e-7.02", "7f3c9a1e-7.+2", "7f3c9a1e-7.2.3", "7f3c9a1e-7.4294967295", "7f3c9a1e-7.x"] {
        assert_eq!(Place::parts(wrong), None, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folds_for_those_who_go_on_are_kept_up_to_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 12_000).await;
    let (known, _stop) = known(&log, None);
    let mut reached = Vec::new();
    for seq in (0..).step_by(400).take(MAX_REPLAYS + 3) {
        reached.push(known.revisions(&log, Place::after(seq)).await.unwrap().reached);
    }
    assert!(reached.is_sorted_by(|a, b| a < b) && reached.iter().all(|place| *place < Place::after(12_000)), "{reached:?}");
    let kept: Vec<Place> = known.replays.lock().iter().map(|replay| Place::after(replay.through)).collect();
    assert_eq!(kept, reached[3..], "those that were asked for last");
}
