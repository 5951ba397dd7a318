//! Where archives are.

use super::shop::{Server, fleet, keys};
use crate::archive::send::Outcome;
use crate::archive::{Archive, ArchiveError, Archiver};

#[test]
fn an_address_is_s3_or_a_directory() {
    for (url, part) in [
        ("", "s3://BUCKET"),
        ("ftp://bucket/x", "s3://BUCKET"),
        ("s3://", "no bucket"),
        ("s3:///prefix", "no bucket"),
        ("s3://bucket/a//b", "empty"),
        ("file://here", "file:///DIRECTORY"),
        ("file:///not/there", "not/there"),
    ] {
        match Archive::at(url, None, &keys()) {
            Err(ArchiveError::Address(why)) => assert!(why.to_lowercase().contains(&part.to_lowercase()), "{url}: {why}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    // Without keys nobody is asked for any.
    let some = keys();
    for environment in [&some[..0], &some[..1], &some[1..]] {
        let refused = Archive::at("s3://bucket", None, environment).unwrap_err();
        assert!(refused.to_string().contains("AWS_SECRET_ACCESS_KEY"), "{refused}");
    }
    for (value, is_enough) in [("true", true), ("TRUE", true), ("1", true), ("false", false), ("0", false), ("", false), ("maybe", false)] {
        let unsigned = [("AWS_SKIP_SIGNATURE".to_owned(), value.to_owned())];
        assert_eq!(Archive::at("s3://bucket", None, &unsigned).is_ok(), is_enough, "{value:?}: nor the machine for its own");
    }
    let archive = Archive::at("s3://bucket/some/where/", Some("http://127.0.0.1:9"), &keys()).unwrap();
    let name = archive.name(fleet(), 65_537).to_string();
    assert_eq!(name, format!("some/where/{}/00000000000000065537.jsonl.zst", fleet()));
    assert_eq!(
        Archive::at("s3://bucket", None, &keys()).unwrap().name(fleet(), 1).to_string(),
        format!("{}/00000000000000000001.jsonl.zst", fleet())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_an_archive_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::at(&format!("file://{}", dir.path().display()), None, &[]).unwrap();
    assert_eq!(archive.list(fleet()).await.unwrap(), []);
    let server = Server::of("a", 250).await;
    let archiver = Archiver::new(archive.clone(), server.log());
    for outcome in [Outcome::Stored, Outcome::Found] {
        for segment in server.segments() {
            assert_eq!(archiver.once(&segment).await.unwrap(), outcome);
            let path = dir.path().join(fleet().to_string()).join(segment.path().file_name().unwrap());
            assert_eq!(std::fs::read(path).unwrap(), std::fs::read(segment.path()).unwrap());
        }
    }
    assert_eq!(archive.list(fleet()).await.unwrap(), server.segments().iter().map(|it| (it.first(), it.bytes())).collect::<Vec<_>>());
}
