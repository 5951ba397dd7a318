//! `fleet doctor` on a cluster that is sound, one whose node is gone, and a lone server.

use crate::cluster::{Cluster, STREAM, shape};
use crate::support::{TENANT, patiently};
use std::process::{Command, Output};

fn doctor(cluster: &Cluster) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shipslog"));
    command.args(["fleet", "doctor", "--tenant", TENANT, "--stream", STREAM]).env_clear();
    cluster.settings("doctor", None).urls.iter().for_each(|url| _ = command.args(["--nats", url]));
    cluster.monitors().iter().for_each(|page| _ = command.args(["--monitor", page]));
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_cluster_is_fine_and_one_that_lacks_a_node_is_not() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    cluster.made(&cluster.settings("init", None), &shape()).await;
    // A replica may be current some moments after the stream is made.
    let sound = patiently("a sound cluster", async || {
        let output = doctor(&cluster);
        if output.status.success() { Ok(output) } else { Err(shipslog::stream::StreamError::Unavailable(told(&output))) }
    })
    .await;
    let text = told(&sound);
    for line in
        ["ok    server n3: NATS 2.", "set up as a fleet needs", "3 nodes hold all of it", "node n2: it syncs", "node n1: it has everything"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("WRONG"), "{text}");

    cluster.kill(3);
    let output = patiently("the loss of a node", async || {
        let output = doctor(&cluster);
        let text = told(&output);
        if text.contains("WRONG node n3") { Ok(output) } else { Err(shipslog::stream::StreamError::Unavailable(text)) }
    })
    .await;
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in
        ["WRONG server 3 of 3", "WRONG stream SHIPSLOG: 2 of the three nodes", "WRONG node at http://127.0.0.1:", "findings are wrong"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_server_without_a_stream_is_told_what_it_lacks() {
    let Some(cluster) = Cluster::start(1, "").await else { return };
    let output = doctor(&cluster);
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("make it with `shipslog fleet init`") && text.contains("it holds nothing of the stream"), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).is_empty(), "{output:?}");
}
