//! The key where it is a credential of the machine, sealed by systemd-creds(1).

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use otp_ipc::maintenance::rotation::KEY;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::tool::Tool;

/// Its name, which is sealed with it.
const NAME: &str = "--name=otpd.kek";
/// Where it is replaced.
pub(crate) const PLACE: &str = "/etc/credstore.encrypted/otpd.kek";
/// Where it is seen while otpd runs, and where else systemd looks for it.
const ELSEWHERE: [&str; 4] = [
    "/run/credentials/otpd.service/otpd.kek",
    "/run/credstore.encrypted/otpd.kek",
    "/usr/local/lib/credstore.encrypted/otpd.kek",
    "/usr/lib/credstore.encrypted/otpd.kek",
];

/// A key that is a credential.
pub(crate) struct KeyCredential {
    /// What systemd passes to otpd.
    pub(crate) text: Zeroizing<Vec<u8>>,
}

impl KeyCredential {
    /// The machine's, `None` where its key is a file.
    ///
    /// # Errors
    /// It cannot be opened, or does not lie where it can be replaced.
    pub(crate) fn find(verb: &str) -> Result<Option<Self>, Failure> {
        if Path::new(PLACE).exists() {
            return Ok(Some(Self { text: open(PLACE)? }));
        }
        match ELSEWHERE.into_iter().find(|place| Path::new(place).exists()) {
            None => Ok(None),
            Some(place) => Err(Failure::failed(format!(
                "{verb}: the key is a credential, {place}, and only {PLACE} can be replaced; move \
                 it there first, see otpd(8), KEY AS A CREDENTIAL"
            ))),
        }
    }

    /// Makes the key in the file `new` the credential, and keeps the present one, of version
    /// `before`. Returns the new credential's text and where the other one is kept. Where the
    /// credential is that key already, nothing is changed.
    ///
    /// # Errors
    /// The credential is the one from before then.
    pub(crate) fn replace(
        &self,
        new: &str,
        before: u32,
    ) -> Result<(Zeroizing<Vec<u8>>, Option<String>), Failure> {
        let text = read(new)?;
        if *text == *self.text {
            return Ok((text, None));
        }
        let sealed = Tool::need("systemd-creds", &["encrypt", NAME, new, "-"])?.run()?;
        let temporary = format!("{PLACE}.new");
        write(&temporary, sealed.as_bytes())?;
        // Before the only other copy goes: it opens here.
        if *open(&temporary)? != *text {
            return Err(Failure::failed(format!("{temporary}: what was sealed does not open")));
        }
        let kept = keep(before)?;
        let failed = |error| Failure::write(PLACE, &error);
        fs::rename(&temporary, PLACE).and_then(|()| sync()).map_err(failed)?;
        Ok((text, Some(kept.display().to_string())))
    }
}

/// Refuses where the machine seems to have no key only because it is a credential, which systemd
/// passes on while otpd runs: otpd would not take one that is made beside it.
///
/// # Errors
/// Where there is such a credential.
pub(crate) fn refuse_unseen(verb: &str) -> Result<(), Failure> {
    let mut places = [PLACE].into_iter().chain(ELSEWHERE);
    match places.find(|place| Path::new(place).exists()) {
        None => Ok(()),
        Some(place) => Err(Failure::failed(format!(
            "{verb}: the key is a credential, {place}, which is at hand only while otpd runs; put \
             its text where the key file is until this is done (systemd-creds decrypt {NAME} \
             {place} /etc/otpd/kek), or move it away for a new key"
        ))),
    }
}

/// Gives the present credential a second name, or finds that it has one.
fn keep(version: u32) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::write(PLACE, &error);
    let present = fs::metadata(PLACE).map_err(failed)?.ino();
    let mut version = version;
    loop {
        let kept = PathBuf::from(format!("{PLACE}.{version}"));
        match fs::hard_link(PLACE, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            Err(_) if fs::metadata(&kept).map_err(failed)?.ino() == present => return Ok(kept),
            Err(_) => version = version.saturating_add(1),
        }
    }
}

/// What a sealed credential holds.
fn open(place: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Tool::need("systemd-creds", &["decrypt", NAME, place, "-"])?.run_secret(KEY)
}

fn read(place: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::write(place, &error);
    // Room enough that nothing is copied while it is read.
    let mut text = Zeroizing::new(Vec::with_capacity(KEY as usize));
    File::open(place).map_err(failed)?.take(KEY).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Writes a file of root's anew, on the disk when this returns.
fn write(place: &str, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::write(place, &error);
    match fs::remove_file(place) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(place);
    let mut file = file.map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

fn sync() -> std::io::Result<()> {
    File::open(Path::new(PLACE).parent().unwrap_or(Path::new("/")))?.sync_all()
}
