//! Where connections come from.

use super::socket::Socket;
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};

/// What the kernel may buffer towards a client. Left to itself it may take megabytes for one that reads
/// slowly.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Silence after which the kernel asks whether the peer is there, and keeps asking. Streams of Docker's API
/// may send nothing else; what stands between, such as NAT, forgets quiet connections after a minute or more.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Connections that may wait to be accepted: after a restart all clients come back. The kernel allows 4,096
/// (net.core.somaxconn).
const BACKLOG: u32 = 4096;
/// Who may connect to the unix socket: its owner and its group, as with Docker's own.
const SOCKET_MODE: u32 = 0o660;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Address and port.
    Tcp(SocketAddr),
    /// Path of a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = ();

    /// `ADDRESS:PORT`, `localhost:PORT`, or `unix:PATH` (also as `unix://PATH`).
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        match (text.strip_prefix("unix:"), text.strip_prefix("localhost:")) {
            (Some(""), _) => Err(()),
            (Some(path), _) => Ok(Self::Unix(path.strip_prefix("//").unwrap_or(path).into())),
            (None, Some(port)) => port.parse().map(|port: u16| Self::Tcp((Ipv4Addr::LOCALHOST, port).into())).map_err(|_| ()),
            (None, None) => text.parse().map(Self::Tcp).map_err(|_| ()),
        }
    }
}

/// A listening socket. Clones are the same one, which is closed with the last of them.
#[derive(Debug, Clone)]
pub struct Listener(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    /// As the system says; `AddrInUse` for the socket of a program that is still there.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.set_reuseaddr(true)?;
                socket.bind(*address)?;
                socket.listen(BACKLOG).map(|listener| Self(Arc::new(Kind::Tcp(listener))))
            }
            Address::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
                Ok(Self(Arc::new(Kind::Unix(listener, path.clone()))))
            }
        }
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> io::Result<Address> {
        match &*self.0 {
            Kind::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Kind::Unix(_, path) => Ok(Address::Unix(path.clone())),
        }
    }

    pub(in crate::server) async fn accept(&self) -> io::Result<Socket> {
        match &*self.0 {
            Kind::Tcp(listener) => listener.accept().await.map(|(stream, _)| Socket::Tcp(tune(stream))),
            Kind::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Socket::Unix(stream)),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Arc::new(Kind::Tcp(listener)))
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes the socket of a program that was killed. Anything else at that path stays, and makes the bind
/// fail.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket());
    let dead = || matches!(std::os::unix::net::UnixStream::connect(path), Err(e) if e.kind() == io::ErrorKind::ConnectionRefused);
    if is_socket && dead() { std::fs::remove_file(path) } else { Ok(()) }
}

/// Socket options; one that cannot be set costs comfort, not correctness.
fn tune(stream: TcpStream) -> TcpStream {
    let socket = SockRef::from(&stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE));
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_asks_for_quiet_peers() {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Tcp(address) = listener.address().unwrap() else { panic!("a TCP socket") };
        let (accepted, _client) = tokio::join!(listener.accept(), TcpStream::connect(address));
        let Socket::Tcp(stream) = accepted.unwrap() else { panic!("a TCP socket") };
        let socket = SockRef::from(&stream);
        assert_eq!((socket.keepalive().unwrap(), socket.tcp_keepalive_time().unwrap()), (true, KEEP_ALIVE));
    }

    #[tokio::test]
    async fn takes_over_a_dead_socket_but_not_a_live_one_or_a_file() {
        let dir = tempfile::TempDir::new().unwrap();
        let address = Address::Unix(dir.path().join("s"));
        let first = Listener::bind(&address).unwrap();
        assert_eq!(Listener::bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let path = dir.path().join("s");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        let other = first.clone();
        drop(first);
        assert!(path.exists(), "it goes with the last one");
        drop(other);
        // As a kill would: the socket closes, its file stays.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(Listener::bind(&address).unwrap());
        assert!(!dir.path().join("s").exists(), "an orderly end removes it");
        std::fs::write(dir.path().join("s"), "mine").unwrap();
        assert!(Listener::bind(&address).is_err());
        assert_eq!(std::fs::read(dir.path().join("s")).unwrap(), b"mine");
    }
}
