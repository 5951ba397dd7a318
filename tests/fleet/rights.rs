//! Keys that may do little, certificates, and what is told where either does not do.

use crate::cluster::{Cluster, STREAM, shape};
use crate::support::{TENANT, host, message, next, within};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shipslog::stream::nats::{Enrolment, KeyFile, NatsSettings, NatsStream, Part, Shape, TlsFiles};
use shipslog::stream::{FleetStream, StreamError, Subject};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Seeds, and the keys to them. They open nothing but nodes of these tests.
const OPERATOR: (&str, &str) =
    ("SUALINMZYQVQ6XXBVLFBDBTH5FDPYLXZ3HKM24AVK3NCTP4Z3AIL5YKF3I", "UBKWZHDACV4SUIT4ETO2TGKTOYRH3ISO5BAPD5MCOKVB6E5AMKRNOE5T");
const NOBODY: &str = "SUAA2TTQK433252ANXWDLQXG3ET25JMZ76QG3GLQUVDSAMALKKEDCOUYBI";
/// What a refusal may take: less than a call waits for an answer, which is 4 s.
const AT_ONCE: Duration = Duration::from_millis(3_900);

/// Rights of one who may do all, and of those who were enrolled.
fn rights(enrolled: &[&Enrolment]) -> String {
    let users: Vec<&str> = enrolled.iter().map(|one| one.user.as_str()).collect();
    format!("authorization {{ users: [ {{ nkey: {} }}, {} ] }}\n", OPERATOR.1, users.join(", "))
}

fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What a call is refused with, at once.
async fn refused<T: std::fmt::Debug>(what: &str, call: impl Future<Output = Result<T, StreamError>>) -> String {
    let began = Instant::now();
    match within(what, call).await {
        Err(StreamError::Refused(why)) => {
            assert!(began.elapsed() < AT_ONCE, "{what}: told after {:?}", began.elapsed());
            why
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_not_do_something_is_told_so_at_once() {
    let web = Enrolment::new(Part::Host, TENANT, "web-17", STREAM).unwrap();
    let server = Enrolment::new(Part::Server, TENANT, "fleet-1", STREAM).unwrap();
    let Some(cluster) = Cluster::start(1, &rights(&[&web, &server])).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let with = |name: &str, seed: &str| {
        let key = file(dir.path(), &format!("{}.nk", &seed[..8]), &format!("# a key\n{seed}\n"));
        NatsSettings { key: Some(KeyFile::Nkey(key)), unsafe_engine: true, ..cluster.settings(name, None) }
    };
    let lone = Shape { replicas: 1, ..shape() };
    cluster.made(&with("init", OPERATOR.0), &lone).await;

    let seed = &web.seed;
    let web = cluster.client(&with("web-17", seed)).await;
    let place = web.publish(message(&host("web-17"), "x"), 0).await.unwrap();
    assert_eq!(web.newest(&host("web-17")).await.unwrap().unwrap().place, place);
    let why = refused("another host's subject", web.publish(message(&host("web-18"), "x"), 0)).await;
    assert!(why.contains("slog.v1.acme.web-18.7f3c9a1e"), "{why}");
    refused("another host's newest", web.newest(&host("web-18"))).await;
    refused("the ends", web.ends()).await;
    refused("a message by its place", web.at(place)).await;
    refused("a delivery", async { web.read_from(1).await.map(|_| ()) }).await;
    refused("a stream", web.create_or_check(&lone)).await;
    refused("a base", web.publish(message(&Subject::base(TENANT).unwrap(), "x"), 0)).await;
    // What it may do goes on.
    assert!(web.publish(message(&host("web-17"), "y"), place).await.unwrap() > place);
    assert_eq!(web.newest(&Subject::base(TENANT).unwrap()).await.unwrap(), None, "where to go on when its own messages are gone");

    // A server reads all, and tells the others what it found, but speaks for no host.
    let seed_of_server = &server.seed;
    let server = cluster.client(&with("fleet-1", seed_of_server)).await;
    assert_eq!(server.ends().await.unwrap().last, place + 1);
    assert_eq!(server.at(place).await.unwrap().unwrap().place, place);
    assert_eq!(next(&mut server.read_from(1).await.unwrap()).await.unwrap().place, place);
    assert_eq!(server.newest(&host("web-17")).await.unwrap().unwrap().place, place + 1);
    for subject in [Subject::base(TENANT).unwrap(), Subject::epoch(TENANT).unwrap()] {
        assert!(server.publish(message(&subject, "x"), 0).await.unwrap() > place);
    }
    refused("as a host", server.publish(message(&host("web-17"), "z"), place + 1)).await;
    let other = NatsSettings { stream: "OTHER".to_owned(), ..with("fleet-1", seed_of_server) };
    refused("another stream", cluster.client(&other).await.create_or_check(&lone)).await;

    // Under another name, it would have to hear what is answered to others.
    let other = NatsStream::connect(with("web-18", seed)).await.unwrap();
    let why = refused("another host's inbox", other.newest(&host("web-17"))).await;
    assert!(why.contains("_INBOX_web-18"), "{why}");

    refused("a key that is not known", NatsStream::connect(with("web-17", NOBODY))).await;
    refused("no key", NatsStream::connect(cluster.settings("web-17", None))).await;
    let unreadable = NatsSettings { key: Some(KeyFile::Creds(dir.path().join("none"))), ..cluster.settings("web-17", None) };
    assert!(matches!(NatsStream::connect(unreadable).await, Err(StreamError::Unfit(why)) if why.contains("none")));
}

/// A certificate for loopback with its key, in two files that begin with `name`.
fn certificate(dir: &Path, name: &str, issuer: &Issuer<'_, KeyPair>) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    (file(dir, &format!("{name}.pem"), &signed.pem()), file(dir, &format!("{name}.key"), &key.serialize_pem()))
}

fn issuer(dir: &Path, name: &str) -> (PathBuf, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (file(dir, name, &pem), Issuer::new(params, key))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_and_clients_show_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, signs) = issuer(dir.path(), "ca.pem");
    let (other_ca, _) = issuer(dir.path(), "other.pem");
    let (server, key) = certificate(dir.path(), "server", &signs);
    let tls = format!("tls {{ cert_file: {server:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}\n");
    let Some(cluster) = Cluster::start(1, &tls).await else { return };
    let client = Some(certificate(dir.path(), "client", &signs));
    let with = |ca: &Path, client: Option<(PathBuf, PathBuf)>| NatsSettings {
        tls: TlsFiles { ca: Some(ca.to_owned()), client },
        unsafe_engine: true,
        ..cluster.settings("web-17", None)
    };
    let lone = Shape { replicas: 1, ..shape() };
    let hub = cluster.made(&with(&ca, client.clone()), &lone).await;
    assert_eq!(hub.publish(message(&host("web-17"), "x"), 0).await.unwrap(), 1);
    let why = refused("an authority that did not sign", NatsStream::connect(with(&other_ca, client.clone()))).await;
    assert!(why.to_lowercase().contains("tls") || why.contains("certificate"), "{why}");
    let without = within("no certificate", NatsStream::connect(with(&ca, None))).await;
    assert!(without.is_err(), "{without:?}");
    let unreadable = NatsStream::connect(with(&dir.path().join("none.pem"), client)).await;
    assert!(matches!(unreadable, Err(StreamError::Unfit(why)) if why.contains("none.pem")));
}
