use super::*;

fn parse(url: &str, tcp: TcpMeans) -> Result<Endpoint, EndpointError> {
    endpoint(url, &TlsDefaults { tcp, files: TlsFiles { dir: Some("/home/me/.docker".into()), named: false } })
}

#[test]
fn reads_what_docker_reads() {
    let cases = [
        ("unix:///run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
        ("unix://", "unix:///var/run/docker.sock"),
        ("tcp://127.0.0.1:2376", "tcp://127.0.0.1:2376"),
        ("tcp://docker", "tcp://docker:2375"),
        ("http://localhost:80/", "tcp://localhost:80"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("https://[::1]", "https://[::1]:2376"),
        ("https://docker:443/", "https://docker:443"),
        ("tcp://docker?cert-path=/c=1", "https://docker:2376"),
        ("ssh://host", "ssh://host"),
        ("ssh://host/", "ssh://host"),
        ("ssh://me@host:22/run/user/1000/docker.sock", "ssh://me@host:22/run/user/1000/docker.sock"),
        ("ssh://me@dom@[fe80::1]:2222", "ssh://me@dom@[fe80::1]:2222"),
    ];
    for (text, shown) in cases {
        assert_eq!(parse(text, TcpMeans::Plain).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn says_what_to_do_about_the_rest() {
    let cases = [
        ("npipe:////./pipe/docker_engine", "not supported"),
        ("fd://", "not supported"),
        ("/var/run/docker.sock", "needs unix:// in front"),
        ("localhost:2375", "needs unix:// or tcp://"),
        ("unix://run/docker.sock", "three slashes"),
        ("tcp://", "host is missing"),
        ("tcp://a:b", "port"),
        ("tcp://a:0", "port"),
        ("tcp://[::1", "bracket"),
        ("tcp://[::1]x", "port"),
        ("tcp://a:1/v1.41", "path"),
        ("tcp://a@b:1", "HOST:PORT"),
        ("tcp://a:1?cert=/x", "cert-path=DIR"),
        ("tcp://a:1?cert-path=", "cert-path=DIR"),
        ("http://a:1?cert-path=/x", "is for TLS"),
        ("ssh://", "host is missing"),
        ("ssh://me:secret@host", "no password"),
        ("ssh://-oProxyCommand=x", "begin with a dash"),
        ("ssh://-l@host", "begin with a dash"),
        ("ssh://me@`id`", "that host"),
        ("ssh://$(id)@host", "that user"),
        ("ssh://@host", "that user"),
        ("ssh://host:x", "port"),
        ("ssh://host/run/d.sock?x", "nothing may follow"),
        ("ftp://a", "unknown scheme"),
        ("", "unix://"),
    ];
    for (text, part) in cases {
        let error = parse(text, TcpMeans::Plain).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn the_environment_says_what_tcp_means_and_the_url_wins() {
    let dir = |url: &str, tcp| match parse(url, tcp).unwrap() {
        Endpoint::Tls { files, .. } => files.dir.map(|dir| (dir.display().to_string(), files.named)),
        other => panic!("{other} is not TLS"),
    };
    assert_eq!(dir("tcp://a", TcpMeans::Tls), Some(("/home/me/.docker".to_owned(), false)));
    assert_eq!(dir("https://a", TcpMeans::Plain), Some(("/home/me/.docker".to_owned(), false)));
    assert_eq!(dir("tcp://a?cert-path=/c", TcpMeans::Unchecked), Some(("/c".to_owned(), true)));
    assert_eq!(dir("https://a/?cert-path=c d", TcpMeans::Tls), Some(("c d".to_owned(), true)));
    assert_eq!(parse("http://a", TcpMeans::Tls).unwrap().to_string(), "tcp://a:2375");
    assert_eq!(parse("unix:///a", TcpMeans::Unchecked).unwrap().to_string(), "unix:///a", "TLS means nothing on a Unix socket");
    let error = parse("tcp://a", TcpMeans::Unchecked).unwrap_err().to_string();
    assert!(error.contains("DOCKER_TLS_VERIFY=1"), "{error}");
}
