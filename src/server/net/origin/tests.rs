use super::*;

fn request(origin: Option<&str>) -> Request<()> {
    let mut request = Request::builder().uri("/api/v1/stream").header(header::HOST, "127.0.0.1:7070");
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    request.body(()).unwrap()
}

fn with(mut request: Request<()>, name: &'static str, value: &str) -> Request<()> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[test]
fn only_our_pages_and_listed_ones() {
    let (hosts, listed) = (["ship.example".to_owned()], ["https://status.example".to_owned()]);
    let origins = Origins { hosts: &hosts, listed: &listed, secure: false };
    for ours in [
        None,
        Some("http://127.0.0.1:7070"),
        Some("https://ship.example"),
        Some("https://Ship.example"),
        Some("http://ship.example:8443"),
        Some("https://ship.example.:8443"),
    ] {
        assert_eq!(origins.check(&request(ours)).unwrap(), From::Here, "{ours:?}");
    }
    assert!(matches!(origins.check(&request(Some("https://status.example"))).unwrap(), From::Listed(_)));
    for foreign in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:7071",
        "http://ship.example.evil",
        "http://status.example",
        "https://status.example.evil",
        "",
    ] {
        assert!(origins.check(&request(Some(foreign))).is_err(), "{foreign}");
    }
    let encrypted = Origins { secure: true, ..origins };
    assert!(encrypted.check(&request(Some("http://127.0.0.1:7070"))).is_err());
    assert!(encrypted.check(&request(Some("https://127.0.0.1:7070"))).is_ok());
    assert!(origins.check(&request(Some("chrome-extension://ship.example"))).is_err());
}

#[test]
fn a_port_that_is_left_out_is_the_scheme_s() {
    let origins = Origins { hosts: &[], listed: &[], secure: false };
    for (host, origin, ours) in [
        ("10.0.0.5:443", "https://10.0.0.5", true),
        ("10.0.0.5", "https://10.0.0.5", true),
        ("10.0.0.5:80", "http://10.0.0.5", true),
        ("10.0.0.5:80", "https://10.0.0.5", false),
        ("10.0.0.5", "http://10.0.0.5:8080", false),
        ("localhost.:7070", "http://localhost:7070", true),
    ] {
        let request = with(request(Some(origin)), "host", host);
        assert_eq!(origins.check(&request).is_ok(), ours, "{host} {origin}");
    }
}

#[test]
fn what_a_browser_says_of_its_own_page_counts_behind_any_proxy() {
    let (hosts, listed) = (["ship.example".to_owned()], ["http://10.0.0.5:8080".to_owned()]);
    let origins = Origins { hosts: &hosts, listed: &listed, secure: true };
    for origin in ["http://127.0.0.1:24901", "null", "http://10.0.0.5:8080"] {
        for method in [Method::GET, Method::POST] {
            let mut request = with(request(Some(origin)), "sec-fetch-site", "same-origin");
            *request.method_mut() = method;
            assert_eq!(origins.check(&request).unwrap(), From::Here, "{origin}");
        }
    }
    // Something else on the machine with our name, whose browser says so.
    let request = with(request(Some("https://ship.example:9999")), "sec-fetch-site", "same-site");
    assert!(origins.check(&request).is_err());
}

#[test]
fn the_flag_that_is_told_is_the_one_that_helps() {
    let flags = |error: &ApiError, flag: &str| {
        let text = error.to_string();
        text.split(&format!("--{flag} ")).nth(1).map(|rest| rest.split([' ', ',']).next().unwrap_or("").to_owned())
    };
    let asked = |origins: &Origins<'_>, method: Method, origin: &str| {
        let mut request = request(Some(origin));
        *request.method_mut() = method;
        origins.check(&request)
    };
    for (origin, secure, own) in
        [("http://10.0.0.5:8080", false, true), ("https://[fd00::1]:8080", true, true), ("http://ship.example", true, false)]
    {
        let error = asked(&Origins { hosts: &[], listed: &[], secure }, Method::GET, origin).unwrap_err();
        let (host, listed) = (flags(&error, "allow-host"), [flags(&error, "cors-origin").unwrap()]);
        assert_eq!(host.is_some(), own, "{error}");
        assert!(asked(&Origins { hosts: &[], listed: &listed, secure }, Method::GET, origin).is_ok(), "{error}");
        // A login: the page has to be ours, and what is listed may only read.
        let error = asked(&Origins { hosts: &[], listed: &listed, secure }, Method::POST, origin).unwrap_err();
        assert_eq!((flags(&error, "allow-host").is_some(), flags(&error, "cors-origin")), (own, None), "{error}");
        if let Some(host) = host {
            let hosts = [crate::server::host_name(&host).unwrap()];
            assert_eq!(asked(&Origins { hosts: &hosts, listed: &listed, secure }, Method::POST, origin).unwrap(), From::Here);
        }
    }
    let error = asked(&Origins { hosts: &[], listed: &[], secure: false }, Method::GET, "null").unwrap_err();
    assert!(!error.to_string().contains("--"), "{error}");
}

#[test]
fn images_of_other_sites_get_nothing_and_links_lead_here() {
    let origins = Origins { hosts: &[], listed: &[], secure: false };
    for (site, mode, allowed) in [
        ("cross-site", "no-cors", false),
        ("same-site", "no-cors", false),
        ("cross-site", "navigate", true),
        ("same-origin", "cors", true),
        ("none", "navigate", true),
    ] {
        let mut request = request(None);
        request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
        request.headers_mut().insert("sec-fetch-mode", mode.parse().unwrap());
        assert_eq!(origins.check(&request).is_ok(), allowed, "{site} {mode}");
    }
}
