use super::*;

#[test]
fn only_paths_are_asked_for() {
    let request = |method: &str, target: &str| Request::builder().method(method).uri(target).body(()).unwrap();
    for (method, target, fine) in [
        ("GET", "/", true),
        ("GET", "/api/v1/events?limit=1", true),
        ("GET", "http://127.0.0.1", true),
        ("OPTIONS", "http://127.0.0.1/x", true),
        ("CONNECT", "127.0.0.1:80", false),
        ("CONNECT", "/", false),
        ("GET", "127.0.0.1:80", false),
        ("POST", "example", false),
        ("OPTIONS", "*", false),
    ] {
        assert_eq!(check_target(&request(method, target)).is_ok(), fine, "{method} {target}");
    }
}

fn asked(version: Version, host: Option<&str>) -> Request<()> {
    let request = Request::builder().version(version).uri("/healthz");
    host.into_iter().fold(request, |request, host| request.header(header::HOST, host)).body(()).unwrap()
}

#[test]
fn knows_its_names() {
    let allowed = ["ship.example".to_owned()];
    let status = |version, host| check_name(&asked(version, host), &allowed).map_err(|e| e.status()).err();
    for host in [
        "localhost",
        "localhost:7070",
        "LocalHost:1",
        "localhost.",
        "localhost.:7070",
        "ship.localhost:7070",
        "127.0.0.1:7070",
        "[::1]:7070",
        "[::1]",
        "[fe80::1%25eth0]:7070",
        "10.1.2.3",
        "ship.example:80",
        "ship.example.:80",
        "Ship.Example",
    ] {
        assert_eq!(status(Version::HTTP_11, Some(host)), None, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "evil.localhost.example",
        "127.0.0.1.evil.example:7070",
        "ship.example.evil",
        "evillocalhost",
    ] {
        assert_eq!(status(Version::HTTP_11, Some(host)), Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
    }
    for host in ["", "[evil]", "a b", "ship.example/", "x@localhost"] {
        assert_eq!(status(Version::HTTP_11, Some(host)), Some(StatusCode::BAD_REQUEST), "{host}");
    }
}

#[test]
fn only_older_clients_may_leave_the_name_out() {
    let status = |version, host| check_name(&asked(version, host), &[]).map_err(|e| e.status()).err();
    assert_eq!(status(Version::HTTP_11, None), Some(StatusCode::BAD_REQUEST));
    assert_eq!(status(Version::HTTP_10, None), None);
    assert_eq!(status(Version::HTTP_10, Some("")), None);
    assert_eq!(status(Version::HTTP_10, Some("evil.example")), Some(StatusCode::MISDIRECTED_REQUEST));
}

#[test]
fn the_flag_that_is_told_is_the_one_that_helps() {
    for host in ["Ship.Example.:7070", "my_host", "bücher.example:1"] {
        let request = asked(Version::HTTP_11, None);
        let (mut parts, ()) = request.into_parts();
        parts.headers.insert(header::HOST, warp::http::HeaderValue::from_bytes(host.as_bytes()).unwrap());
        let request = Request::from_parts(parts, ());
        let error = check_name(&request, &[]).unwrap_err().to_string();
        let flag = error.split("--allow-host ").nth(1).unwrap().split(' ').next().unwrap();
        let allowed = crate::server::host_name(flag).unwrap();
        assert!(check_name(&request, &[allowed]).is_ok(), "{error}");
    }
}
