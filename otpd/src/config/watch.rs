//! Whether the files of the configuration have changed since they were read.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::file::is_drop_in;

/// What the configuration's files and folders look like from outside, without their contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    looks: BTreeMap<PathBuf, Option<Look>>,
    /// Some of them cannot be looked at.
    hidden: bool,
}

/// One file, whatever its name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    size: u64,
    /// Mode, owner and group: they decide whether the file counts.
    access: (u32, u32, u32),
    /// Of the contents and of all of the above, in seconds and nanoseconds.
    times: [(i64, i64); 2],
}

impl Stamp {
    /// Of the files that [`super::Config::load`] reads for `main`, and of their folders.
    #[must_use]
    pub fn of(main: &Path) -> Self {
        let folder = main.with_extension("d");
        let mut paths = vec![main.to_owned(), folder.clone()];
        paths.extend(main.parent().map(Path::to_owned));
        let mut stamp = Self::default();
        let entries = stamp.seen(fs::read_dir(&folder)).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| entry.path()).filter(|path| is_drop_in(path)));
        for path in paths {
            let look = stamp.seen(fs::metadata(&path)).map(|metadata| look(&metadata));
            stamp.looks.insert(path, look);
        }
        stamp
    }

    fn seen<T>(&mut self, found: io::Result<T>) -> Option<T> {
        let hidden = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        self.hidden |= found.as_ref().is_err_and(hidden);
        found.ok()
    }
}

fn look(metadata: &Metadata) -> Look {
    // A folder changes with every file that an editor puts there for itself.
    let times = if metadata.is_dir() {
        [(0, 0); 2]
    } else {
        [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())]
    };
    Look {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: if metadata.is_dir() { 0 } else { metadata.size() },
        access: (metadata.mode(), metadata.uid(), metadata.gid()),
        times,
    }
}

/// Notices changes, once each and only when they have come to rest.
#[derive(Debug)]
pub struct Watch {
    /// As they were when they were last read, well or not.
    read: Stamp,
    /// As they were when they were last looked at.
    seen: Stamp,
}

impl Watch {
    /// Begins with the files that were read.
    #[must_use]
    pub fn new(read: Stamp) -> Self {
        Self { seen: read.clone(), read }
    }

    /// Notes that they are read as they look now.
    pub fn reads(&mut self, now: Stamp) {
        self.read = now;
    }

    /// Whether they have changed since they were read and look as they did when last asked: whoever
    /// writes them has come to an end. Never where the daemon's user may not look at them: it could
    /// not read them either.
    pub fn settled(&mut self, now: Stamp) -> bool {
        if now.hidden {
            return false;
        }
        let rests = self.seen == now;
        let changed = self.read != now;
        self.seen = now;
        rests && changed
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn g14_every_change_of_a_file_is_seen_once_it_rests() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("otpd.toml");
        let at = |name: &str| folder.path().join(name);
        fs::write(&main, "a").unwrap();
        fs::create_dir(at("otpd.d")).unwrap();
        let mut watch = Watch::new(Stamp::of(&main));
        let look = |watch: &mut Watch| watch.settled(Stamp::of(&main));
        assert!(!look(&mut watch) && !look(&mut watch), "nothing has changed");
        fs::write(at("otpd.d/1.toml"), "x").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let deeds: [&dyn Fn(); 8] = [
            &|| fs::write(&main, "longer").unwrap(),
            &|| fs::write(&main, "as long").unwrap(),
            &|| mode(&main, 0o600),
            &|| fs::write(at("otpd.d/2.toml"), "x").unwrap(),
            &|| fs::rename(at("otpd.d/2.toml"), at("otpd.d/1.toml")).unwrap(),
            &|| fs::remove_file(at("otpd.d/1.toml")).unwrap(),
            &|| mode(&at("otpd.d"), 0o777),
            &|| fs::remove_file(&main).unwrap(),
        ];
        watch.reads(Stamp::of(&main));
        look(&mut watch);
        for (n, deed) in deeds.iter().enumerate() {
            deed();
            assert!(!look(&mut watch), "{n}: it may still be written");
            assert!(look(&mut watch), "{n}: it rests");
            watch.reads(Stamp::of(&main));
            assert!(!look(&mut watch) && !look(&mut watch), "{n}: it was read");
        }
        // What is not read does not matter.
        fs::write(at("otpd.d/.2.toml.swp"), "x").unwrap();
        fs::write(at("notes"), "x").unwrap();
        assert!(!look(&mut watch) && !look(&mut watch));
        // What the daemon's user, unlike root, cannot look at has not changed for it.
        fs::write(&main, "hidden").unwrap();
        for _ in 0..2 {
            assert!(!watch.settled(Stamp { hidden: true, ..Stamp::of(&main) }));
        }
        watch.reads(Stamp::of(&main));
        // What goes on changing is not read.
        for text in ["1", "22", "333"] {
            fs::write(&main, text).unwrap();
            assert!(!look(&mut watch));
        }
        assert!(look(&mut watch));
    }
}
