mod documents;

use super::*;
use crate::client::testing::{LOG, Reply, Server, answer, line};
use crate::client::{Client, Selection};
use clap::{CommandFactory as _, Parser as _};

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
    for line in [
        "shipslog",
        "shipslog --demo --listen 127.0.0.1:0",
        "shipslog serve --docker-host a=unix:///a --docker-host unix:///b --insecure",
        "shipslog tail --since 10m --follow -f type=container -x event=exec_* -n 5 -o docker --utc --color never --url http://h:1",
        "shipslog tail --since 2h --until 1h --speed 10",
        "shipslog tail --since oldest --speed 2.5 --follow",
        "shipslog query --since 1h --until 5m -n 3 -o json",
        "shipslog export --since oldest --format jsonl -O x.zst --force",
        "shipslog stats -o json",
        "shipslog healthcheck",
        "shipslog config show --demo=false",
        "shipslog query --since -10m --until -5m --tz Europe/Berlin",
        "shipslog tail --all -f exit!=0 -f text=oom",
        "shipslog export -O x.csv --no-trailer",
        "shipslog healthcheck --strict",
        "shipslog healthcheck --live",
        "shipslog completions zsh",
        "shipslog man",
        "shipslog man pages",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
    for line in [
        "shipslog tial",
        "shipslog tail -n x",
        "shipslog tail -n 1000000",
        "shipslog tail --since 1h --speed 0.5",
        "shipslog tail --since 1h --speed 1001",
        "shipslog tail --since 1h --speed nan",
        "shipslog tail --speed 10",
        "shipslog tail --since 1h --speed 10 -n 5",
        "shipslog query -o xml",
        "shipslog --demo tail",
        "shipslog config",
        "shipslog query --utc --tz UTC",
        "shipslog healthcheck --live --strict",
        "shipslog completions cmd",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}

#[test]
fn a_speed_out_of_range_is_told() {
    let error = Cli::try_parse_from("shipslog tail --since 1h --speed 5000".split(' ')).unwrap_err().to_string();
    assert!(error.contains("must be a number from 1 to 1000"), "{error}");
    let error = Cli::try_parse_from("shipslog tail --speed 10".split(' ')).unwrap_err().to_string();
    assert!(error.contains("--since"), "{error}");
}

#[tokio::test]
async fn wrong_usage_is_told_before_anything_is_sent() {
    for (line, part) in [
        ("shipslog tail --since tomorrow --url http://127.0.0.1:1", "--since: \"tomorrow\" is not a time"),
        ("shipslog query --since 5m --until 10m --url http://127.0.0.1:1", "swap them"),
        ("shipslog query -f typ=container --url http://127.0.0.1:1", "unknown key \"typ\""),
        ("shipslog query --url ftp://a", "the scheme must be http, https or unix"),
    ] {
        let error = run(Cli::try_parse_from(line.split(' ')).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains(part), "{line}: {error}");
    }
    let error = run(Cli::try_parse_from("shipslog tail --url http://127.0.0.1:1".split(' ')).unwrap()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot reach shipslog at http://127.0.0.1:1: "), "{error}");
    assert!(error.to_string().contains("`shipslog serve`") && error.to_string().contains("SHIPSLOG_URL"), "{error}");
}

/// History of a log that grows by one record with every request.
async fn growing_log(head: u64) -> Server {
    Server::start(move |number, request| {
        let head = head + number as u64;
        let query = request.target.split_once('?').unwrap().1;
        let get = |key: &str| query.split('&').find_map(|p| p.strip_prefix(key)?.strip_prefix('='));
        let limit: u64 = get("limit").unwrap().parse().unwrap();
        let limit = limit.min(3);
        let (from, to, next) = if get("order") == Some("asc") {
            let from = get("cursor").map_or(1, |c| c.parse().unwrap());
            let to = (from + limit - 1).min(head);
            (from, to, (to < head).then_some(to + 1))
        } else {
            let to = get("cursor").map_or(head, |c| c.parse().unwrap());
            let from = (to + 1).saturating_sub(limit).max(1);
            (from, to, (from > 1).then_some(from - 1))
        };
        let mut lines: Vec<_> = (from..=to).map(line).collect();
        if get("order") == Some("desc") {
            lines.reverse();
        }
        let next = next.map_or("null".to_owned(), |n| format!("\"{n}\""));
        let body = format!(
            r#"{{"records":[{}],"page":{{"next":{next},"prev":null}},"log":{{"id":"{LOG}","oldest":1,"head":{head}}}}}"#,
            lines.join(",")
        );
        Reply::Bytes(answer("200 OK", "application/json", &body))
    })
    .await
}

#[tokio::test]
async fn history_is_read_whole_and_ends_though_the_log_grows() {
    let server = growing_log(10).await;
    let client = Client::new(&server.url()).unwrap();
    let mut lines = Vec::new();
    history::all(&client, &Selection::default(), |item| {
        match item {
            history::Item::Record(text) => lines.push(text.to_owned()),
            history::Item::LeftOut(0) => {}
            other => panic!("{other:?}"),
        }
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(lines, (1..=10).map(line).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_newest_come_oldest_first() {
    let server = growing_log(10).await;
    let client = Client::new(&server.url()).unwrap();
    let newest = history::newest(&client, &Selection::default(), 7, false).await.unwrap();
    assert_eq!(newest.lines.iter().map(|l| l.get().to_owned()).collect::<Vec<_>>(), (4..=10).map(line).collect::<Vec<_>>());
    assert_eq!(history::edge(&client).await.unwrap().unwrap().to_string(), "0000000a-13");
    assert_eq!(history::newest(&growing_client().await, &Selection::default(), 100, false).await.unwrap().lines.len(), 2);
}

/// Of very many health checks the server tells how many there are.
#[tokio::test]
async fn the_newest_are_found_behind_any_number_of_health_checks() {
    let server = Server::start(move |number, request| {
        let folds = request.target.contains("fold=noise");
        assert_eq!(folds, number >= 10, "{}", request.target);
        let probe = line(20 - number as u64).replacen(r#""event":"#, r#""noise":"healthcheck","event":"#, 1);
        let (records, folded, next) = if folds { (line(1), 5000, "null") } else { (probe, 0, "\"x\"") };
        let body =
            format!(r#"{{"records":[{records}],"folded":{folded},"page":{{"next":{next}}},"log":{{"id":"{LOG}","oldest":1,"head":20}}}}"#);
        Reply::Bytes(answer("200 OK", "application/json", &body))
    })
    .await;
    let newest = history::newest(&Client::new(&server.url()).unwrap(), &Selection::default(), 3, true).await.unwrap();
    assert_eq!((newest.lines.len(), newest.folded), (11, 5000));
    assert_eq!(newest.lines[0].get(), line(1), "and they are older than what came in place");
}

async fn growing_client() -> Client {
    Client::new(&growing_log(2).await.url()).unwrap()
}

/// As a server answers whose filter hides a gap, over two pages that it meets both.
#[tokio::test]
async fn what_a_filter_hides_is_handed_on_from_every_page() {
    let gap = r#"{"id":"0000000a-2","seq":2,"time":"2026-11-22T10:03:00Z","received":"2026-11-22T10:03:00Z","source":"local","event":{"Type":"recorder","Action":"gap","Actor":{"ID":"local","Attributes":{"reason":"daemon-restart","from":"2026-11-22T10:00:00Z","until":"2026-11-22T10:03:00Z"}}}}"#;
    let server = Server::start(move |_, request| {
        let (record, next) = if request.target.contains("cursor=") { (3, "null") } else { (1, "\"x\"") };
        let body = format!(
            r#"{{"records":[{}],"incomplete":[{gap}],"incomplete_left_out":7,"page":{{"next":{next}}},"log":{{"id":"{LOG}","oldest":1,"head":3}}}}"#,
            line(record)
        );
        Reply::Bytes(answer("200 OK", "application/json", &body))
    })
    .await;
    let client = Client::new(&server.url()).unwrap();
    for (format, count, rows) in
        [(render::OutputForm::Human, None, 3), (render::OutputForm::Json, None, 2), (render::OutputForm::Json, Some(2), 2)]
    {
        let (out, notes) = (testing::Sink::default(), testing::Sink::default());
        let renderer = render::Renderer::new(format, crate::time::Tz::UTC, false);
        let mut printer = printer::Printer::to(Box::new(out.clone()), Box::new(notes.clone()), renderer, crate::time::Tz::UTC);
        query::show(&client, &Selection::default(), count, &mut printer).await.unwrap();
        let words =
            "the recorder may have missed events of local from 2026-11-22 10:00:00+00:00 until 2026-11-22 10:03:00+00:00 (daemon-restart)";
        let older = "there are 7 older ones (-f type=recorder -f event=gap shows them all)";
        assert_eq!(notes.text(), format!("-- {words}\n-- {older}\n"), "once");
        assert_eq!(out.text().lines().count(), rows, "{}", out.text());
        assert!(rows == 2 || out.text().lines().nth(1).unwrap().ends_with(&format!("! {words}")), "{}", out.text());
    }
}
