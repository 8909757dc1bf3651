//! TLS as a client, for every provider: 1.2 or newer, and the server's certificate always checked.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::OFlags;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Whom to trust and who we are. The default trusts the system's roots and shows no certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Certificates in PEM that are trusted as roots instead of the system's. A regular file that
    /// others cannot write, as all of these.
    pub ca: Option<PathBuf>,
    /// Our certificate with its chain, and its key; both PEM (key: PKCS #8, PKCS #1 or SEC 1).
    /// The key is for nobody but its owner and, to read, its group.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// SHA-256 of the server's SubjectPublicKeyInfo (RFC 7469 section 2.4), which is asked for on
    /// top of a valid certificate.
    pub pin: Option<[u8; 32]>,
}

/// What a TLS connection is made with. The server's name and certificate are always checked.
///
/// # Errors
/// When a file is missing, cannot be read, is open to others or holds something else; names the
/// file and what to do.
pub fn client_config(settings: &Settings) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(roots(settings.ca.as_deref())?);
    let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| format!("the root certificates cannot be used: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let builder = match settings.pin {
        None => builder.with_webpki_verifier(chain),
        Some(pin) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Pinned { chain, pin }))
        }
    };
    let Some((certificate, key)) = &settings.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let pem = read(key, &KEY)?;
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        format!("{}: no private key can be read: {error}; give a PEM file", key.display())
    })?;
    builder.with_client_auth_cert(certificates(certificate)?, private).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("{certificate} and {key} are no certificate and key that belong together: {error}")
    })
}

/// For a client that needs a TLS configuration and speaks no TLS: every server is refused.
///
/// # Errors
/// Never in practice: when the library does not support its own protocol versions.
pub fn trusting_nobody() -> Result<ClientConfig, String> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// The roots of a PEM file, or the system's.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| {
                format!("{}: a certificate cannot be used as a root: {error}", path.display())
            })?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(format!(
            "the system has no root certificates ({}); install ca-certificates or set `ca`",
            why.join(", ")
        ));
    }
    Ok(roots)
}

/// All certificates of a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable =
        |error| format!("{}: no certificate can be read: {error}; give a PEM file", path.display());
    let pem = read(path, &CERTIFICATE)?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate; give a PEM file", path.display()));
    }
    Ok(certificates)
}

/// Whom a file must not be open to.
struct Guard {
    /// Bits that its mode must not have.
    forbidden: u32,
    others_can: &'static str,
    /// Commands that make it so.
    remedies: &'static [&'static str],
}

const KEY: Guard = Guard {
    forbidden: 0o037,
    others_can: "read or change the key",
    remedies: &["chmod 0640", "chgrp otpd"],
};
const CERTIFICATE: Guard = Guard {
    forbidden: 0o002,
    others_can: "change whom we trust or who we are",
    remedies: &["chmod o-w"],
};

/// A regular file. It is judged when it is open, so that it cannot be another one by then; a
/// symbolic link counts as what it leads to.
fn read(path: &Path, guard: &Guard) -> Result<Zeroizing<Vec<u8>>, String> {
    let name = path.display();
    let unreadable = |error: io::Error| format!("{name}: cannot be read: {error}");
    // A FIFO must not hold up the start.
    let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();
    let mut file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{name}: is not a regular file; give a PEM file"));
    }
    let (mode, Guard { forbidden, others_can, remedies }) = (metadata.mode() & 0o7777, guard);
    if mode & forbidden != 0 {
        let remedies: Vec<_> = remedies.iter().map(|remedy| format!("{remedy} {name}")).collect();
        let remedies = remedies.join(" and ");
        return Err(format!(
            "{name}: has mode {mode:04o}, so that others can {others_can}: {remedies}"
        ));
    }
    // Room enough that reading never reallocates and leaves a copy behind.
    let length = usize::try_from(metadata.len()).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// The usual checks, and then the server's key against the pin.
#[derive(Debug)]
struct Pinned {
    chain: Arc<WebPkiServerVerifier>,
    pin: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let valid = self.chain.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        if Sha256::digest(&key).as_slice() == self.pin {
            Ok(valid)
        } else {
            Err(rustls::Error::General("the server's key is not the one of `pin`".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData};
    use rustix::fs::{FileType, Mode};
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::*;

    /// A root, and a server certificate for a name under it.
    struct Authority {
        root: String,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let root = params.self_signed(&key).unwrap().pem();
            Self { root, issuer: Issuer::new(params, key) }
        }

        fn issue(&self, name: &str) -> (String, KeyPair) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &self.issuer).unwrap().pem(), key)
        }
    }

    /// A handshake in memory with a server that shows the certificate.
    fn handshake(
        client: ClientConfig,
        (certificate, key): &(String, KeyPair),
    ) -> Result<(), rustls::Error> {
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )?;
        let name = ServerName::try_from("gateway.example").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn only_a_certificate_of_the_trusted_root_and_the_pinned_key_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let authority = Authority::new();
        fs::write(&path, &authority.root).unwrap();
        let server = authority.issue("gateway.example");
        let pin = Sha256::digest(server.1.subject_public_key_info()).into();
        let own = Settings { ca: Some(path), ..Settings::default() };
        let pinned = Settings { pin: Some(pin), ..own.clone() };
        let other = Settings { pin: Some([7; 32]), ..own.clone() };
        let tried = |settings: &Settings, server: &(String, KeyPair)| {
            handshake(client_config(settings).unwrap(), server).map_err(|error| error.to_string())
        };
        assert_eq!(tried(&own, &server), Ok(()));
        assert_eq!(tried(&pinned, &server), Ok(()));
        assert!(tried(&other, &server).unwrap_err().contains("not the one of `pin`"));
        for settings in [&own, &pinned] {
            tried(settings, &authority.issue("other.example")).unwrap_err();
            tried(settings, &Authority::new().issue("gateway.example")).unwrap_err();
        }
        if let Ok(config) = client_config(&Settings::default()) {
            handshake(config, &server).unwrap_err();
        }
    }

    #[test]
    fn a_file_that_will_not_do_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::new();
        let (certificate, key) = authority.issue("client");
        for (name, text) in [
            ("client.pem", certificate.as_str()),
            ("client.key", &key.serialize_pem()),
            ("other.key", &KeyPair::generate().unwrap().serialize_pem()),
            ("ca.pem", &authority.root),
            ("empty.pem", "nothing"),
        ] {
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), Permissions::from_mode(0o640)).unwrap();
        }
        let with = |ca: &str, certificate: &str, key: &str| {
            client_config(&Settings {
                ca: Some(path(ca)),
                identity: Some((path(certificate), path(key))),
                pin: None,
            })
        };
        with("ca.pem", "client.pem", "client.key").unwrap();
        for (ca, certificate, key, named) in [
            ("none.pem", "client.pem", "client.key", "none.pem"),
            ("empty.pem", "client.pem", "client.key", "empty.pem"),
            ("ca.pem", "none.pem", "client.key", "none.pem"),
            ("ca.pem", "empty.pem", "client.key", "empty.pem"),
            ("ca.pem", "client.pem", "none.key", "none.key"),
            ("ca.pem", "client.pem", "client.pem", "client.pem"),
            ("ca.pem", "client.pem", "other.key", "other.key"),
        ] {
            let error = with(ca, certificate, key).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_open_to_others_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::new();
        let (certificate, key) = authority.issue("client");
        for (name, text) in
            [("ca", &authority.root), ("certificate", &certificate), ("key", &key.serialize_pem())]
        {
            fs::write(path(name), text).unwrap();
            symlink(path(name), path(&format!("{name}.link"))).unwrap();
        }
        let load = |suffix: &str| {
            let path = |name: &str| path(&format!("{name}{suffix}"));
            let identity = Some((path("certificate"), path("key")));
            client_config(&Settings { ca: Some(path("ca")), identity, pin: None }).map(drop)
        };
        let change = "change whom we trust or who we are";
        for (name, good, bad, others_can) in [
            ("ca", 0o664, [0o666, 0o642], change),
            ("certificate", 0o644, [0o646, 0o602], change),
            ("key", 0o440, [0o644, 0o602], "read or change the key"),
            ("key", 0o640, [0o660, 0o604], "read or change the key"),
        ] {
            let set = |mode| fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
            for file in ["ca", "certificate", "key"] {
                fs::set_permissions(path(file), Permissions::from_mode(0o600)).unwrap();
            }
            for mode in bad {
                set(mode);
                for suffix in ["", ".link"] {
                    let named = path(&format!("{name}{suffix}")).display().to_string();
                    let remedy = match name {
                        "key" => format!("chmod 0640 {named} and chgrp otpd {named}"),
                        _ => format!("chmod o-w {named}"),
                    };
                    let why = format!("has mode {mode:04o}, so that others can {others_can}");
                    assert_eq!(load(suffix), Err(format!("{named}: {why}: {remedy}")));
                }
            }
            set(good);
            assert_eq!((load(""), load(".link")), (Ok(()), Ok(())));
        }
        for name in ["certificate", "key", "ca"] {
            fs::remove_file(path(name)).unwrap();
            let (kind, mode) = (FileType::Fifo, Mode::RUSR);
            rustix::fs::mknodat(rustix::fs::CWD, path(name), kind, mode, 0).unwrap();
            let named = path(name).display().to_string();
            assert_eq!(load(""), Err(format!("{named}: is not a regular file; give a PEM file")));
        }
    }
}
