//! What modules are for, and what they can return to `pam_authenticate`.

use std::path::Path;

use crate::question::{FAILED, Other};
use crate::{Code, Codes, Entry, Line};

/// What a module line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// pam_otp.
    Code(Mode),
    /// Asks for a proof of who logs in: a password, a key, a finger.
    First,
    /// Asks for a one-time code as well, and knows nothing of otpd.
    OtherCode,
    /// Tells something about the login that nobody has to prove: who it is for, from where, when.
    Condition,
    /// Returns only these, whatever is typed.
    Fixed(Codes),
    /// Does something else, which can fail.
    Aside,
    /// Nobody here knows.
    Unknown,
}

/// What a line of pam_otp asks for: its last `mode=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A second factor.
    Second,
    /// Nothing: it sends a code and refuses.
    Challenge,
    /// A code in place of the password.
    Issued,
}

/// Modules that ask for a password.
const PASSWORD: &[&str] = &[
    "pam_unix",
    "pam_unix_auth",
    "pam_sss",
    "pam_krb5",
    "pam_ldap",
    "pam_ldapd",
    "pam_winbind",
    "pam_kanidm",
    "pam_himmelblau",
    "pam_systemd_home",
    "pam_userdb",
    "pam_pwdfile",
    "pam_mysql",
    "pam_pgsql",
    "pam_radius_auth",
    "pam_tacplus",
    "pam_ecryptfs",
    "pam_pkcs11",
    "pam_ssh",
];

/// Modules that ask for another proof.
const PROOF: &[&str] = &[
    "pam_sss_gss",
    "pam_u2f",
    "pam_fprintd",
    "pam_howdy",
    "pam_p11",
    "pam_ssh_agent_auth",
    "pam_yubico",
    "pam_duo",
    "pam_usb",
    "pam_timestamp",
];

/// Modules for the codes of apps and counter tokens, beside which pam_otp may run for a time.
const OTHER_CODE: &[&str] = &["pam_google_authenticator", "pam_oath"];

/// Modules that only look at the login.
const CONDITION: &[&str] = &[
    "pam_rootok",
    "pam_succeed_if",
    "pam_access",
    "pam_time",
    "pam_listfile",
    "pam_wheel",
    "pam_localuser",
    "pam_usertype",
    "pam_shells",
    "pam_securetty",
    "pam_rhosts",
    "pam_sepermit",
    "pam_exec",
    "pam_ssh_user_auth",
];

/// Modules that do something beside the question who it is.
const ASIDE: &[&str] = &[
    "pam_cap",
    "pam_faillock",
    "pam_gnome_keyring",
    "pam_kwallet",
    "pam_kwallet5",
    "pam_mount",
    "pam_tally",
    "pam_tally2",
    "pam_abl",
    "pam_script",
    "pam_cifscreds",
    "pam_echo",
    "pam_issue",
    "pam_ftp",
    "pam_canonicalize_user",
    "pam_selinux",
    "pam_mail",
    "pam_systemd_loadkey",
];

/// Modules whose answer is known.
const FIXED: &[(&str, Codes)] = &[
    ("pam_permit", Codes::of(&[Code::SUCCESS])),
    ("pam_deny", Codes::of(&[Code::AUTH_ERR])),
    ("pam_env", Codes::of(&[Code::IGNORE])),
    ("pam_faildelay", Codes::of(&[Code::IGNORE])),
    ("pam_warn", Codes::of(&[Code::IGNORE])),
    ("pam_group", Codes::of(&[Code::IGNORE])),
    ("pam_keyinit", Codes::of(&[Code::IGNORE])),
    ("pam_nologin", Codes::of(&[Code::IGNORE, Code::SUCCESS])),
];

impl Line {
    /// The name of its module without folders and ending, such as `pam_unix`; empty without one.
    #[must_use]
    pub fn module(&self) -> &str {
        match &self.entry {
            Entry::Module { path, .. } => {
                Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
            }
            _ => "",
        }
    }

    /// The arguments of its module.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        match &self.entry {
            Entry::Module { arguments, .. } => arguments,
            _ => &[],
        }
    }

    /// The value of the last argument `NAME=…`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.arguments().iter().rev();
        values.find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether one of the arguments is this.
    #[must_use]
    pub fn has(&self, argument: &str) -> bool {
        self.arguments().iter().any(|given| given == argument)
    }

    /// Whether its module asks for a password.
    #[must_use]
    pub fn asks_password(&self) -> bool {
        PASSWORD.contains(&self.module())
    }

    /// Whether its module is told to return PAM_IGNORE for some users.
    pub(crate) fn may_be_ignored(&self) -> bool {
        let mut arguments = self.arguments().iter();
        arguments.any(|argument| argument.starts_with("ignore_") || argument == "nouserok")
    }

    /// What it returns as a module for one-time codes that is not pam_otp. A user whom it does not
    /// know pam_oath tells from a wrong code, and pam_google_authenticator only with `nullok`.
    pub(crate) fn other(&self, other: Other) -> Codes {
        const WRONG: Codes = Codes::of(&[Code::AUTH_ERR]);
        let oath = self.module() == "pam_oath";
        let absent = match () {
            () if oath => Codes::of(&[Code::USER_UNKNOWN]),
            () if self.has("nullok") => Codes::of(&[Code::IGNORE]),
            () => WRONG,
        };
        match other {
            _ if oath && self.has("alwaysok") => Codes::of(&[Code::SUCCESS]),
            Other::Right => Codes::of(&[Code::SUCCESS]),
            Other::Wrong => WRONG,
            Other::Absent => absent,
            Other::NotRight => FAILED.and(absent),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> Role {
        let module = self.module();
        let in_table = |table: &[&str]| table.contains(&module);
        match &self.entry {
            Entry::Broken(_) => Role::Fixed(Codes::of(&[Code::PERM_DENIED])),
            Entry::Substack(_) => Role::Fixed(Codes::default()),
            Entry::Module { .. } if module == "pam_otp" => Role::Code(match self.value("mode") {
                Some("issued") => Mode::Issued,
                Some("challenge") => Mode::Challenge,
                _ => Mode::Second,
            }),
            Entry::Module { .. } => match FIXED.iter().find(|(name, _)| *name == module) {
                Some((_, codes)) => Role::Fixed(*codes),
                None if in_table(PASSWORD) || in_table(PROOF) => Role::First,
                None if in_table(OTHER_CODE) => Role::OtherCode,
                None if in_table(CONDITION) => Role::Condition,
                None if in_table(ASIDE) => Role::Aside,
                None => Role::Unknown,
            },
        }
    }
}
