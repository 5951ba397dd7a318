//! What a person can do about a Docker host that cannot be reached.

use crate::ingest::endpoint::{Endpoint, SshTarget, TlsFiles};
use std::io;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// For files that cannot be used.
pub(super) const CERTIFICATES: &str = "ca.pem, cert.pem and key.pem are looked for in ?cert-path=DIR, in the docker context, in \
                                       DOCKER_CERT_PATH, or in ~/.docker; they are read again for each connection";
/// For a daemon that breaks off.
pub(super) const CLIENT_CERTIFICATE: &str = "the daemon broke the TLS connection off: it may ask for a client certificate (cert.pem and \
                                             key.pem) that its own CA has signed";

pub(super) fn connect(error: &io::Error, endpoint: &Endpoint) -> String {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound, PermissionDenied, UnexpectedEof};
    match (endpoint, error.kind()) {
        (Endpoint::Unix(path), NotFound | ConnectionRefused) if path.to_string_lossy().contains("podman") => {
            format!(
                "nothing listens on {}: start Podman's service (systemctl --user enable --now podman.socket; as root without --user)",
                path.display()
            )
        }
        (Endpoint::Unix(path), NotFound) => format!(
            "no Docker socket at {}: is the Docker Engine installed and running? Set --docker-host or DOCKER_HOST, or try --demo",
            path.display()
        ),
        (Endpoint::Unix(path), PermissionDenied) => {
            format!("permission denied at {}: add the user to the docker group and log in again, or run as root", path.display())
        }
        (Endpoint::Unix(path), ConnectionRefused) => {
            format!("nothing listens on {}: start the Docker Engine (systemctl start docker), or try --demo", path.display())
        }
        (Endpoint::Unix(path), _) => format!("is {} the socket of a Docker Engine?", path.display()),
        (Endpoint::Ssh(_), NotFound) => "ssh is not installed here (Debian: apt-get install openssh-client)".to_owned(),
        (Endpoint::Ssh(_), _) => "ssh could not be started".to_owned(),
        (Endpoint::Tcp { host, port } | Endpoint::Tls { host, port, .. }, ConnectionRefused) => {
            format!("nothing listens on port {port} of {host}: is the Docker Engine running there, with -H tcp://… ?")
        }
        (Endpoint::Tls { .. }, UnexpectedEof | ConnectionReset) => CLIENT_CERTIFICATE.to_owned(),
        (Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. }, _) => {
            format!("is {host} the right host, and can it be reached from here?")
        }
    }
}

/// For a port that answers plain HTTP with "this is TLS".
pub(super) fn asks_for_tls(endpoint: &Endpoint) -> String {
    let https = endpoint.to_string().replacen("tcp://", "https://", 1);
    format!("that port speaks TLS: use {https}, or set DOCKER_TLS_VERIFY=1, with the certificates in DOCKER_CERT_PATH or ?cert-path=DIR")
}

/// For TLS that failed.
pub(super) fn tls(error: &Error, endpoint: &Endpoint) -> String {
    let (host, files) = match endpoint {
        Endpoint::Tls { host, files, .. } => (host.as_str(), Some(files)),
        _ => ("the host", None),
    };
    let ca = || match files {
        Some(TlsFiles { dir: Some(dir), .. }) => dir.join("ca.pem").display().to_string(),
        _ => "ca.pem".to_owned(),
    };
    let there = |name: &str| files.and_then(|files| files.dir.as_ref()).is_some_and(|dir| dir.join(name).exists());
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) if there("ca.pem") => {
            format!("{} has not signed the daemon's certificate: it is the CA of another host, or an old one", ca())
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            format!("the system trusts nobody who has signed the daemon's certificate: put its CA's certificate into {}", ca())
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("the certificate of {host} has expired: renew it over there, and check both clocks")
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "check the clocks of both machines".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            format!("the daemon's certificate is not for {host}: use a name or address that it lists as subjectAltName")
        }
        Error::InvalidCertificate(_) => "the daemon's certificate cannot be used".to_owned(),
        Error::InvalidMessage(_) => "what listens there does not speak TLS: for plain HTTP write http:// instead".to_owned(),
        Error::AlertReceived(AlertDescription::CertificateExpired) => "the client certificate (cert.pem) has expired: renew it".to_owned(),
        Error::AlertReceived(_) if !there("cert.pem") => {
            "the daemon asks for a client certificate: put cert.pem and key.pem, signed by its CA, beside ca.pem".to_owned()
        }
        Error::AlertReceived(_) => "the daemon does not take the client certificate: cert.pem must be signed by its own CA".to_owned(),
        _ => "the two sides could not agree on TLS".to_owned(),
    }
}

/// For a daemon that ends stream after stream.
pub(super) fn restless(said: Option<&str>) -> String {
    let why = "does a proxy in between end it, or does Podman run without events (events_logger = \"none\" in containers.conf)?";
    said.map_or_else(|| why.to_owned(), |said| format!("the daemon said: {said}; {why}"))
}

/// What kind of failure ssh told; its words may have ports and process numbers in them.
pub(super) fn ssh_kind(said: &str) -> &'static str {
    let kinds =
        ["Host key verification failed", "Permission denied", "not found", "Cannot connect to the Docker daemon", "timed out", "refused"];
    kinds.into_iter().find(|kind| said.contains(kind)).unwrap_or("other")
}

/// For ssh that ended.
pub(super) fn ssh(said: &str, endpoint: &Endpoint) -> String {
    let by_hand = match endpoint {
        Endpoint::Ssh(SshTarget { user, host, port, .. }) => {
            let user = user.as_ref().map(|user| format!("-l {user} ")).unwrap_or_default();
            let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
            format!("ssh -o BatchMode=yes {user}{port}{host} docker version")
        }
        _ => "ssh".to_owned(),
    };
    let has = |part: &str| said.contains(part);
    if has("Host key verification failed") {
        format!("the host's key is not known: log in once by hand, as the user that shipslog runs as, and check it (`{by_hand}` must work)")
    } else if has("Permission denied") {
        format!(
            "ssh is not let in: shipslog cannot type passwords, it needs a key without a passphrase or an agent (`{by_hand}` must work)"
        )
    } else if has("command not found") || has("not found") || has("dial-stdio") {
        "the docker CLI is needed over there, 18.09 or newer, in the PATH of a login that is not interactive".to_owned()
    } else if has("Cannot connect to the Docker daemon") || has("dial unix") {
        "ssh gets in, but the Docker Engine over there does not answer that user: is it running, and is the user in the docker group?"
            .to_owned()
    } else {
        format!("`{by_hand}` must work without a question, as the user that shipslog runs as")
    }
}
