//! Every service at once where authselect writes the stacks: a feature of a profile of the site's
//! own, made from the one that is selected.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::tool::Tool;

const FEATURE: &str = "with-otp";
const PROFILE: &str = "custom/otp";
const FOLDER: &str = "/etc/authselect/custom/otp";
/// Makes the profile from another one, or refuses where a code cannot be asked for safely.
const MAKER: &str = "/usr/libexec/pam_otp/authselect-profile";

/// From what is selected to the same with codes, and back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Switch {
    /// What `authselect current --raw` printed before.
    pub(super) selected: Vec<String>,
    /// The selected profile has the feature; else one is made from it.
    has_feature: bool,
    nullok: bool,
}

/// What has to be done; `None` where the feature is on.
pub(super) fn plan(nullok: bool) -> Result<Option<Switch>, Failure> {
    let selected = run(&["current", "--raw"]).map_err(|failure| {
        failure.and("/etc/pam.d/system-auth is not authselect's; set up single services")
    })?;
    run(&["check"]).map_err(|failure| failure.and("somebody has edited its files"))?;
    let selected: Vec<_> = selected.split_whitespace().map(str::to_owned).collect();
    let Some(profile) = selected.first() else {
        return Err(Failure::failed("authselect current: no profile is selected"));
    };
    if selected.iter().any(|feature| feature == FEATURE) {
        return Ok(None);
    }
    let has_feature = run(&["list-features", profile])?.lines().any(|line| line.trim() == FEATURE);
    if has_feature && nullok {
        return Err(Failure::usage(format!(
            "--nullok: the profile {profile} has the feature {FEATURE} already; write nullok there"
        )));
    }
    if !has_feature && !Path::new(MAKER).exists() {
        return Err(Failure::failed(format!("{MAKER}: is not there; install the package pam_otp")));
    }
    if !has_feature {
        refuse_other_profile()?;
    }
    Ok(Some(Switch { selected, has_feature, nullok }))
}

impl Switch {
    /// What is going to be run, for the person.
    pub(super) fn shown(&self) -> String {
        if self.has_feature {
            return format!("authselect enable-feature {FEATURE}\n");
        }
        let profile = self.selected.first().map_or("", String::as_str);
        let nullok = if self.nullok { "--nullok " } else { "" };
        format!("{MAKER} {nullok}{profile}\nauthselect select {PROFILE} … {FEATURE}\n")
    }

    /// That nobody has selected or made anything since.
    pub(super) fn unchanged(&self) -> Result<(), Failure> {
        let now = run(&["current", "--raw"])?;
        if !now.split_whitespace().eq(self.selected.iter().map(String::as_str)) {
            return Err(Failure::failed(format!(
                "authselect: {} was selected just now; nothing was changed, try again",
                now.trim()
            )));
        }
        if self.has_feature { Ok(()) } else { refuse_other_profile() }
    }

    pub(super) fn apply(&self) -> Result<(), Failure> {
        if self.has_feature {
            return run(&["enable-feature", FEATURE]).map(drop);
        }
        let Some((profile, features)) = self.selected.split_first() else { return Ok(()) };
        refuse_other_profile()?;
        let nullok: &[&str] = if self.nullok { &["--nullok"] } else { &[] };
        Tool::need(MAKER, &[nullok, &[profile.as_str()]].concat())?.run()?;
        let features = features.iter().map(String::as_str);
        let select: Vec<_> = ["select", PROFILE]
            .into_iter()
            .chain(features)
            .chain([FEATURE, "--nobackup"])
            .collect();
        run(&select).map(drop)
    }

    /// Whether the feature is on, and the files are authselect's.
    pub(super) fn stands(&self) -> Result<bool, Failure> {
        let now = run(&["current", "--raw"])?;
        Ok(now.split_whitespace().any(|word| word == FEATURE) && run(&["check"]).is_ok())
    }

    /// Back to what was selected, from wherever it stands.
    pub(super) fn undo(&self) -> Result<(), Failure> {
        let now = run(&["current", "--raw"])?;
        let ours = now.split_whitespace().any(|word| word == FEATURE || word == PROFILE);
        if ours && self.has_feature {
            run(&["disable-feature", FEATURE])?;
        } else if ours {
            let selected = self.selected.iter().map(String::as_str);
            let select: Vec<_> =
                std::iter::once("select").chain(selected).chain(["--nobackup"]).collect();
            run(&select)?;
        }
        if self.has_feature { Ok(()) } else { remove_profile() }
    }
}

/// Takes the feature out where no record tells how it came there. Whether it was there.
pub(super) fn disable() -> Result<bool, Failure> {
    if Tool::find("authselect", &[]).is_none() {
        return Ok(false);
    }
    let now = run(&["current", "--raw"]).unwrap_or_default();
    let there = now.split_whitespace().any(|word| word == FEATURE);
    if there {
        run(&["disable-feature", FEATURE])?;
    }
    Ok(there)
}

/// A profile that setup has made goes with it; one that is there is somebody else's.
fn refuse_other_profile() -> Result<(), Failure> {
    match fs::symlink_metadata(FOLDER) {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::failed(format!(
            "{FOLDER}: is there already, and not by a setup of now; select it, or take it away"
        ))),
    }
}

fn remove_profile() -> Result<(), Failure> {
    match fs::remove_dir_all(FOLDER) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::write(FOLDER, &error))
        }
        _ => Ok(()),
    }
}

fn run(arguments: &[&str]) -> Result<String, Failure> {
    Tool::need("authselect", arguments)?.run()
}
