//! The table of everything that is looked for.

use std::path::{Path, PathBuf};

use pam_stack::Place;

/// How bad a finding is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Somebody could get in without the code, or without the first factor.
    Bypass,
    /// Somebody could be kept out who may come in.
    Lockout,
    /// Something does not do what it seems to do.
    Warning,
    /// Good to know.
    Hint,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Bypass => "BYPASS",
            Self::Lockout => "LOCKOUT",
            Self::Warning => "WARNING",
            Self::Hint => "HINT",
        }
    }
}

/// Something that can be wrong.
#[derive(Debug)]
pub(crate) struct Check {
    /// Its name for programs; stable.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// Why it matters, in one sentence.
    pub(crate) why: &'static str,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) check: &'static str,
    pub(crate) file: Option<PathBuf>,
    /// From 1.
    pub(crate) line: Option<usize>,
    /// The line, or what else was found.
    pub(crate) found: String,
    pub(crate) why: String,
    /// What to do.
    pub(crate) change: String,
    /// The services that it concerns, where it is about PAM stacks.
    pub(crate) services: Vec<String>,
}

impl Check {
    /// It is wrong: what was found, and what to do.
    pub(crate) fn found(&self, found: impl Into<String>, change: impl Into<String>) -> Finding {
        Finding {
            severity: self.severity,
            check: self.id,
            file: None,
            line: None,
            found: found.into(),
            why: self.why.to_owned(),
            change: change.into(),
            services: Vec::new(),
        }
    }
}

impl Finding {
    /// In this file.
    pub(crate) fn in_file(self, file: impl AsRef<Path>) -> Self {
        Self { file: Some(file.as_ref().to_owned()), ..self }
    }

    /// At this line.
    pub(crate) fn at(self, place: &Place) -> Self {
        let line = Some(place.line).filter(|line| *line > 0);
        Self { file: Some(place.file.clone()), line, ..self }
    }

    /// With another severity than its check has.
    pub(crate) fn rated(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// For another reason than its check has.
    pub(crate) fn because(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    /// What it is.
    pub(crate) title: String,
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub(crate) unseen: Vec<String>,
}

impl Subject {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
}

macro_rules! checks {
    ($($name:ident $severity:ident $id:literal $why:literal;)*) => {
        $(pub(crate) const $name: Check =
            Check { id: $id, severity: Severity::$severity, why: $why };)*
        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[&Check] = &[$(&$name),*];
    };
}

checks! {
    PAM_REFUSED Lockout "pam-refused"
        "libpam gives up at this file: every login at the service is refused.";
    PAM_NO_WAY_IN Lockout "pam-no-way-in"
        "Nobody gets in at this service, even if password and code are right.";
    PAM_BROKEN_LINE Warning "pam-broken-line"
        "libpam cannot read this line and takes it for one that fails.";
    PAM_DIFFERS Warning "pam-differs"
        "libpam before 1.7 and later ones read this line differently.";
    PAM_ERROR_IS_SUCCESS Bypass "pam-error-is-success"
        "The login succeeds without a code.";
    PAM_NEVER_ASKED Bypass "pam-never-asked"
        "This line can end the stack with success before the code is asked for.";
    PAM_EXEMPT Hint "pam-exempt"
        "Whoever meets this condition needs no code.";
    PAM_NO_PROOF Bypass "pam-no-proof"
        "Whoever meets this condition gets in without any proof.";
    PAM_CODE_ALONE Bypass "pam-code-alone"
        "The right code lets in with a wrong password.";
    PAM_NOTHING_ASKED Bypass "pam-nothing-asked"
        "Whom the policy lets off the code gets in without any proof.";
    PAM_ISSUED_ALONE Bypass "pam-issued-alone"
        "Enter alone at the prompt gets in: no line asks for a proof.";
    PAM_LET_OFF_REFUSED Lockout "pam-let-off-refused"
        "Whom the policy lets off the code is refused: no other line says yes.";
    PAM_QUIET Warning "pam-quiet"
        "With the `-` nobody is told when the module is missing.";
    PAM_KIND Lockout "pam-kind"
        "pam_otp is of the type auth only: this line fails.";
    PAM_OPTION Lockout "pam-option"
        "With a wrong option the module fails at every login.";
    PAM_MODULE_MISSING Lockout "pam-module-missing"
        "Without the module the line fails.";
    PAM_ASKED_TWICE Warning "pam-asked-twice"
        "One login asks for two codes, and a code is good once.";
    PAM_SECOND_GUESS Bypass "pam-second-guess"
        "A code that one module refuses passes at the other, be it used before.";
    PAM_NOWHERE Bypass "pam-enrolled-nowhere"
        "Whoever has codes at neither module gets in without one.";
    PAM_OTHER_REFUSES Lockout "pam-other-refuses"
        "Whoever has a token at otpd alone is refused by the other module.";
    PAM_BESIDE Hint "pam-beside"
        "Two modules ask for codes here, each its own users.";
    PAM_NO_PASSWORD Lockout "pam-no-password"
        "use_first_pass never asks, and no line above asks for the password.";
    PAM_ISSUED Warning "pam-issued"
        "mode=issued stands in for the password and needs a way past it.";
    PAM_NULLOK Warning "pam-nullok"
        "Who is not enrolled passes only where line and policy both say so.";
    PAM_METHOD Lockout "pam-method"
        "No code is right at a line whose method does not exist or is disabled.";
    PAM_ENROL_STRANGER Bypass "pam-enrol-stranger"
        "A stranger is shown a key, and it becomes the user's token.";
    PAM_SENT_TO_STRANGER Warning "pam-sent-to-stranger"
        "Codes are sent for whoever knows a user's name.";
    PAM_SOCKET Lockout "pam-socket"
        "The module finds no daemon there and refuses every login.";
    PAM_WITHOUT_CODE Hint "pam-without-code"
        "They ask for a password and for no code, as others do.";
    PAM_SIBLING Bypass "pam-sibling"
        "The same program uses this service, and it asks for no code.";
    PAM_NO_WAY_BACK Hint "pam-no-way-back"
        "While otpd is down, not even root gets in to repair it.";
    SSHD_CONFIG Lockout "sshd-config"
        "sshd does not start with its configuration.";
    SSHD_PAM Bypass "sshd-pam"
        "Without UsePAM sshd asks for no code.";
    SSHD_WITHOUT_CODE Bypass "sshd-without-code"
        "This way in never asks PAM, and so for no code.";
    SSHD_NO_PROMPT Lockout "sshd-no-prompt"
        "Without keyboard-interactive sshd cannot ask for the code.";
    SSHD_PASSWORD Warning "sshd-password"
        "The password method answers the prompt for the code with the password.";
    SSHD_EMPTY_PASSWORD Warning "sshd-empty-password"
        "An empty password is no first factor.";
    SSHD_KEY_FIRST Bypass "sshd-key-first"
        "The stack asks for the code alone, and this way in asks for no key.";
    SSHD_UNTRIED Warning "sshd-untried"
        "This Match block changes who gets in, and how.";
    SSHD_OPTIONS Warning "sshd-options"
        "Options on the command line of sshd win over its files.";
    SSHD_ROOT Hint "sshd-root"
        "root cannot type a code at ssh unless this is `yes`.";
    SSHD_GRACE Warning "sshd-grace"
        "sshd ends the login before there was time for it.";
    SSHD_RELOAD Hint "sshd-reload"
        "sshd still runs with the settings before the last change.";
    SETUP_GONE Bypass "setup-gone"
        "A code was set up here, and the stack asks for none any more.";
    SETUP_PENDING Hint "setup-pending"
        "A setup is undone by itself unless it is kept.";
    OTPD_CONFIG Lockout "otpd-config"
        "otpd does not start with its configuration.";
    OTPD_CONFIG_WARNING Warning "otpd-config-warning"
        "otpd warns of its configuration.";
    OTPD_SOCKET Lockout "otpd-socket"
        "Logins that run as root reach otpd at this socket only.";
    OTPD_UNIT Lockout "otpd-unit"
        "Without otpd every login with a code is refused.";
    OTPD_SILENT Lockout "otpd-silent"
        "otpd does not answer, and logins with a code are refused.";
    OTPD_DEGRADED Warning "otpd-degraded"
        "otpd says that something is wrong.";
    OTPD_BUS_POLICY Warning "otpd-bus-policy"
        "Programs that are not root, and otpctl, reach otpd by this policy.";
    OTPD_POLKIT Warning "otpd-polkit"
        "Without it polkit lets nobody but root manage tokens.";
    OTPD_KEY Lockout "otpd-key"
        "otpd starts with its own key only, and with one that others cannot read.";
    OTPD_STORE Lockout "otpd-store"
        "otpd keeps its tokens there.";
    OTPD_SPACE Warning "otpd-space"
        "Where otpd cannot write, it grants no login.";
    POLICY_SKIP Warning "policy-skip"
        "This policy lets everybody off the code.";
    POLICY_DENY Lockout "policy-deny"
        "This policy denies every login, whatever code is given.";
    USERS_NONE Lockout "users-none"
        "Nobody has a token, and whoever has none is refused.";
    USERS_ADMIN Warning "users-admin"
        "Whoever administers this machine and has no token is refused.";
    USERS_RECOVERY Hint "users-recovery"
        "Without a recovery code a lost phone locks an administrator out.";
    CLOCK Warning "clock"
        "With a wrong clock the codes of authenticator apps are refused.";
}
