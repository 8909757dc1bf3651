//! How a setup is taken back: byte for byte where nobody has touched its files since, else line by
//! line. Whatever has been done already is no obstacle, so it can be begun again at any point.

use std::path::Path;

use super::file;
use super::marks;
use super::sshd;
use super::stack::First;
use super::state::{Place, Setup};
use crate::failure::Failure;
use crate::tool::Tool;

/// How a file stands to what setup has recorded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// As setup found it.
    Before,
    /// As setup made it.
    After,
    /// Somebody has changed it since.
    Edited,
}

/// Takes a setup back, all of it even where a file fails. Tells what could not be restored byte for
/// byte; where the person need not know, nothing.
pub(super) fn undo(setup: &Setup) -> Result<Vec<String>, Failure> {
    let mut done = Done::default();
    if let Some(switch) = &setup.record.authselect {
        done.add(switch.undo().map(|()| None));
    }
    let by_program = setup.record.otherwise.as_ref().filter(|_| shared_is_edited(setup));
    if let Some(command) = by_program {
        let note = format!("changed by others since; taken out by {}", command.join(" "));
        done.add(Tool::of(command).and_then(|tool| tool.run()).map(|_| Some(note)));
    }
    for (n, place) in setup.record.files.iter().enumerate().rev() {
        if by_program.is_some() && is_shared(&place.path) {
            continue;
        }
        // The code alone must not let in: the key is asked for until the password is.
        let key_first = setup.record.sshd == Some(First::Key);
        if done.failed.is_some() && key_first && sshd::is_drop_in(&place.path) {
            continue;
        }
        done.add(take_back(setup, n, place));
    }
    match done.failed {
        None => Ok(done.told),
        Some(failure) => Err(failure.and(format!(
            "the files as they were are in {}, as N.before; `otpctl setup --undo` tries again",
            setup.folder.display()
        ))),
    }
}

/// What came of the steps so far.
#[derive(Default)]
struct Done {
    told: Vec<String>,
    failed: Option<Failure>,
}

impl Done {
    fn add(&mut self, step: Result<Option<String>, Failure>) {
        match step {
            Ok(note) => self.told.extend(note),
            Err(error) => {
                self.failed = Some(match self.failed.take() {
                    Some(first) => first.and(error.message),
                    None => error,
                });
            }
        }
    }
}

/// Whether a file is one that pam-auth-update writes.
pub(super) fn is_shared(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.starts_with("/var/lib/pam")
        || (path.parent() == Some(Path::new("/etc/pam.d")) && name.starts_with("common-"))
}

/// Whether somebody has changed one of them; one that cannot be read tells so when it is taken back.
fn shared_is_edited(setup: &Setup) -> bool {
    let mut shared = setup.record.files.iter().enumerate().filter(|(_, p)| is_shared(&p.path));
    shared.any(|(n, place)| stand(setup, n, place).is_ok_and(|stand| stand == Stand::Edited))
}

/// How file number `n` stands. A copy that is missing stands for nothing but a file that was not
/// there.
pub(super) fn stand(setup: &Setup, n: usize, place: &Place) -> Result<Stand, Failure> {
    let now = file::read(&place.path)?;
    let (before, after) = (file::read(&setup.before(n))?, file::read(&setup.after(n))?);
    Ok(if now == before && before.is_some() == place.before {
        Stand::Before
    } else if now == after && after.is_some() == place.after {
        Stand::After
    } else {
        Stand::Edited
    })
}

fn take_back(setup: &Setup, n: usize, place: &Place) -> Result<Option<String>, Failure> {
    let shown = place.path.display();
    let stand = stand(setup, n, place)?;
    file::clear(&place.path)?;
    match stand {
        Stand::Before => Ok(None),
        Stand::After => {
            let before = setup.before(n);
            match file::read(&before)? {
                Some(content) => file::write(&place.path, &content, Some(&before))?,
                None if place.before => {
                    return Err(Failure::failed(format!(
                        "{}: is missing, so {shown} cannot be put back; take what setup has put in \
                         out of it by hand",
                        before.display()
                    )));
                }
                None => file::remove(&place.path)?,
            }
            Ok(None)
        }
        Stand::Edited => {
            let Some(text) = file::read_text(&place.path)? else {
                return Ok(Some(format!("{shown}: was removed since; left so")));
            };
            let after = file::read_text(&setup.after(n))?.unwrap_or_default();
            let own = !place.before && !marks::any(&text);
            let rest = if own { without(&text, &after) } else { marks::restored(&text) };
            if own && is_empty(&rest) {
                file::remove(&place.path)?;
            } else {
                file::write(&place.path, rest.as_bytes(), Some(&place.path))?;
            }
            Ok(Some(format!("{shown}: was edited since; only the lines of setup are taken out")))
        }
    }
}

/// The text without the lines that setup has written into a file of its own.
fn without(text: &str, ours: &str) -> String {
    let ours: Vec<_> = ours.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    text.split_inclusive('\n').filter(|line| !ours.contains(&line.trim())).collect()
}

fn is_empty(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// Takes out by their marks what no record tells of. Whether there was anything.
pub(super) fn by_marks(path: &Path) -> Result<bool, Failure> {
    let Some(text) = file::read_text(path)? else { return Ok(false) };
    let marked = marks::any(&text);
    if marked {
        file::write(path, marks::restored(&text).as_bytes(), Some(path))?;
    }
    Ok(marked)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::state::Record;
    use super::*;

    /// A setup of one file.
    fn setup(folder: &Path, before: bool) -> Setup {
        let path = folder.join("sudo");
        let record = Record {
            id: "1".to_owned(),
            service: "sudo".to_owned(),
            request: "sudo".to_owned(),
            begun: 0,
            undo_at: 0,
            sshd: None,
            otherwise: None,
            authselect: None,
            files: vec![Place { path, before, after: true }],
        };
        Setup { folder: folder.to_owned(), record }
    }

    #[test]
    fn a_file_whose_copy_is_missing_is_not_taken_away() {
        for (there, now, copy, left) in [
            (true, "new", Some("old"), Some("old")),
            (true, "new", None, Some("new")),
            (true, "old", Some("old"), Some("old")),
            (false, "new", None, None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let setup = setup(folder.path(), there);
            fs::write(folder.path().join("sudo"), now).unwrap();
            fs::write(setup.after(0), "new").unwrap();
            if let Some(copy) = copy {
                fs::write(setup.before(0), copy).unwrap();
            }
            let undone = undo(&setup);
            assert_eq!(undone.is_err(), there && copy.is_none(), "{undone:?}");
            let path = folder.path().join("sudo");
            assert_eq!(file::read_text(&path).unwrap().as_deref(), left, "{now} {copy:?}");
        }
    }

    #[test]
    fn what_pam_auth_update_writes_is_known() {
        for (path, shared) in [
            ("/etc/pam.d/common-auth", true),
            ("/var/lib/pam/auth", true),
            ("/etc/pam.d/sshd", false),
            ("/etc/ssh/sshd_config.d/00-otpd.conf", false),
        ] {
            assert_eq!(is_shared(Path::new(path)), shared, "{path}");
        }
    }
}
