//! The servers that are compared, each a process of its own on the servers' core.

use super::daemon::Daemon;
use super::event::{event, number};
use super::machine::{Cpu, family, on_server_core, settle};
use super::publisher::Publisher;
use crate::scratch;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const NCHAN_MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const MAX_CONNECTIONS: &str = "20000";
/// Between looks at how far the recorder is.
const PAUSE: Duration = Duration::from_millis(5);
const HISTORY_STEP: usize = 500;

/// How events get into it.
enum Source {
    Docker(Daemon),
    Post(Publisher),
    None,
}

pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// Of the event stream.
    pub(super) path: &'static str,
    source: Source,
    child: Child,
    _dir: Option<TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's worker goes with its master only when that is asked to stop.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// shipslog as it is shipped, recording a daemon: every event is on the disk before anybody sees it.
pub(super) fn shipslog() -> Server {
    recording(on_server_core(&program()))
}

/// The same with so few files that it cannot have all connections open that come.
pub(super) fn shipslog_with_files(files: u32) -> Server {
    let mut command = on_server_core("prlimit");
    command.args([&format!("--nofile={files}"), &program()]);
    recording(command)
}

fn recording(command: Command) -> Server {
    let dir = scratch();
    let mut daemon = Daemon::start();
    let host = format!("tcp://{}", daemon.address);
    let (child, address) = listening(serving(command, dir.path()).args(["--docker-host", &host]));
    daemon.await_subscriber();
    Server { name: "shipslog", address, path: "/api/v1/stream", source: Source::Docker(daemon), child, _dir: Some(dir) }
}

/// shipslog over a log that is there already, from its first record on.
pub(super) fn shipslog_replaying(dir: &Path) -> Server {
    // Nothing listens there, and nothing needs to.
    let (child, address) = listening(serving(on_server_core(&program()), dir).args(["--docker-host", "unix:///nonexistent/docker.sock"]));
    Server { name: "shipslog", address, path: "/api/v1/stream?since=oldest", source: Source::None, child, _dir: None }
}

fn program() -> String {
    let program = std::env::var("SHIPSLOG_BIN")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/shipslog"), PathBuf::from);
    assert!(program.exists(), "run `cargo build --release` in the main package first, or set SHIPSLOG_BIN");
    program.to_str().unwrap().to_owned()
}

fn serving(mut command: Command, dir: &Path) -> Command {
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--max-connections", MAX_CONNECTIONS, "--data-dir"])
        .arg(dir)
        .env("SHIPSLOG_LOG", "off");
    command
}

/// The plainest thing that could work, see `bare.rs`.
pub(super) fn bare() -> Server {
    let program = std::env::current_exe().unwrap();
    let (child, address) = listening(on_server_core(program.to_str().unwrap()).arg("bare"));
    let source = Source::Post(Publisher::connect(address, "/publish"));
    Server { name: "loop", address, path: "/events", source, child, _dir: None }
}

/// Debian's nginx with one worker; `files` are under `/static/`.
pub(super) fn nchan(files: Option<&Path>) -> Server {
    assert!(Path::new(NCHAN_MODULE).exists(), "no nchan: apt install nginx-light libnginx-mod-nchan");
    let dir = scratch();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let files = files.unwrap_or_else(|| dir.path()).display();
    let config = format!(
        "load_module {NCHAN_MODULE};
        user root; daemon off; worker_processes 1; worker_rlimit_nofile {MAX_CONNECTIONS}; pid nginx.pid; error_log error.log warn;
        events {{ worker_connections 18000; multi_accept on; }}
        http {{
          access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 3600;
          client_body_buffer_size 64k; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          nchan_shared_memory_size 512M; nchan_message_timeout 3h;
          server {{
            listen {address} backlog=4096;
            location = /publish {{ nchan_publisher; nchan_channel_id live; nchan_message_buffer_length 20000; }}
            location = /events {{ nchan_subscriber eventsource; nchan_channel_id live; nchan_subscriber_first_message newest; }}
            location /static/ {{ alias {files}/; default_type text/event-stream; }}
          }}
        }}"
    );
    std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
    let mut command = on_server_core("nginx");
    command.arg("-p").arg(dir.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
    let child = command.stderr(Stdio::null()).spawn().expect("nginx");
    wait_for(address);
    let source = Source::Post(Publisher::connect(address, "/publish"));
    Server { name: "nchan", address, path: "/events", source, child, _dir: Some(dir) }
}

/// Starts it; its first line ends with the address.
fn listening(command: &mut Command) -> (Child, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit('/').next().and_then(|text| text.parse().ok());
    (child, address.unwrap_or_else(|| panic!("the server does not start: {line:?}")))
}

fn wait_for(address: SocketAddr) {
    const TRIES: u32 = 200;
    for _ in 0..TRIES {
        if TcpStream::connect(address).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("nginx does not start at {address}");
}

impl Server {
    pub(super) fn pids(&self) -> Vec<u32> {
        family(self.child.id())
    }

    pub(super) fn cpu(&self) -> Cpu {
        Cpu::now(&self.pids())
    }

    pub(super) fn settle(&self) {
        settle(&self.pids());
    }

    /// The connection on which answers to publishing come.
    pub(super) fn publisher(&self) -> Option<&TcpStream> {
        if let Source::Post(publisher) = &self.source { Some(&publisher.stream) } else { None }
    }

    pub(super) fn daemon(&mut self) -> Option<&mut Daemon> {
        if let Source::Docker(daemon) = &mut self.source { Some(daemon) } else { None }
    }

    pub(super) fn can_publish(&self) -> bool {
        if let Source::Post(publisher) = &self.source { publisher.is_free() } else { true }
    }

    pub(super) fn publish(&mut self, event: &[u8]) {
        match &mut self.source {
            Source::Docker(daemon) => daemon.emit(event),
            Source::Post(publisher) => publisher.publish(event),
            Source::None => {}
        }
    }

    /// Has so many events recorded before anyone comes. A few at a time: a recorder that comes to a burst
    /// late would connect again.
    pub(super) fn record_history(&mut self, count: u64) {
        for from in (0..count).step_by(HISTORY_STEP) {
            (from..count.min(from + HISTORY_STEP as u64)).for_each(|n| self.publish(&event(n)));
            while self.head() < count.min(from + HISTORY_STEP as u64) {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Records that shipslog holds.
    fn head(&self) -> u64 {
        let mut answer = String::new();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(b"GET /api/v1/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer.split("\"head\":").nth(1).map_or(0, |rest| number(rest.as_bytes()).0)
    }

    pub(super) fn take_answers(&mut self) {
        if let Source::Post(publisher) = &mut self.source {
            publisher.poll();
        }
    }
}
