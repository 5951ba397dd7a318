use super::super::ending::Usage;
use super::*;
use crate::client::testing::{LAST_CHUNK, Reply, Server, answer, chunked};
use clap::Parser as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: ExportArgs,
}

async fn export(server: &Server, more: &[&str]) -> anyhow::Result<()> {
    let url = server.url();
    let line = ["export", "--url", &url].into_iter().chain(more.iter().copied());
    run(Line::try_parse_from(line).unwrap().args).await
}

/// Answers with these lines, whole or cut.
async fn server(whole: bool) -> Server {
    Server::start(move |_, _| {
        let mut bytes = chunked("application/jsonl", &[b"{\"a\":1}\n{\"b\"", b":2}\n"]);
        if whole {
            bytes.extend_from_slice(LAST_CHUNK);
        }
        Reply::Bytes(bytes)
    })
    .await
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_whole_export_gets_its_name_and_is_private() {
    let (server, dir) = (server(true).await, tempfile::tempdir().unwrap());
    let path = dir.path().join("a.jsonl");
    export(&server, &["-O", path.to_str().unwrap(), "-f", "event=die"]).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(dir.path()), ["a.jsonl"]);
    assert!(server.requests.lock().unwrap()[0].target.starts_with("/api/v1/export?format=jsonl&trailer=1&filters="));
}

#[tokio::test]
async fn a_cut_export_leaves_nothing() {
    let (server, dir) = (server(false).await, tempfile::tempdir().unwrap());
    let path = dir.path().join("a.jsonl");
    let error = export(&server, &["-O", path.to_str().unwrap()]).await.unwrap_err();
    assert!(error.to_string().contains("broke before"), "{error}");
    fs::write(&path, "old").unwrap();
    export(&server, &["-O", path.to_str().unwrap(), "--force"]).await.unwrap_err();
    assert_eq!((names(dir.path()), fs::read_to_string(&path).unwrap().as_str()), (vec!["a.jsonl".to_owned()], "old"));
}

#[tokio::test]
async fn what_exists_is_not_overwritten_unasked() {
    let (server, dir) = (server(true).await, tempfile::tempdir().unwrap());
    let path = dir.path().join("a.jsonl");
    let name = path.to_str().unwrap();
    fs::write(&path, "old").unwrap();
    let error = export(&server, &["-O", name]).await.unwrap_err();
    assert!(error.is::<Usage>() && error.to_string().contains("--force"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert!(server.requests.lock().unwrap().is_empty());
    export(&server, &["-O", name, "--force"]).await.unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"a\""));

    let other = dir.path().join("b.jsonl");
    fs::write(dir.path().join("b.jsonl.part"), "stale").unwrap();
    let error = export(&server, &["-O", other.to_str().unwrap()]).await.unwrap_err();
    assert!(error.to_string().contains("another export"), "{error}");
    assert_eq!(names(dir.path()), ["a.jsonl", "b.jsonl.part"]);
    assert!(export(&server, &["-O", dir.path().to_str().unwrap()]).await.unwrap_err().is::<Usage>());
}

#[tokio::test]
async fn the_suffix_chooses_the_compression() {
    let (server, dir) = (server(true).await, tempfile::tempdir().unwrap());
    for (name, parameter) in [("a.jsonl.zst", "compression=zstd"), ("b.GZ", "compression=gzip")] {
        export(&server, &["-O", dir.path().join(name).to_str().unwrap()]).await.unwrap();
        assert!(server.requests.lock().unwrap().iter().any(|request| request.target.contains(parameter)));
    }
    let asked = |server: &Server| {
        let requests = server.requests.lock().unwrap();
        requests.iter().rev().find(|request| request.target.starts_with("/api/v1/export")).unwrap().target.clone()
    };
    for (options, name) in [(&["--format", "csv"][..], "c"), (&[], "c.csv"), (&["--no-trailer"], "d.jsonl")] {
        let path = dir.path().join(name);
        export(&server, &[options, &["-O", path.to_str().unwrap()]].concat()).await.unwrap();
        assert!(asked(&server).contains(if name == "d.jsonl" { "format=jsonl" } else { "format=csv" }), "{name}");
        assert!(!asked(&server).contains("trailer"), "{name}");
    }
    let path = dir.path().join("e.csv");
    let error = export(&server, &["--format", "jsonl", "-O", path.to_str().unwrap()]).await.unwrap_err();
    assert!(error.is::<Usage>() && error.to_string().contains("--format asks for jsonl"), "{error}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_server_that_knows_no_last_line_is_asked_again_without_it() {
    let server = Server::start(|_, request| {
        if request.target.contains("trailer") {
            let problem = r#"{"detail":"unknown parameter \"trailer\"; this route takes format, since"}"#;
            return Reply::Bytes(answer("400 Bad Request", "application/problem+json", problem));
        }
        Reply::Bytes([chunked("application/jsonl", &[b"{\"a\":1}\n"]), LAST_CHUNK.to_vec()].concat())
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    export(&server, &["-O", path.to_str().unwrap()]).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
}

#[tokio::test]
async fn a_line_cut_by_a_polite_proxy_is_noticed() {
    let server = Server::start(|_, _| Reply::Bytes([chunked("application/jsonl", &[b"{\"a\""]), LAST_CHUNK.to_vec()].concat())).await;
    let dir = tempfile::tempdir().unwrap();
    let error = export(&server, &["-O", dir.path().join("a").to_str().unwrap()]).await.unwrap_err();
    assert!(error.to_string().contains("middle of a line"));
    assert!(names(dir.path()).is_empty());
}

#[tokio::test]
async fn what_containers_printed_can_be_left_out() {
    let server = server(true).await;
    export(&server, &["--exclude", "event=exec_*", "--no-last-words"]).await.unwrap();
    let target = server.requests.lock().unwrap()[0].target.clone();
    assert!(target.contains("exclude=%7B%22event%22%3A%5B%22exec_*%22%2C%22last-words%22%5D%7D"), "{target}");
}
