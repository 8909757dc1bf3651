//! How PSKC keeps values (RFC 6030 section 6): AES in CBC mode with PKCS #7 padding, the
//! initialisation vector in front, and an HMAC over both.

use cbc::cipher::{
    BlockModeDecrypt, BlockModeEncrypt, InvalidLength, KeyIvInit, block_padding::Pkcs7,
};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

/// The namespace of its elements.
pub(crate) const NAMESPACE: &str = "urn:ietf:params:xml:ns:keyprov:pskc";
/// The namespace of XML Encryption.
pub(crate) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// The namespace of XML Encryption 1.1, which has derived keys.
pub(crate) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
/// The namespace of XML Signature, which has names of keys.
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// The namespace of PBKDF2's parameters.
pub(crate) const PKCS5: &str = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#";

/// PBKDF2 (RFC 8018) as the derivation of a key.
pub(crate) const PBKDF2: &str = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2";

/// Length of a block, and of the initialisation vector, in bytes.
pub(crate) const BLOCK: usize = 16;

/// How values are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
}

impl Cipher {
    const ALL: [Self; 3] = [Self::Aes128, Self::Aes192, Self::Aes256];

    /// The cipher of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.name() == name)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes192 => "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
            Self::Aes256 => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }

    /// Length of its key in bytes.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// What is in `sealed`, the vector in front; `None` for a key of another length, for what is
    /// no whole blocks and for wrong padding. Nothing authenticates it: check the MAC first.
    pub(crate) fn open(self, key: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (vector, blocks) = sealed.split_at_checked(BLOCK)?;
        let mut plain = Zeroizing::new(blocks.to_vec());
        let length = match self {
            Self::Aes128 => opened::<cbc::Decryptor<aes::Aes128>>(key, vector, &mut plain),
            Self::Aes192 => opened::<cbc::Decryptor<aes::Aes192>>(key, vector, &mut plain),
            Self::Aes256 => opened::<cbc::Decryptor<aes::Aes256>>(key, vector, &mut plain),
        }?;
        plain.truncate(length);
        Some(plain)
    }

    /// `plain` encrypted with a vector that is never used again, the vector in front.
    ///
    /// # Errors
    /// [`InvalidLength`] for a key of another length.
    pub(crate) fn seal(
        self,
        key: &[u8],
        vector: &[u8; BLOCK],
        plain: &[u8],
    ) -> Result<Vec<u8>, InvalidLength> {
        let blocks = match self {
            Self::Aes128 => sealed::<cbc::Encryptor<aes::Aes128>>(key, vector, plain),
            Self::Aes192 => sealed::<cbc::Encryptor<aes::Aes192>>(key, vector, plain),
            Self::Aes256 => sealed::<cbc::Encryptor<aes::Aes256>>(key, vector, plain),
        }?;
        Ok([vector.as_slice(), &blocks].concat())
    }
}

fn opened<D: BlockModeDecrypt + KeyIvInit>(
    key: &[u8],
    vector: &[u8],
    blocks: &mut [u8],
) -> Option<usize> {
    let cipher = D::new_from_slices(key, vector).ok()?;
    cipher.decrypt_padded::<Pkcs7>(blocks).ok().map(<[u8]>::len)
}

fn sealed<E: BlockModeEncrypt + KeyIvInit>(
    key: &[u8],
    vector: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, InvalidLength> {
    let cipher = E::new_from_slices(key, vector)?;
    let mut blocks = vec![0; plain.len() + BLOCK];
    let length = cipher.encrypt_padded_b2b::<Pkcs7>(plain, &mut blocks);
    let length = length.map_err(|_| InvalidLength)?.len();
    blocks.truncate(length);
    Ok(blocks)
}

/// The hash function under an HMAC, of a MAC or of PBKDF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The hash function of the HMAC of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.name() == name)
    }

    /// The name of the HMAC.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
            Self::Sha256 => "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
            Self::Sha512 => "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512",
        }
    }

    /// The HMAC of `message`.
    pub(crate) fn mac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => keyed::<Sha1>(key, message).finalize().into_bytes().to_vec(),
            Self::Sha256 => keyed::<Sha256>(key, message).finalize().into_bytes().to_vec(),
            Self::Sha512 => keyed::<Sha512>(key, message).finalize().into_bytes().to_vec(),
        }
    }

    /// Whether `mac` is the HMAC of `message`, all of it; compared in constant time.
    pub(crate) fn verifies(self, key: &[u8], message: &[u8], mac: &[u8]) -> bool {
        match self {
            Self::Sha1 => keyed::<Sha1>(key, message).verify_slice(mac).is_ok(),
            Self::Sha256 => keyed::<Sha256>(key, message).verify_slice(mac).is_ok(),
            Self::Sha512 => keyed::<Sha512>(key, message).verify_slice(mac).is_ok(),
        }
    }

    /// The key of `length` bytes that PBKDF2 makes of a password.
    pub(crate) fn derived(
        self,
        password: &[u8],
        salt: &[u8],
        iterations: u32,
        length: usize,
    ) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; length]);
        match self {
            Self::Sha1 => pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut key),
            Self::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut key),
            Self::Sha512 => pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut key),
        }
        key
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length; the error is other MACs'")]
fn keyed<H: EagerHash>(key: &[u8], message: &[u8]) -> Hmac<H> {
    let mac = <Hmac<H> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.chain_update(message)
}
