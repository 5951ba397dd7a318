//! TLS with certificates from files, which are read again when they change.

use super::io::Io;
use crate::server::reload::Files;
use crate::shutdown::Shutdown;
use parking_lot::RwLock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A client has this long to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot read {what} from {path}: {why}")]
    File {
        /// Which part.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: pem::Error,
    },
    /// No certificate in the file.
    #[error("{0} holds no certificate; it must be PEM, the server's certificate first")]
    Empty(PathBuf),
    /// The two do not fit, or are of a kind that is not known.
    #[error("the certificate and the key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The server's side of TLS.
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    cert: PathBuf,
    key: PathBuf,
    files: Files,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("cert", &self.cert).field("key", &self.key).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl Tls {
    /// Reads a certificate chain and its key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`], with the file that is wrong.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files::new([cert, key]);
        let current = Arc::new(Current(RwLock::new(Arc::new(read(cert, key)?))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&current));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, cert: cert.to_owned(), key: key.to_owned(), files })
    }

    /// Takes new files as they come. Ones that cannot be used are told, and the old ones kept.
    pub(in crate::server) async fn follow_files(self: Arc<Self>, shutdown: Shutdown) {
        while self.files.changed(&shutdown).await {
            match read(&self.cert, &self.key) {
                Ok(new) => {
                    *self.current.0.write() = Arc::new(new);
                    tracing::info!(tls.cert = %self.cert.display(), "the certificate has been read again");
                }
                Err(e) => {
                    tracing::error!(error = %e, tls.cert = %self.cert.display(), "the new certificate cannot be used; the old one stays");
                }
            }
        }
    }

    /// As [`accept`](Self::accept), for an answer that is written by hand.
    pub(super) async fn accept_http1(&self, io: Io) -> std::io::Result<TlsStream<Io>> {
        let mut config = ServerConfig::clone(self.acceptor.config());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config)).accept(io).await
    }

    /// The TLS stream of a new connection, whose handshake may take [`HANDSHAKE`].
    pub(super) async fn accept(&self, io: Io) -> std::io::Result<TlsStream<Io>> {
        tokio::time::timeout(HANDSHAKE, self.acceptor.accept(io)).await?
    }
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let file = |what, path: &Path| {
        let path = path.to_owned();
        move |why| TlsError::File { what, path, why }
    };
    let text = |path: &Path| crate::file::read(path).map_err(pem::Error::Io);
    let certificates = text(cert)
        .and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>())
        .map_err(file("the certificate", cert))?;
    if certificates.is_empty() {
        return Err(TlsError::Empty(cert.to_owned()));
    }
    let key = text(key).and_then(|pem| PrivateKeyDer::from_pem_slice(&pem)).map_err(file("the key", key))?;
    Ok(CertifiedKey::from_der(certificates, key, &ring::default_provider())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_file_is_wrong() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(path("cert"), made.cert.pem()).unwrap();
        std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(path("other"), other.signing_key.serialize_pem()).unwrap();
        std::fs::write(path("empty"), "").unwrap();
        assert!(Tls::load(&path("cert"), &path("key")).is_ok());
        for (cert, key, said) in [
            ("none", "key", "cannot read the certificate from "),
            ("empty", "key", "holds no certificate"),
            ("cert", "none", "cannot read the key from "),
            ("cert", "cert", "cannot read the key from "),
            ("cert", "other", "the certificate and the key cannot be used"),
        ] {
            let error = Tls::load(&path(cert), &path(key)).unwrap_err().to_string();
            assert!(error.contains(said), "{cert} {key}: {error}");
        }
    }
}
