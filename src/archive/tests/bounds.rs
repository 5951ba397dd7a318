//! What an archive can make a server hold.

use super::shop::{Server, Shop, fleet, keys};
use crate::archive::limits::{MAX_ERROR_BYTES, MAX_ERROR_CHARS, MAX_LISTED, MAX_OBJECT_BYTES, MAX_PAGE_BYTES};
use crate::archive::{Archive, ArchiveError};
use crate::testing::within;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A store that lists for ever.
#[derive(Debug)]
struct Endless(u64);

impl std::fmt::Display for Endless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("endless")
    }
}

fn no() -> Error {
    Error::Generic { store: "endless", source: "x".repeat(10_000).into() }
}

#[async_trait::async_trait]
impl ObjectStore for Endless {
    async fn put_opts(&self, _: &Name, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(no())
    }

    async fn get_opts(&self, _: &Name, _: GetOptions) -> Result<GetResult> {
        Err(no())
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, size) = (prefix.unwrap().clone(), self.0);
        let object = move |first: u64| {
            let location = prefix.clone().join(format!("{first:020}.jsonl.zst"));
            Ok(ObjectMeta { location, last_modified: chrono::DateTime::default(), size, e_tag: None, version: None })
        };
        Box::pin(stream::iter((1..).map(object)))
    }

    async fn put_multipart_opts(&self, _: &Name, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(no())
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Name>>) -> BoxStream<'static, Result<Name>> {
        Box::pin(stream::empty())
    }

    async fn list_with_delimiter(&self, _: Option<&Name>) -> Result<ListResult> {
        Err(no())
    }

    async fn copy_opts(&self, _: &Name, _: &Name, _: CopyOptions) -> Result<()> {
        Err(no())
    }
}

#[tokio::test]
async fn a_list_without_an_end_and_an_object_that_is_too_large_are_refused() {
    let archive = Archive::over(Arc::new(Endless(MAX_OBJECT_BYTES + 1)));
    let error = archive.list(fleet()).await.unwrap_err();
    assert!(matches!(&error, ArchiveError::TooMuch(why) if why.contains(&MAX_LISTED.to_string())), "{error}");
    assert!(matches!(archive.get(fleet(), 1, MAX_OBJECT_BYTES + 1).await, Err(ArchiveError::TooMuch(_))));
    // What it says is told in part.
    let error = archive.look(fleet(), 1).await.unwrap_err();
    assert!(matches!(&error, ArchiveError::Unavailable(why) if why.chars().count() == MAX_ERROR_CHARS), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_was_listed_is_not_taken() {
    let (shop, server) = (Shop::new(), Server::of("a", 150).await);
    let bytes = std::fs::read(server.segments()[0].path()).unwrap();
    shop.replace(1, bytes.clone()).await;
    let size = bytes.len() as u64;
    for (listed, wrong) in [(size, false), (size - 1, true), (size + 1, true)] {
        let mut content = shop.archive().get(fleet(), 1, listed).await.unwrap().unwrap();
        let failed = loop {
            match content.next().await {
                Ok(Some(_)) => {}
                end => break end.is_err(),
            }
        };
        assert_eq!(failed, wrong, "{listed}");
    }
}

/// Something that speaks HTTP and never stops: answers every request with `head` and so many bytes more.
async fn chatter(head: &'static str, more: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 16 * 1024];
                let _ = peer.read(&mut request).await;
                let _ = peer
                    .write_all(format!("HTTP/1.1 {head}\r\ncontent-type: application/xml\r\nconnection: close\r\n\r\n").as_bytes())
                    .await;
                let piece = vec![b' '; 64 * 1024];
                for _ in 0..=more / piece.len() {
                    if peer.write_all(&piece).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_read_no_further_than_it_may_be_long() {
    for (head, most) in [("200 OK", MAX_PAGE_BYTES), ("400 Bad Request", MAX_ERROR_BYTES)] {
        let url = chatter(head, 4 * most).await;
        let archive = Archive::at("s3://bucket/prefix", Some(&url), &keys()).unwrap();
        let error = within("the end", archive.list(fleet())).await.unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, ArchiveError::Unavailable(_)), "{told}");
        assert!(most == MAX_ERROR_BYTES || told.contains("length limit exceeded"), "{told}");
    }
}
