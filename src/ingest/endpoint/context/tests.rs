use super::*;
use crate::ingest::endpoint::DockerHost;
use std::ffi::OsString;

/// A store with one context, `prod`.
fn store(meta: &str, certificate: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let id = hex::encode(Sha256::digest("prod"));
    let metas = dir.path().join("contexts/meta").join(&id);
    std::fs::create_dir_all(&metas).unwrap();
    std::fs::write(metas.join("meta.json"), meta).unwrap();
    if certificate {
        let certificates = dir.path().join("contexts/tls").join(&id).join("docker");
        std::fs::create_dir_all(&certificates).unwrap();
        std::fs::write(certificates.join("ca.pem"), "").unwrap();
    }
    dir
}

fn resolve(text: &str, dir: &Path) -> Result<String, String> {
    let env = |name: &str| (name == "DOCKER_CONFIG").then(|| OsString::from(dir));
    let host = DockerHost::read(text, &env).map_err(|error| error.to_string())?;
    Ok(format!("{}={}", host.name, host.endpoint))
}

fn meta(host: &str, skip: bool) -> String {
    format!(r#"{{"Name":"prod","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#)
}

#[test]
fn a_context_leads_where_it_says() {
    let resolved = |host: &str, certificate| resolve("context://prod", store(&meta(host, false), certificate).path()).unwrap();
    assert_eq!(resolved("unix:///run/d.sock", false), "prod=unix:///run/d.sock");
    assert_eq!(resolved("tcp://h:2376", false), "prod=tcp://h:2376");
    assert_eq!(resolved("tcp://h:2376", true), "prod=https://h:2376");
    assert_eq!(resolved("ssh://me@h", false), "prod=ssh://me@h");
    assert_eq!(resolved("", false), "prod=unix:///var/run/docker.sock");
    assert_eq!(resolve("p1=context://prod", store(&meta("tcp://h", false), false).path()).unwrap(), "p1=tcp://h:2375");
}

/// The docker CLI has more characters in its names than sources have.
#[test]
fn a_name_that_no_source_may_have_becomes_one() {
    let dir = store(&meta("tcp://h", false), false);
    let meta = std::fs::read(dir.path().join("contexts/meta").join(hex::encode(Sha256::digest("prod"))).join("meta.json")).unwrap();
    let long = "x".repeat(100);
    for (name, source) in [("colima+x86", "colima_x86"), ("a.b_c-d+e+", "a.b_c-d_e_"), ("käse", "k_se"), (&*long, &long[..64])] {
        let stored = dir.path().join("contexts/meta").join(hex::encode(Sha256::digest(name)));
        std::fs::create_dir_all(&stored).unwrap();
        std::fs::write(stored.join("meta.json"), &meta).unwrap();
        assert_eq!(resolve(&format!("context://{name}"), dir.path()).unwrap(), format!("{source}=tcp://h:2375"));
        assert_eq!(resolve(&format!("mine=context://{name}"), dir.path()).unwrap(), "mine=tcp://h:2375");
    }
    assert!(resolve("a+b=tcp://h", dir.path()).unwrap_err().contains("letters"), "a name that somebody gives is taken or refused");
}

#[test]
fn members_may_be_null_or_unknown_and_a_mark_stand_in_front() {
    let resolved = |meta: &str| resolve("context://prod", store(meta, false).path()).unwrap();
    for meta in [
        r#"{"Name":null,"Metadata":null,"Endpoints":{"docker":{"Host":"tcp://h","SkipTLSVerify":null,"X":[]},"kubernetes":7}}"#,
        "\u{feff}{\"Endpoints\":{\"docker\":{\"Host\":\"tcp://h\"}}}",
        r#"{"Name":7,"Endpoints":{"docker":{"Host":"tcp://h","SkipTLSVerify":"no"}}}"#,
    ] {
        assert_eq!(resolved(meta), "prod=tcp://h:2375", "{meta}");
    }
    assert_eq!(resolved(r#"{"Endpoints":{"docker":{"Host":null}}}"#), "prod=unix:///var/run/docker.sock");
    assert_eq!(resolved(r#"{"Endpoints":{"docker":{}}}"#), "prod=unix:///var/run/docker.sock");
}

#[test]
fn what_cannot_be_used_is_said() {
    let refused = |text: &str, meta: &str| resolve(text, store(meta, false).path()).unwrap_err();
    let unknown = refused("context://prd", &meta("tcp://h", false));
    assert!(unknown.contains("\"prd\"") && unknown.contains("known are: default, prod"), "{unknown}");
    assert!(refused("context://prod", &meta("tcp://h", true)).contains("DOCKER_TLS_VERIFY"));
    assert!(refused("context://prod", &meta("https://h", true)).contains("SkipTLSVerify"));
    assert!(refused("context://prod", &meta("npipe:////x", false)).contains("named pipe"));
    assert!(refused("context://prod", r#"{"Name":"prod","Endpoints":{}}"#).contains("no Docker endpoint"));
    assert!(refused("context://prod", "{").contains("meta.json"));
    assert!(refused("context://prod", r#"{"Endpoints":null}"#).contains("no Docker endpoint"));
    assert!(refused("context://prod", r#"{"Endpoints":{"docker":null}}"#).contains("no Docker endpoint"));
    assert!(refused("context://prod", "{}").contains("no Docker endpoint"));
    assert!(refused("context://prod", "[]").contains("no JSON object"));
    assert!(refused("context://prod", r#"{"Endpoints":{"docker":{"Host":7}}}"#).contains("no text"));
    assert!(refused("context://prod", &format!("{{}}{}", " ".repeat(1 << 20))).contains("longer than"));
    assert!(refused("context://", "{}").contains("letters"));
    assert!(refused("context://a/../b", "{}").contains("context"));
    assert!(DockerHost::parse("context://prod").unwrap_err().to_string().contains("HOME"));
}

#[test]
fn the_current_context_is_the_docker_clis() {
    let dir = tempfile::tempdir().unwrap();
    let current = |context: Option<&str>| {
        let env = |name: &str| match name {
            "DOCKER_CONFIG" => Some(OsString::from(dir.path())),
            "DOCKER_CONTEXT" => context.map(OsString::from),
            _ => None,
        };
        current_context(&env).map(|current| (current.name, current.file.is_some()))
    };
    assert_eq!(current(None), None);
    let config = dir.path().join("config.json");
    std::fs::write(&config, r#"{"auths":{},"currentContext":"prod"}"#).unwrap();
    assert_eq!(current(None), Some(("prod".to_owned(), true)));
    assert_eq!(current(Some("test")), Some(("test".to_owned(), false)));
    assert_eq!(current(Some("default")), None);
    std::fs::write(&config, "\u{feff}{\"currentContext\":\"colima+x86\",\"auths\":null,\"new\":[1]}").unwrap();
    assert_eq!(current(None), Some(("colima+x86".to_owned(), true)));
    for other in [r#"{"currentContext":null}"#, r#"{"currentContext":7}"#, "[]", r#"{"currentContext":"default"}"#, r#"{"auths":{}}"#, "{"]
    {
        std::fs::write(&config, other).unwrap();
        assert_eq!(current(None), None, "{other}");
    }
}
