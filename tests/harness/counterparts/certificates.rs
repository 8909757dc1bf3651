//! Certificates of a private authority.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use super::folder;

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it is for `localhost` and 127.0.0.1.
    None,
    /// It is for another name.
    Name,
    /// It was valid until 2020.
    Expired,
    /// Nobody that is trusted signed it.
    Issuer,
}

/// Files in PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority's certificate: what a client trusts.
    pub authority: String,
    /// The server's.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Certificate {
    /// Makes an authority and a server's certificate of it.
    pub fn new(flaw: Flaw) -> Self {
        let (trusted, authority) = issuer();
        let signer = if flaw == Flaw::Issuer { issuer().0 } else { trusted };
        let names: &[&str] = match flaw {
            Flaw::Name => &["elsewhere.example.net"],
            _ => &["localhost", "127.0.0.1"],
        };
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut parameters = CertificateParams::new(names).unwrap();
        if flaw == Flaw::Expired {
            parameters.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &signer).unwrap().pem();
        let folder = folder("certificate");
        let file = |name: &str, text: String| {
            let path = format!("{folder}/{name}.pem");
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            authority: file("authority", authority),
            certificate: file("certificate", certificate),
            key: file("key", key.serialize_pem()),
        }
    }
}

/// An authority, and its certificate in PEM.
fn issuer() -> (Issuer<'static, KeyPair>, String) {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "Test authority");
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    (Issuer::new(parameters, key), certificate)
}
