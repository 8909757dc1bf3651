//! `otpctl backup`: a copy of the store as it was last committed, encrypted before it leaves the
//! process. No file is written, and a daemon goes on meanwhile.

use std::io::{self, Read, Write};

use otp_ipc::maintenance::{
    backup::{Made, Request, SECRET, SHORTEST_PASSPHRASE},
    write_frame,
};
use zeroize::Zeroizing;

use super::{
    Failure, Site,
    archive::{Archive, Header, Reader},
    frame, request,
};
use crate::{
    audit::{Journal, Origin},
    clock::{Clock, SystemClock},
    keys::{self, Keyring, Keys, Role},
    store::sqlite::{
        image::{self, Census, Image},
        lock::Lock,
    },
};

pub(super) fn run(site: &Site) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let request: Request = request(&mut input)?;
    let (credentials, file) = (site.credentials.as_deref(), site.key_file());
    let ring = site.keyring()?;
    let texts =
        if request.with_key { keys::texts(credentials, file, site.owner())? } else { vec![] };
    site.drop_privileges()?;
    let reader = reader(&request, &mut input)?;
    let _lock = Lock::shared(site.store())?;
    let image = image::copy(site.store(), site.owner())?;
    let (census, role) = proven(&image, &ring)?;
    let key = if request.with_key { Some(text(&ring, role, texts)?) } else { None };
    let made_ms = SystemClock.now_ms();
    let mut made = Made { made_ms, users: census.users, tokens: census.tokens, unrecorded: None };
    let Census { store, schema, key_version, .. } = census;
    let header = Header { store, made_ms, schema, key_version };
    let mut file = Vec::with_capacity(image.len().saturating_add(64 * 1024));
    Archive { header, key, image }.seal(reader, &mut file)?;
    made.unrecorded = record(site, &request, &made);
    let mut out = io::stdout().lock();
    write_frame(&mut out, &serde_json::to_vec(&made)?)?;
    out.write_all(&file)?;
    Ok(out.flush()?)
}

fn reader(request: &Request, input: &mut impl Read) -> Result<Reader, Failure> {
    if !request.recipients.is_empty() {
        return Ok(Reader::recipients(&request.recipients)?);
    }
    let passphrase = frame(input, SECRET)?;
    if String::from_utf8_lossy(&passphrase).chars().count() < SHORTEST_PASSPHRASE {
        return Err(format!("a passphrase has {SHORTEST_PASSPHRASE} characters or more").into());
    }
    Ok(Reader::passphrase(&passphrase)?)
}

/// What the image says of itself, once it is proven that it can be restored, and which of the keys
/// opens it: a backup of a damaged store would push those out that are of use.
fn proven(image: &[u8], ring: &Keyring) -> Result<(Census, Role), Failure> {
    let image = Image::read(image)?;
    let census = image.census()?;
    Ok((census, image.unlock(ring)?.role()))
}

/// The text of the key of that role.
fn text(
    ring: &Keyring,
    role: Role,
    texts: Vec<Zeroizing<Vec<u8>>>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let own = |text: &Zeroizing<Vec<u8>>| {
        let read = Keys::given(text, "");
        ring.get(role).zip(read.as_ref().ok()).is_some_and(|(keys, read)| keys.same(read))
    };
    let found = texts.into_iter().find(own);
    found.ok_or_else(|| "the key is being replaced at this moment; try again".into())
}

/// Records the backup in the journal, and in the store where that can be written: a disk that is
/// full or failing is a reason to back up. Says why it is not recorded there.
fn record(site: &Site, request: &Request, made: &Made) -> Option<String> {
    let mut event = Origin::default().event("backup", "ok", "", made.made_ms);
    let whom = match request.recipients.len() {
        0 => "a passphrase".to_owned(),
        1 => "one recipient".to_owned(),
        several => format!("{several} recipients"),
    };
    let key = if request.with_key { "with the key, " } else { "" };
    let Made { users, tokens, .. } = made;
    event.detail = Some(format!("{key}to {whom}: {users} users, {tokens} tokens"));
    Journal::default().write(&event);
    image::record(site.store(), site.owner(), &event).err().map(|error| error.to_string())
}
