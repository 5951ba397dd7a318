//! The client's side of TLS, with Docker's files. They are read for each connection, so that renewed ones are
//! taken.

use super::error::IngestError;
use crate::file;
use crate::ingest::endpoint::{Endpoint, TlsFiles};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

const CA: &str = "ca.pem";
const CERT: &str = "cert.pem";
const KEY: &str = "key.pem";

/// Agrees on keys, and checks that the server is `host`.
pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    files: &TlsFiles,
    endpoint: &Endpoint,
) -> Result<TlsStream<TcpStream>, IngestError> {
    let failed = |source| IngestError::Connect { endpoint: endpoint.clone(), source };
    let reading = files.clone();
    let config = tokio::task::spawn_blocking(move || config(&reading)).await.map_err(|error| failed(io::Error::other(error)))??;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| refused(error, endpoint))
}

/// An error of TLS, where that is what it is.
fn refused(error: io::Error, endpoint: &Endpoint) -> IngestError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(source) => IngestError::Tls { endpoint: endpoint.clone(), source: Box::new(source.clone()) },
        None => IngestError::Connect { endpoint: endpoint.clone(), source: error },
    }
}

fn config(files: &TlsFiles) -> Result<ClientConfig, IngestError> {
    let wrong = |path: PathBuf, why: String| IngestError::Certificate { path, why };
    let Some(dir) = &files.dir else {
        return finish(system_roots().ok_or_else(|| wrong(CA.into(), "it has no directory: set DOCKER_CERT_PATH".to_owned()))?, None);
    };
    let ca = certificates(&dir.join(CA))?;
    let cert = certificates(&dir.join(CERT))?;
    let key_path = dir.join(KEY);
    let key = there(file::read(&key_path).map_err(pem::Error::Io).and_then(|pem| PrivateKeyDer::from_pem_slice(&pem)))
        .map_err(|error| wrong(key_path.clone(), error.to_string()))?;
    if files.named && ca.is_none() && cert.is_none() && key.is_none() {
        return Err(wrong(dir.clone(), format!("none of {CA}, {CERT} and {KEY} is in it")));
    }
    let roots = match ca {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in ca {
                roots.add(certificate).map_err(|error| wrong(dir.join(CA), error.to_string()))?;
            }
            roots
        }
        None => system_roots().ok_or_else(|| wrong(dir.join(CA), "it is not there, and the system has no roots".to_owned()))?,
    };
    let client = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(wrong(key_path, format!("it is not there, and {CERT} needs it"))),
        (None, Some(_)) => return Err(wrong(dir.join(CERT), format!("it is not there, and {KEY} needs it"))),
    };
    finish(roots, client).map_err(|error| match error {
        IngestError::Certificate { why, .. } => wrong(dir.join(CERT), why),
        other => other,
    })
}

type Client = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn finish(roots: RootCertStore, client: Option<Client>) -> Result<ClientConfig, IngestError> {
    let wrong = |error: rustls::Error| IngestError::Certificate { path: CERT.into(), why: error.to_string() };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots);
    let mut config = match client {
        Some((certificates, key)) => builder.with_client_auth_cert(certificates, key).map_err(wrong)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a file; `None` where it is not there.
fn certificates(path: &Path) -> Result<Option<Vec<CertificateDer<'static>>>, IngestError> {
    let wrong = |why: String| IngestError::Certificate { path: path.to_owned(), why };
    let found =
        there(file::read(path).map_err(pem::Error::Io).and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>()));
    match found.map_err(|error| wrong(error.to_string()))? {
        Some(certificates) if certificates.is_empty() => Err(wrong("it holds no certificate; it must be PEM".to_owned())),
        found => Ok(found),
    }
}

/// A file that is not there is no error.
fn there<T>(read: Result<T, pem::Error>) -> Result<Option<T>, pem::Error> {
    match read {
        Err(pem::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Those that the system trusts; `None` where there are none.
fn system_roots() -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    (added > 0).then_some(roots)
}
