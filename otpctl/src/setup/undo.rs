//! How a setup is taken back: byte for byte where nobody has touched its files since, else line by
//! line. Whatever has been done already is no obstacle, so it can be begun again at any point.

use std::path::Path;

use super::file;
use super::marks;
use super::state::{Place, Setup};
use super::tool::Tool;
use crate::failure::Failure;

/// How a file stands to what setup has recorded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
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
    if let Some(switch) = &setup.record.authselect {
        switch.undo()?;
    }
    let mut stands = Vec::new();
    for (n, place) in setup.record.files.iter().enumerate() {
        stands.push(stand(setup, n, place)?);
    }
    if let Some(command) = &setup.record.otherwise
        && stands.contains(&Stand::Edited)
    {
        Tool::of(command)?.run()?;
        return Ok(vec![format!("changed by others since; taken out by {}", command.join(" "))]);
    }
    let (mut told, mut failed) = (Vec::new(), None::<Failure>);
    let files = setup.record.files.iter().enumerate().zip(stands).rev();
    for ((n, place), stand) in files {
        match take_back(setup, n, place, stand) {
            Ok(note) => told.extend(note),
            Err(error) => {
                failed = Some(match failed {
                    Some(first) => first.and(error.message),
                    None => error,
                });
            }
        }
    }
    match failed {
        None => Ok(told),
        Some(failure) => Err(failure.and(format!(
            "the files as they were are in {}, as N.before; `otpctl setup --undo` tries again",
            setup.folder.display()
        ))),
    }
}

fn stand(setup: &Setup, n: usize, place: &Place) -> Result<Stand, Failure> {
    let now = file::read(&place.path)?;
    Ok(if now == file::read(&setup.before(n))? {
        Stand::Before
    } else if now == file::read(&setup.after(n))? {
        Stand::After
    } else {
        Stand::Edited
    })
}

fn take_back(
    setup: &Setup,
    n: usize,
    place: &Place,
    stand: Stand,
) -> Result<Option<String>, Failure> {
    let shown = place.path.display();
    file::clear(&place.path)?;
    match stand {
        Stand::Before => Ok(None),
        Stand::After => {
            let before = setup.before(n);
            match file::read(&before)? {
                Some(content) => file::write(&place.path, &content, Some(&before))?,
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
