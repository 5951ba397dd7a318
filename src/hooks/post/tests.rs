use super::*;
use crate::client::testing::{Reply, Server, answer};
use crate::hooks::Form;
use crate::projection::incidents::Severity;

fn hook(url: &str, header_file: Option<&Path>) -> Hook {
    let header_file = header_file.map(Path::to_owned);
    Hook { name: "ops".into(), url: format!("{url}/in"), form: Form::Json, severity: Severity::Minor, subjects: Vec::new(), header_file }
}

fn message() -> Message {
    Message { id: "7f3c9a1e-42c.3".into(), content_type: "application/json", headers: vec![("tags", "warning".into())], body: "{}".into() }
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_under_the_same_id() {
    let statuses = ["500 Internal Server Error", "302 Found", "204 No Content"];
    let server = Server::start(move |number, _| Reply::Bytes(answer(statuses[number], "text/plain", ""))).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# mine\nAuthorization: Bearer t\ntags: skull\n").unwrap();
    let sent = Poster::new().deliver(&hook(&server.url(), Some(file.path())), &message()).await;
    assert_eq!(sent, Sent::Taken(204));
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 3, "a redirect is not followed");
    for request in requests {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        assert_eq!((request.target.as_str(), header("webhook-id")), ("/in", Some("7f3c9a1e-42c.3")));
        assert_eq!(
            (header("authorization"), header("tags"), header("content-type")),
            (Some("Bearer t"), Some("skull"), Some("application/json"))
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_without_the_secret() {
    let mut poster = Poster::new();
    let why = poster.post(&hook("http://127.0.0.1:1/secret", None), &message()).await.unwrap_err();
    assert!(!why.contains("secret") && why.contains("refused"), "{why}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "Bearer hunter2\n").unwrap();
    let why = poster.post(&hook("http://127.0.0.1:1", Some(file.path())), &message()).await.unwrap_err();
    assert!(why.contains("NAME: VALUE") && !why.contains("hunter2"), "{why}");
    let why = poster.post(&hook("http://127.0.0.1:1", Some(Path::new("/nonexistent"))), &message()).await.unwrap_err();
    assert!(why.contains("the header file /nonexistent"), "{why}");
}

#[tokio::test]
async fn one_that_hangs_is_left_after_a_while() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    tokio::time::pause();
    let why = Poster::new().post(&hook(&url, None), &message()).await.unwrap_err();
    assert_eq!(why, "no answer in 5 s");
}

#[test]
fn a_file_holds_so_many_headers() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |count: usize| {
        let lines: Vec<String> = (0..count).map(|n| format!("x-{n}: {n}\n# more\n\n")).collect();
        std::fs::write(file.path(), lines.concat()).unwrap();
        headers(file.path())
    };
    assert_eq!(write(MAX_HEADERS).unwrap().len(), MAX_HEADERS);
    assert!(write(MAX_HEADERS + 1).unwrap_err().contains("more than 64 headers"));
}
