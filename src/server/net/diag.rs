//! What the kernel knows of a TCP connection, asked over netlink (sock_diag(7)). The ioctl SIOCOUTQ and the
//! socket option TCP_INFO tell the same, but there is no safe call for either.

use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Of messages.
const HEADER_BYTES: usize = 16;
/// Of the fixed part of an answer (`struct inet_diag_msg`), and where in it the bytes are that wait
/// (`idiag_wqueue`).
const ANSWER_BYTES: usize = 72;
const WAITING_AT: usize = 60;
/// Of an attribute's header, its kind `INET_DIAG_INFO`, and where in that (`struct tcp_info`)
/// `tcpi_bytes_acked` is.
const ATTRIBUTE_BYTES: usize = 4;
const INFO: u16 = 2;
const ACKNOWLEDGED_AT: usize = 120;
/// Kinds of messages: a question and its answer, and an error.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const TCP: u8 = 6;
/// An answer is some 400 bytes.
const MAX_ANSWER_BYTES: usize = 4096;
/// Answers to earlier questions that are passed over; each question has one.
const MAX_STALE: usize = 16;

/// What waits for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// Bytes that were written and are not acknowledged.
    pub(super) waiting: u32,
    /// Bytes that were acknowledged, since the connection began.
    pub(super) acknowledged: u64,
}

/// The kernel, as one asks it.
#[derive(Debug)]
pub(super) struct Diagnosis(Mutex<Line>);

#[derive(Debug)]
struct Line {
    socket: OwnedFd,
    asked: u32,
}

impl Diagnosis {
    pub(super) fn open() -> io::Result<Self> {
        let socket = net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
        Ok(Self(Mutex::new(Line { socket, asked: 0 })))
    }

    /// Of the connection between these.
    ///
    /// # Errors
    /// `NotFound` when there is none; otherwise as the system says.
    pub(super) fn outgoing(&self, local: SocketAddr, peer: SocketAddr) -> io::Result<Outgoing> {
        let mut line = self.0.lock();
        line.asked = line.asked.wrapping_add(1);
        let number = line.asked;
        net::send(&line.socket, &question(number, local, peer), SendFlags::DONTWAIT)?;
        let mut buffer = [0; MAX_ANSWER_BYTES];
        for _ in 0..MAX_STALE {
            // It is there: the kernel answers within the call that asks.
            let (read, _) = net::recv(&line.socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
            if let Some(answer) = answer(buffer.get(..read).unwrap_or_default(), number) {
                return answer;
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// As this machine has integers in memory.
fn native(value: u32) -> [u8; 4] {
    value.to_be().to_be_bytes()
}

fn native_short(value: u16) -> [u8; 2] {
    value.to_be().to_be_bytes()
}

fn question(number: u32, local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    /// `struct inet_diag_req_v2`.
    const QUESTION_BYTES: usize = 56;
    let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let family = u8::try_from(family.as_raw()).unwrap_or_default();
    let mut out = Vec::with_capacity(HEADER_BYTES + QUESTION_BYTES);
    out.extend(native(u32::try_from(HEADER_BYTES + QUESTION_BYTES).unwrap_or_default()));
    out.extend(native_short(SOCK_DIAG_BY_FAMILY));
    out.extend(native_short(REQUEST));
    out.extend(native(number));
    out.extend(native(0));
    out.extend([family, TCP, 1 << (INFO - 1), 0]);
    // In any state.
    out.extend(native(u32::MAX));
    out.extend(local.port().to_be_bytes());
    out.extend(peer.port().to_be_bytes());
    for address in [local.ip(), peer.ip()] {
        match address {
            IpAddr::V4(address) => out.extend([&address.octets()[..], &[0; 12]].concat()),
            IpAddr::V6(address) => out.extend(address.octets()),
        }
    }
    out.extend(native(if let SocketAddr::V6(local) = local { local.scope_id() } else { 0 }));
    // Whatever its cookie.
    out.extend([0xff; 8]);
    out
}

fn at<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..start.checked_add(N)?)?.try_into().ok()
}

fn word(bytes: &[u8], start: usize) -> Option<u32> {
    at(bytes, start).map(|bytes| u32::from_be(u32::from_be_bytes(bytes)))
}

fn short(bytes: &[u8], start: usize) -> Option<u16> {
    at(bytes, start).map(|bytes| u16::from_be(u16::from_be_bytes(bytes)))
}

/// What a message says to the question of this number; `None` for one to another question.
fn answer(message: &[u8], number: u32) -> Option<io::Result<Outgoing>> {
    if word(message, 8)? != number {
        return None;
    }
    if short(message, 4)? == ERROR {
        let code = word(message, HEADER_BYTES)?.cast_signed();
        return Some(Err(io::Error::from_raw_os_error(code.wrapping_neg())));
    }
    Some(read(message).ok_or_else(|| io::ErrorKind::InvalidData.into()))
}

fn read(message: &[u8]) -> Option<Outgoing> {
    let fixed = message.get(HEADER_BYTES..)?;
    let waiting = word(fixed, WAITING_AT)?;
    let mut attributes = fixed.get(ANSWER_BYTES..)?;
    loop {
        let bytes = usize::from(short(attributes, 0)?);
        if short(attributes, 2)? == INFO {
            let info = attributes.get(ATTRIBUTE_BYTES..bytes)?;
            return Some(Outgoing { waiting, acknowledged: u64::from_be(u64::from_be_bytes(at(info, ACKNOWLEDGED_AT)?)) });
        }
        attributes = attributes.get(bytes.max(ATTRIBUTE_BYTES).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// Acknowledged is what the peer's kernel has, and what waits is the rest.
    #[test]
    fn counts_what_a_peer_has_acknowledged() {
        let kernel = Diagnosis::open().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut ours, _) = listener.accept().unwrap();
            let (local, remote) = (ours.local_addr().unwrap(), ours.peer_addr().unwrap());
            let ask = || kernel.outgoing(local, remote);
            let before = ask().unwrap();
            assert_eq!(before.waiting, 0, "{address}");
            ours.write_all(&[0; 1000]).unwrap();
            peer.read_exact(&mut [0; 1000]).unwrap();
            let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
            while ask().unwrap() != (Outgoing { waiting: 0, acknowledged: before.acknowledged + 1000 }) {
                assert!(std::time::Instant::now() < until, "{:?} after {before:?}", ask());
            }
            // Until neither side takes more.
            ours.set_nonblocking(true).unwrap();
            let mut written = 1000;
            while let Ok(bytes) = ours.write(&[0; 16384]) {
                written += bytes as u64;
            }
            let full = ask().unwrap();
            assert!(full.waiting > 0, "{full:?}");
            assert_eq!(full.acknowledged - before.acknowledged + u64::from(full.waiting), written, "{address}");
        }
        let nobody = "127.0.0.1:1".parse().unwrap();
        assert_eq!(kernel.outgoing(nobody, nobody).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
