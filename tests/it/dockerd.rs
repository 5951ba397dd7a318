//! Commands that are read while they run, and a real Docker Engine: the one that `./test` started, or a
//! story's own.

use crate::skipped::skipped;
use crate::support::PATIENCE;
use parking_lot::Mutex;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dockerd.sh");
pub(crate) const IMAGE: &str = "busybox:test";

/// A running command. Killed when dropped.
pub(crate) struct Background {
    child: Child,
    out: Gathered,
    err: Gathered,
}

impl Background {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self::adopt(child.unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// A child whose piped output nobody has taken yet.
    pub(crate) fn adopt(mut child: Child) -> Self {
        let (out, err) = (Gathered::from(child.stdout.take()), Gathered::from(child.stderr.take()));
        Self { child, out, err }
    }

    /// stdout so far.
    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    /// stderr so far.
    pub(crate) fn err(&self) -> String {
        self.err.text()
    }

    /// Whole lines on stdout so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let out = self.out();
        out[..out.rfind('\n').map_or(0, |end| end + 1)].lines().map(str::to_owned).collect()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Exit code, once it has ended and said everything.
    pub(crate) fn code(&mut self) -> Option<i32> {
        self.ended().map(|status| status.code().expect("ended by itself"))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap()?;
        self.out.finish();
        self.err.finish();
        Some(status)
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Output {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Output { status, stdout: self.out.bytes.lock().clone(), stderr: self.err.bytes.lock().clone() };
            }
            assert!(began.elapsed() < PATIENCE, "a command does not end; stdout: {}, stderr: {}", self.out(), self.err());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a pipe gave so far.
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: Option<JoinHandle<()>>,
}

impl Gathered {
    fn from(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let reading = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                    into.lock().extend_from_slice(&buffer[..count]);
                }
            })
        });
        Self { bytes, reading }
    }

    fn text(&self) -> String {
        // Cut where a character may be half there.
        let bytes = self.bytes.lock();
        match std::str::from_utf8(&bytes) {
            Ok(text) => text.to_owned(),
            Err(e) => {
                assert!(e.error_len().is_none(), "not UTF-8");
                std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap().to_owned()
            }
        }
    }

    fn finish(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
    }
}

/// A Docker Engine. What a story makes in it carries the story's prefix in its name and is removed in the
/// end.
pub(crate) struct Engine {
    pub(crate) url: String,
    prefix: String,
    own: Option<TempDir>,
    options: String,
}

impl Engine {
    /// The Engine of `SHIPSLOG_TEST_DOCKER`. Without it the story is skipped for all to see, or fails where
    /// skipping is out of the question.
    pub(crate) fn given(story: &str) -> Option<Self> {
        let url = std::env::var("SHIPSLOG_TEST_DOCKER").unwrap_or_default();
        if url.is_empty() {
            skipped("no Docker Engine (set SHIPSLOG_TEST_DOCKER, or run ./test)");
            return None;
        }
        Some(Self { url, prefix: format!("shipslog-{story}-{}", std::process::id()), own: None, options: String::new() })
    }

    /// An Engine that the story may do anything to. It ends with the story.
    pub(crate) fn own(story: &str) -> Option<Self> {
        Self::own_with(story, "")
    }

    /// As [`own`](Self::own), with more options of `dockerd`.
    pub(crate) fn own_with(story: &str, options: &str) -> Option<Self> {
        let mut engine = Self::given(story)?;
        options.clone_into(&mut engine.options);
        // Not under TMPDIR: paths of sockets are short.
        engine.own = Some(TempDir::with_prefix_in("dk", "/tmp").unwrap());
        match engine.start() {
            Ok(()) => Some(engine),
            Err(why) => {
                skipped(&format!("no Docker Engine that may be killed: {why}"));
                None
            }
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.own.as_ref().expect("an Engine of the story's own").path()
    }

    /// Starts it, again with the data of before.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let output =
            Background::start(Command::new(SCRIPT).env("DOCKERD_OPTIONS", &self.options).arg("start").arg(self.directory())).wait();
        String::from_utf8(output.stdout).unwrap().trim().clone_into(&mut self.url);
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// SIGKILL for the daemon; its containers live on.
    pub(crate) fn kill(&self) {
        self.signal("-KILL");
    }

    /// SIGTERM for the daemon, and waits for its end.
    pub(crate) fn stop(&self) {
        self.signal("-TERM");
        let began = Instant::now();
        while self.directory().join("dockerd.pid").exists() {
            assert!(began.elapsed() < PATIENCE, "dockerd does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A signal for the daemon.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.directory().join("dockerd.pid")).unwrap();
        assert!(Command::new("kill").args([signal, pid.trim()]).status().unwrap().success());
    }

    /// The version of its API: what differs between Engines hangs on it.
    pub(crate) fn api(&self) -> (u32, u32) {
        let text = self.docker(&["version", "--format", "{{.Server.APIVersion}}"]);
        let (major, minor) = text.split_once('.').unwrap();
        (major.parse().unwrap(), minor.parse().unwrap())
    }

    /// A name of this story's own.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The real CLI.
    pub(crate) fn cli(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.env_remove("DOCKER_API_VERSION").args(["-H", &self.url]).args(args);
        command
    }

    /// Runs the CLI; it must exit with `code`.
    pub(crate) fn exits(&self, code: i32, args: &[&str]) -> String {
        let output = Background::start(&mut self.cli(args)).wait();
        assert_eq!(output.status.code(), Some(code), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn docker(&self, args: &[&str]) -> String {
        self.exits(0, args)
    }

    /// `docker run` of a container of this story's, to its end or detached.
    pub(crate) fn run(&self, code: i32, name: &str, options: &[&str], line: &str) -> String {
        let name = self.name(name);
        let args = [&["run", "--name", name.as_str(), "--network", "none"], options, &[IMAGE, "sh", "-c", line]].concat();
        self.exits(code, &args)
    }

    /// The daemon's own lines, ring first, as they come over the wire.
    pub(crate) fn wire(&self) -> Background {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--no-buffer"]);
        match self.url.strip_prefix("unix://") {
            Some(socket) => curl.args(["--unix-socket", socket, "http://docker/events?since=0"]),
            None => curl.arg(format!("{}/events?since=0", self.url.replacen("tcp://", "http://", 1))),
        };
        Background::start(&mut curl)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(directory) = &self.own {
            let _ = Command::new(SCRIPT).arg("stop").arg(directory.path()).status();
            return;
        }
        let filter = format!("name={}", self.prefix);
        for (list, remove) in [
            (["ps", "--all", "--quiet", "--filter"].as_slice(), ["rm", "--force", "--volumes"].as_slice()),
            (&["network", "ls", "--quiet", "--filter"], &["network", "rm"]),
            (&["volume", "ls", "--quiet", "--filter"], &["volume", "rm"]),
        ] {
            let Ok(listed) = self.cli(list).arg(&filter).output() else { return };
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            if !listed.trim().is_empty() {
                let _ = self.cli(remove).args(listed.split_whitespace()).output();
            }
        }
    }
}
