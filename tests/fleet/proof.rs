//! What a server's log proves of a host's: the lines and the chain are the host's own.

use crate::cluster::Cluster;
use crate::program::{Ship, init, program};
use std::path::Path;

/// Records that the server has before they are compared.
const RECORDS: u64 = 40;

/// Runs `verify`; whether it says yes, and what it says.
fn verify(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = program(&[["verify", "--data-dir", dir.to_str().unwrap()].as_slice(), arguments].concat()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// What stands between two words.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text.find(before).unwrap_or_else(|| panic!("{before}: {text}")) + before.len();
    text[from..].split(after).next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_log_proves_the_chain_of_each_host() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let servers = cluster.settings("server", None).urls;
    init(&servers);
    let [at_host, at_server] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let _host = Ship::host("web-17", at_host.path(), &servers);
    let server = Ship::server(at_server.path(), &servers);
    server.head(RECORDS).await;
    let line = server.lines().await.remove(0);
    let log = between(&line, r#""origin":{"id":""#, "-").to_owned();

    // Beside the programs that write there.
    let (yes, said) = verify(at_server.path(), &["--origin", &log]);
    assert!(yes && said.contains(&format!("log {log} of web-17: records 1 to ")), "{said}");
    let last = between(&said, "after record ", ";").to_owned();
    assert!(last.parse::<u64>().unwrap() >= RECORDS, "{said}");
    let chain = between(&said, "chain ", " after").to_owned();
    let (yes, there) = verify(at_host.path(), &["--through", &last]);
    assert!(yes && there.contains(&format!("chain {chain} after record {last}\n")), "{there}{said}");

    // From a record on whose value the host tells; another value gives another end.
    let (_, there) = verify(at_host.path(), &["--through", "7"]);
    let known = between(&there[there.rfind("chain ").unwrap()..], "chain ", " after").to_owned();
    for (value, same) in [(known.clone(), true), (known.replace(|c| c != '0', "0"), false)] {
        let (_, said) = verify(at_server.path(), &["--origin", &log, "--through", &last, "--chain", &format!("7:{value}")]);
        assert_eq!(said.contains(&format!("chain {chain} after record {last};")), same, "{said}");
    }
    for (arguments, why) in [
        (&["--origin", "00000000"][..], format!("there are {log} of web-17")),
        (&["--origin", "web-17"], "first 8 digits".to_owned()),
        (&["--through", "99999999"], "the log has the records 1 to".to_owned()),
    ] {
        let (yes, said) = verify(at_server.path(), arguments);
        assert!(!yes && said.contains(&why), "{said}");
    }
    let (yes, said) = verify(at_host.path(), &["--origin", &log]);
    assert!(!yes && said.contains("no log of a fleet"), "{said}");
}
