//! A Docker host behind the system's ssh, as the docker CLI reaches it: `docker system dial-stdio` over there
//! speaks on its standard input and output what the socket speaks. Keys, aliases and jump hosts are those of
//! ssh's own configuration, and nobody is ever asked for a password.

use crate::ingest::endpoint::SshTarget;
use crate::text::printable;
use parking_lot::Mutex;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Join, ReadBuf, join};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

const PROGRAM: &str = "ssh";
/// Docker's own waits 30 s for a connection. Nobody is there to answer questions. A dead link is noticed
/// after three times four seconds.
const OPTIONS: [&str; 4] = ["ConnectTimeout=30", "BatchMode=yes", "ServerAliveInterval=4", "ServerAliveCountMax=2"];
/// Of what ssh says, the last so many bytes are kept: the reason comes last.
const MAX_SAID_BYTES: usize = 2048;
const MAX_SAID_CHARS: usize = 500;
/// When ssh has closed its output, the rest of what it has to say comes at once.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// An ssh that has been started.
pub(super) struct Started {
    pub(super) pipes: Pipes,
    pub(super) stderr: Stderr,
}

/// Starts ssh. Dropping the pipes kills it.
pub(super) fn start(target: &SshTarget) -> io::Result<Started> {
    let mut command = Command::new(PROGRAM);
    // Ctrl-C in a terminal is for us alone: the end of the connection is to be an orderly one.
    command.args(arguments(target)).process_group(0).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("ssh has no pipes"));
    };
    Ok(Started { pipes: Pipes { both: join(stdout, stdin), _child: child }, stderr: Stderr::gather(stderr) })
}

fn arguments(target: &SshTarget) -> Vec<String> {
    let mut arguments: Vec<String> = OPTIONS.into_iter().flat_map(|option| ["-o".to_owned(), option.to_owned()]).collect();
    // No terminal over there.
    arguments.push("-T".to_owned());
    if let Some(user) = &target.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = target.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["--".to_owned(), target.host.clone(), "docker".to_owned()]);
    if let Some(socket) = &target.socket {
        arguments.push(quoted(&format!("--host=unix://{socket}")));
    }
    arguments.extend(["system".to_owned(), "dial-stdio".to_owned()]);
    arguments
}

/// One word for the shell over there.
fn quoted(word: &str) -> String {
    if word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=:/.,@%+".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Its standard input and output: what the daemon over there reads and writes.
pub(super) struct Pipes {
    both: Join<ChildStdout, ChildStdin>,
    /// Killed, and reaped by tokio, when dropped.
    _child: Child,
}

impl AsyncRead for Pipes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.both).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.both).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.both).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.both).poll_shutdown(cx)
    }
}

/// What ssh says on its standard error: why there is no connection.
pub(super) struct Stderr {
    tail: Arc<Mutex<Vec<u8>>>,
    reading: AbortOnDropHandle<()>,
}

impl Stderr {
    fn gather(mut stderr: ChildStderr) -> Self {
        let tail = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&tail);
        let reading = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut buffer = [0; MAX_SAID_BYTES];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                let mut tail = into.lock();
                tail.extend(buffer.iter().take(count));
                let surplus = tail.len().saturating_sub(MAX_SAID_BYTES);
                tail.drain(..surplus);
            }
        }));
        Self { tail, reading }
    }

    /// What was said so far were greetings and warnings: the connection works.
    pub(super) fn forget(&self) {
        self.tail.lock().clear();
    }

    /// All of it in one line, once ssh has closed its output; `None` if it said nothing.
    pub(super) async fn words(&mut self) -> Option<String> {
        // A background master of ssh's (ControlPersist) may keep its end open: then what there is must do.
        // A task that has ended may not be waited for again.
        if !self.reading.is_finished() {
            let _ = timeout(LAST_WORDS, &mut self.reading).await;
        }
        let text = String::from_utf8_lossy(&self.tail.lock()).into_owned();
        let lines: Vec<&str> = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect();
        let words = lines.join("; ");
        let skip = words.chars().count().saturating_sub(MAX_SAID_CHARS);
        let last: String = words.chars().skip(skip).collect();
        // A character that is spelled out takes ten places at most.
        Some(printable(&last, 10 * MAX_SAID_CHARS)).filter(|words| !words.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::endpoint::Endpoint;

    fn line(url: &str) -> String {
        let Endpoint::Ssh(target) = crate::ingest::endpoint::DockerHost::parse(url).unwrap().endpoint else { panic!("{url}") };
        arguments(&target).join(" ")
    }

    #[test]
    fn is_run_as_the_docker_cli_runs_it() {
        let options = "-o ConnectTimeout=30 -o BatchMode=yes -o ServerAliveInterval=4 -o ServerAliveCountMax=2 -T";
        assert_eq!(line("ssh://box"), format!("{options} -- box docker system dial-stdio"));
        assert_eq!(line("ssh://me@[::1]:2222"), format!("{options} -l me -p 2222 -- ::1 docker system dial-stdio"));
        let socket = "docker --host=unix:///run/user/1000/docker.sock system dial-stdio";
        assert_eq!(line("ssh://box/run/user/1000/docker.sock"), format!("{options} -- box {socket}"));
        let quoted = r"docker '--host=unix:///a b'\''$(x)' system dial-stdio";
        assert_eq!(line("ssh://box/a b'$(x)"), format!("{options} -- box {quoted}"));
    }
}
