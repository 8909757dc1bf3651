//! The modules for one-time codes that users move from: Debian's, and what they keep.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
};

use crate::{
    code::Token,
    process::{command, command_as, run},
};

/// Where pam_oath keeps its users.
pub const USERS_OATH: &str = "/etc/users.oath";

/// A module that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// pam_google_authenticator, with a file in each user's home.
    GoogleAuthenticator,
    /// pam_oath, with a file for all users.
    Oath,
}

impl Other {
    /// Both.
    pub const ALL: [Self; 2] = [Self::GoogleAuthenticator, Self::Oath];

    /// The module and its arguments; its prompt is told from pam_otp's by `code of another`.
    pub fn module(self) -> &'static str {
        match self {
            Self::GoogleAuthenticator => {
                "pam_google_authenticator.so [authtok_prompt=Code of another: ]"
            }
            Self::Oath => "pam_oath.so usersfile=/etc/users.oath window=3",
        }
    }

    /// Whether a prompt is this module's.
    pub fn asks(self, prompt: &str) -> bool {
        prompt.contains(match self {
            Self::GoogleAuthenticator => "Code of another",
            Self::Oath => "One-time password (OATH)",
        })
    }

    /// Has the module know a user with a counter token, whose code of `counter`, at least 1, is the
    /// next.
    pub fn put(self, user: &str, token: &Token, counter: u64) {
        match self {
            Self::GoogleAuthenticator => {
                let key = &token.secret;
                own(user, &format!("{key}\n\" HOTP_COUNTER {counter}\n"));
            }
            Self::Oath => {
                let others = fs::read_to_string(USERS_OATH).unwrap_or_default();
                let others =
                    others.lines().filter(|line| line.split_whitespace().nth(1) != Some(user));
                let others: String = others.map(|line| format!("{line}\n")).collect();
                let line = format!("HOTP/E {user} - {} {counter}\n", hex(token));
                fs::write(USERS_OATH, others + &line).unwrap();
                fs::set_permissions(USERS_OATH, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}

/// The file of pam_google_authenticator that a user has.
pub fn secret_file(user: &str) -> String {
    format!("/home/{user}/.google_authenticator")
}

/// Gives a user a file of pam_google_authenticator, and a home for it.
fn own(user: &str, text: &str) {
    let (id, file) = (home(user), secret_file(user));
    let _ = fs::remove_file(&file);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&file, Some(id), Some(id)).unwrap();
}

/// Gives a user a home, where there is none; the user's id.
fn home(user: &str) -> u32 {
    let id = run(command("id").args(["-u", user]), b"").ok().trim().parse().unwrap();
    let home = format!("/home/{user}");
    fs::create_dir_all(&home).unwrap();
    chown(&home, Some(id), Some(id)).unwrap();
    id
}

/// What `google-authenticator` has made for a user.
#[derive(Debug)]
pub struct Made {
    /// Whose it is.
    pub user: String,
    /// The key, and whether it is a counter's.
    pub token: Token,
    /// Codes that are good once.
    pub scratch: Vec<String>,
}

/// Has a user run `google-authenticator` with these options, and five scratch codes.
pub fn google_authenticator(user: &str, options: &[&str]) -> Made {
    home(user);
    let home = format!("HOME=/home/{user}");
    let program = ["env", &home, "google-authenticator", "-q", "-f", "-C", "-Q", "NONE", "-e", "5"];
    run(&mut command_as(user, &[&program, options].concat()), b"").ok();
    let text = fs::read_to_string(secret_file(user)).unwrap();
    let kind = if text.contains("HOTP_COUNTER") { "hotp" } else { "totp" };
    let token = Token::of_key(kind, text.lines().next().unwrap());
    let scratch = text.lines().skip(1).filter(|line| line.len() == 8).map(str::to_owned).collect();
    Made { user: user.to_owned(), token, scratch }
}

/// The key of a token as hexadecimal digits, as oathtool has it.
pub fn hex(token: &Token) -> String {
    let mut oathtool = command("oathtool");
    let told = run(oathtool.args(["-v", "-b", "-"]), token.secret.as_bytes()).ok();
    let line = told.lines().find_map(|line| line.strip_prefix("Hex secret: "));
    line.expect("oathtool tells the key").to_owned()
}

/// Runs a script by Debian's Python, which has the libraries for PSKC and for codes; what it prints.
pub fn python(script: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut python = command("/usr/bin/python3");
    run(python.args(["-c", script]).args(arguments), input).ok()
}
