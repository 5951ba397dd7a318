//! Hosts behind ssh: a script in its place, and the real thing with a server of its own.

use super::{connected, recorded, source};
use crate::dockerd::{Background, Engine};
use crate::fake_daemon::FakeDaemon;
use crate::skipped::{say, skipped};
use crate::support::{PATIENCE, Ship, docker_line, wait_for};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A directory that comes first on the program's PATH, with an `ssh` of the story's.
struct FirstOnPath {
    bin: PathBuf,
    path: String,
}

impl FirstOnPath {
    fn with_ssh(dir: &Path, text: &str) -> Self {
        let bin = dir.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        script(&bin.join("ssh"), text);
        let path = format!("PATH={}:{}", bin.display(), std::env::var("PATH").unwrap());
        Self { bin, path }
    }

    fn ship(&self, data: &Path, host: &str) -> Ship {
        Ship::start_under(&["env", &self.path], data, &["--docker-host", host])
    }

    /// Process ids and arguments of the logins so far.
    fn logins(&self) -> Vec<(u32, String)> {
        let log = std::fs::read_to_string(self.bin.join("ssh.log")).unwrap_or_default();
        let login = |line: &str| line.split_once(' ').map(|(pid, args)| (pid.parse().unwrap(), args.to_owned()));
        log.lines().filter_map(login).collect()
    }
}

/// Notes its arguments, and does here what is to be done over there.
const LOCALLY: &str = r#"echo "$$ $*" >>"$0.log"
echo "a greeting" >&2
while [ "$1" != -- ]; do shift; done
shift 2
exec "$@"
"#;

/// Ended and reaped.
fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

fn has_docker() -> bool {
    let has = Command::new("docker").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        skipped("no docker CLI, whose dial-stdio answers ssh");
    }
    has
}

async fn records(ship: &Ship, daemon: &FakeDaemon, name: &str, n: u64) {
    daemon.emit(&docker_line("container", "start", n));
    let wanted = format!("start c{n}");
    wait_for(&wanted, async || recorded(ship, name).await.contains(&wanted).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_reached_as_the_docker_cli_reaches_it() {
    if !has_docker() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let (daemon, first) = (FakeDaemon::unix().await, FirstOnPath::with_ssh(dir.path(), LOCALLY));
    daemon.expect_docker_cli();
    let socket = daemon.url().replace("unix://", "");
    let mut ship = first.ship(dir.path(), &format!("box=ssh://me@box.example:2222{socket}"));
    assert_eq!(connected(&ship, "box").await["endpoint"], format!("ssh://me@box.example:2222{socket}"));
    records(&ship, &daemon, "box", 1).await;
    let expected = format!(
        "-o ConnectTimeout=30 -o BatchMode=yes -o ServerAliveInterval=4 -o ServerAliveCountMax=2 -T -l me -p 2222 -- \
         box.example docker --host=unix://{socket} system dial-stdio"
    );
    // One for the events and one for questions, whose connection is kept.
    wait_for("pings", async || (daemon.count("/_ping") >= 4).then_some(())).await;
    let logins = first.logins();
    assert_eq!(logins.iter().map(|(_, args)| args.as_str()).collect::<Vec<_>>(), [&expected, &expected]);

    // Broken off, it is logged in to again, though not at once; the old ones leave no zombies.
    daemon.drop_connections();
    wait_for("another connection", async || recorded(&ship, "box").await.iter().any(|r| r.starts_with("resumed")).then_some(())).await;
    records(&ship, &daemon, "box", 2).await;
    wait_for("the end of the old ones", async || logins.iter().all(|(pid, _)| is_gone(*pid)).then_some(())).await;
    assert!(first.logins().len() > 2);
    let greeted = recorded(&ship, "box").await.iter().any(|record| record.contains("greeting"));
    assert!(!greeted, "what ssh says at a login is not why it ends");
    ship.stop();
    wait_for("the end of all", async || first.logins().iter().all(|(pid, _)| is_gone(*pid)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ssh_says_is_passed_on_and_it_is_not_asked_in_haste() {
    let dir = TempDir::new().unwrap();
    let cases = [
        ("key", "me@box: Permission denied (publickey).", "a key without a passphrase"),
        ("unknown", "Host key verification failed.", "log in once by hand"),
        ("nodocker", "sh: 1: docker: not found", "the docker CLI is needed over there"),
        ("socket", "dial unix /run/d.sock: connect: no such file or directory", "is it running, and is the user in the docker group?"),
        ("down", "ssh: connect to host down port 22: Connection refused", "`ssh -o BatchMode=yes down docker version` must work"),
    ];
    let mut text = String::from("echo \"$$ $*\" >>\"$0.log\"\nwhile [ \"$1\" != -- ]; do shift; done\necho noise >&2\ncase $2 in\n");
    for (host, said, _) in cases {
        writeln!(text, "{host}) printf '%s\\r\\n' '{said}' >&2; exit 255 ;;").unwrap();
    }
    let first = FirstOnPath::with_ssh(dir.path(), &(text + "esac\n"));
    let hosts = cases.map(|(host, _, _)| format!("{host}=ssh://{host}"));
    let args: Vec<&str> = hosts.iter().flat_map(|host| ["--docker-host", host]).collect();
    let began = Instant::now();
    let ship = Ship::start_under(&["env", &first.path], dir.path(), &args);
    for (host, said, hint) in cases {
        let found = source(&ship, host, |source| source["state"] == "error").await;
        assert_eq!(found["error"], format!("ssh: noise; {said}"));
        assert!(found["hint"].as_str().unwrap().contains(hint), "{found}");
    }
    // Each once in ten seconds, although the wait before another attempt begins with a fifth of one.
    let turns = 1 + began.elapsed().as_secs() / 10;
    let logins = first.logins().len() as u64;
    assert!(logins <= cases.len() as u64 * turns, "{logins} logins in {turns} turns");
}

/// A daemon behind ssh, as far as one event: it ends when there is a file that says so.
const SCRIPTED: &str = r#"echo "$$ $*" >>"$0.log"
while IFS= read -r line; do
    case $line in
    "GET /events"*) answer= ;;
    "GET /version"*) answer='{"Version":"9"}' ;;
    "GET "*) answer='[]' ;;
    esac
    [ "$line" = "$(printf '\r')" ] || continue
    if [ -n "$answer" ]; then
        printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n%s' ${#answer} "$answer"
        continue
    fi
    printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\n\r\n' $((${#event} + 1)) "$event"
    echo $$ >"$0.stream"
    while [ ! -e "$0.end" ]; do sleep 0.05; done
    rm "$0.end"
    echo 'Connection to box closed by remote host.' >&2
    exit 255
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_ssh_that_ends_or_is_killed_is_started_again() {
    let dir = TempDir::new().unwrap();
    let first = FirstOnPath::with_ssh(dir.path(), &format!("event='{}'\n{SCRIPTED}", docker_line("container", "start", 1)));
    let ship = first.ship(dir.path(), "box=ssh://box");
    connected(&ship, "box").await;
    let resumed = async |times| {
        let resumed = async || recorded(&ship, "box").await.iter().filter(|record| record.starts_with("resumed")).count();
        wait_for("a connection that is proven", async || (resumed().await == times).then_some(())).await;
    };
    wait_for("the event", async || recorded(&ship, "box").await.contains(&"start c1".to_owned()).then_some(())).await;
    std::fs::write(first.bin.join("ssh.end"), "").unwrap();
    resumed(1).await;
    let stream = std::fs::read_to_string(first.bin.join("ssh.stream")).unwrap();
    assert!(Command::new("kill").args(["-KILL", stream.trim()]).status().unwrap().success());
    resumed(2).await;
    let export = ship.get("/api/v1/export").await.text().await.unwrap();
    let ends: Vec<&str> = export.lines().filter(|line| line.contains(r#""Action":"disconnect""#)).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends[0].contains("ssh: Connection to box closed by remote host."), "{ends:?}");
    assert!(ends[1].contains("the daemon closed the event stream"), "{ends:?}");
    assert_eq!(export.matches(r#""Actor":{"ID":"c1""#).count(), 1, "once, though it was replayed twice");
    let last: u32 = std::fs::read_to_string(first.bin.join("ssh.stream")).unwrap().trim().parse().unwrap();
    let ended = async || first.logins().iter().filter(|(pid, _)| !is_gone(*pid)).count() <= 2 && !is_gone(last);
    wait_for("the end of the others, but for the one that answers questions", async || ended().await.then_some(())).await;
}

/// It wants to be called by its whole path.
const SSHD: &str = "/usr/sbin/sshd";

/// An sshd on the loopback address that lets one key in.
struct Sshd {
    server: Background,
    port: u16,
    /// Client configuration, to be given with `-F`.
    config: PathBuf,
}

impl Sshd {
    fn start(dir: &Path) -> Result<Self, String> {
        let file = |name: &str| dir.join(name).display().to_string();
        for key in ["host", "client"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &file(key)]);
            let made = keygen.output().map_err(|error| format!("no ssh-keygen: {error}"))?;
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        std::fs::rename(dir.join("client.pub"), dir.join("authorized")).unwrap();
        // It refuses to start without, and Debian makes it at boot.
        std::fs::create_dir_all("/run/sshd").map_err(|error| format!("/run/sshd: {error}"))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n",
            file("host"),
            file("authorized"),
        );
        std::fs::write(dir.join("sshd_config"), text).unwrap();
        let host_key = std::fs::read_to_string(dir.join("host.pub")).unwrap();
        std::fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let client = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\n\
             StrictHostKeyChecking yes\n",
            file("client"),
            file("known_hosts"),
        );
        std::fs::write(dir.join("ssh_config"), client).unwrap();
        let server = Background::start(Command::new(SSHD).args(["-D", "-e", "-f", &file("sshd_config")]));
        let began = Instant::now();
        while !server.err().contains("listening on 127.0.0.1") {
            assert!(began.elapsed() < PATIENCE, "sshd does not start: {}", server.err());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Ok(Self { server, port, config: dir.join("ssh_config") })
    }

    /// Sends a signal to the processes that serve connections.
    fn signal_sessions(&self, signal: &str) {
        let id = self.server.id();
        let sessions = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let _ = Command::new("kill").arg(signal).args(sessions.split_whitespace()).output();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.signal_sessions("-KILL");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_engine_behind_a_real_sshd() {
    let _alone = crate::docker::ENGINE.lock().await;
    let Some(engine) = Engine::given("ssh") else { return };
    if !Path::new(SSHD).exists() {
        let why = "sshd is not installed (Debian: apt-get install openssh-server)";
        // With systemd, Debian would start one for everybody on the network, so `./test` installs none.
        let systemd = Path::new("/run/systemd/system").exists();
        return if systemd { say(&format!("SKIPPED a_real_engine_behind_a_real_sshd: {why}")) } else { skipped(why) };
    }
    let dir = TempDir::new().unwrap();
    let sshd = match Sshd::start(dir.path()) {
        Ok(sshd) => sshd,
        Err(why) => return skipped(&why),
    };
    let ssh = Command::new("sh").args(["-c", "command -v ssh"]).output().unwrap();
    let ssh = String::from_utf8(ssh.stdout).unwrap();
    let user = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    // Its own configuration is that of the account; HOME does not move it.
    let wrapper = format!("echo \"$$ $*\" >>\"$0.log\"\nexec {} -F {} \"$@\"\n", ssh.trim(), sshd.config.display());
    let first = FirstOnPath::with_ssh(dir.path(), &wrapper);
    let socket = engine.url.replace("unix://", "");
    let mut ship = first.ship(dir.path(), &format!("far=ssh://{}@127.0.0.1:{}{socket}", user.trim(), sshd.port));
    connected(&ship, "far").await;
    engine.run(3, "dies", &[], "exit 3");
    let id = engine.docker(&["inspect", "--format", "{{.Id}}", &engine.name("dies")]);
    wait_for("its death", async || recorded(&ship, "far").await.contains(&format!("die {id}")).then_some(())).await;

    // A link that goes silent is noticed, and what happened meanwhile is there afterwards.
    sshd.signal_sessions("-STOP");
    let silent = source(&ship, "far", |source| source["error"].as_str().is_some_and(|error| error.starts_with("ssh: "))).await;
    assert!(silent["error"].as_str().unwrap().contains("not responding"), "{silent}");
    sshd.signal_sessions("-KILL");
    engine.run(4, "meanwhile", &[], "exit 4");
    let id = engine.docker(&["inspect", "--format", "{{.Id}}", &engine.name("meanwhile")]);
    wait_for("the death meanwhile", async || recorded(&ship, "far").await.contains(&format!("die {id}")).then_some(())).await;
    assert!(recorded(&ship, "far").await.iter().any(|record| record.starts_with("resumed")));
    // Nobody is there to kill them when the program is killed: they end by themselves.
    ship.kill();
    wait_for("the end of all", async || first.logins().iter().all(|(pid, _)| is_gone(*pid)).then_some(())).await;
}
