use super::*;
use crate::log::EmbeddedLog;
use crate::server::context::Gauge;
use crate::server::forwarded::Peer;
use crate::server::net::exchange::Exchange;
use crate::server::net::permits::Permits;
use crate::server::peer::Address;
use crate::shutdown::Stop;
use futures_util::StreamExt;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use warp::reply::Reply;

/// A panic of the routes, as each path says where.
async fn faulty(request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
    let body = match request.uri().path() {
        "/answer" => panic!("in the answer"),
        "/body" => futures_util::stream::iter(0..2).map(|n| if n == 0 { Ok::<_, Infallible>("begun") } else { panic!("in the body") }),
        _ => return Ok("fine".into_response()),
    };
    Ok(warp::reply::stream(body).into_response())
}

/// Serves the faulty routes.
fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, exchange: Arc<Exchange>) -> (Stop, JoinHandle<()>) {
    let dir = tempfile::TempDir::new().unwrap();
    let stop = Stop::new();
    let shutdown = stop.shutdown();
    let context = Arc::new(Context::open(Arc::new(EmbeddedLog::open(dir.path()).unwrap().0), shutdown.clone()));
    let guarded = Guarded {
        routes: service_fn(faulty),
        context,
        permit: Permits::new(1, None, Gauge::default()).take(None).unwrap(),
        address: Address::Unknown,
        link: None,
        secure: false,
        peer: Peer::Tcp(None),
        asked: Arc::default(),
        exchange,
    };
    (stop, tokio::spawn(http1(stream, guarded, shutdown)))
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_quiet_connection_is_kept_and_a_late_header_is_not() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let io = Io::new(Arc::new(Socket::Unix(theirs)), None, false);
    let exchange = io.exchange();
    let (_stop, served) = serve(io, exchange);
    let answer = async |ours: &mut UnixStream| {
        let mut said = String::new();
        while !said.ends_with("\r\n\r\nfine") {
            let mut bytes = [0; 1024];
            let read = ours.read(&mut bytes).await.unwrap();
            assert!(read > 0, "closed after {said:?}");
            said += std::str::from_utf8(&bytes[..read]).unwrap();
        }
    };
    for quiet in [0, 75, 75] {
        tokio::time::sleep(Duration::from_secs(quiet)).await;
        ours.write_all(ask("/").as_bytes()).await.unwrap();
        answer(&mut ours).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let began = tokio::time::Instant::now();
    // A byte now and then gives it no more time.
    for byte in ask("/").bytes().take(12) {
        if ours.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    served.await.unwrap();
    assert!((10..=12).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let (_stop, served) = serve(theirs, Arc::default());
    ours.write_all([ask("/answer"), ask("/"), ask("/body")].concat().as_bytes()).await.unwrap();
    let mut said = String::new();
    ours.read_to_string(&mut said).await.unwrap();
    let statuses: Vec<_> = said.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).take(2).collect();
    assert_eq!(statuses, ["500", "200"], "{said}");
    // Whatever of the third had been sent, the chunk that would end it was not.
    assert!(said.contains("\r\n\r\nfine") && !said.ends_with("0\r\n\r\n"), "{said}");
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_ends_does_not_outlast_its_server() {
    let (stop, hour) = (crate::shutdown::Stop::new(), Duration::from_secs(3600));
    let serving = until_late(stop.shutdown(), std::future::pending());
    tokio::pin!(serving);
    assert!(tokio::time::timeout(hour, &mut serving).await.is_err(), "while the server runs it may take as long as it likes");
    stop.stop();
    assert!(tokio::time::timeout(hour, serving).await.is_ok());
}
