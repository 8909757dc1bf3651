//! What a module returns.

use std::fmt;

/// The names of libpam's return codes in controls, in their order (`pam_tokens.h`).
const NAMES: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

/// A return code of libpam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u8);

#[allow(missing_docs, reason = "the names are libpam's")]
impl Code {
    pub const SUCCESS: Self = Self(0);
    pub const SERVICE_ERR: Self = Self(3);
    pub const SYSTEM_ERR: Self = Self(4);
    pub const PERM_DENIED: Self = Self(6);
    pub const AUTH_ERR: Self = Self(7);
    pub const AUTHINFO_UNAVAIL: Self = Self(9);
    pub const USER_UNKNOWN: Self = Self(10);
    pub const MAXTRIES: Self = Self(11);
    pub const NEW_AUTHTOK_REQD: Self = Self(12);
    pub const CRED_ERR: Self = Self(17);
    pub const CONV_ERR: Self = Self(19);
    pub const IGNORE: Self = Self(25);
    pub const ABORT: Self = Self(26);
    pub const MODULE_UNKNOWN: Self = Self(28);
}

impl Code {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();

    /// All of them but `incomplete`, which no module of a login returns.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..31).map(Self)
    }

    /// libpam's number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// The name in controls, such as `auth_err`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// The code whose name `text` begins with, and what is behind it. libpam looks no further than
    /// the first name that fits.
    pub(crate) fn prefix(text: &str) -> Option<(Self, &str)> {
        (0..).zip(NAMES).find_map(|(number, name)| Some((Self(number), text.strip_prefix(name)?)))
    }

    /// Its place in a table.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of return codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Codes(u32);

impl Codes {
    /// The set of these.
    #[must_use]
    pub const fn of(codes: &[Code]) -> Self {
        let (mut set, mut rest) = (0, codes);
        while let [first, others @ ..] = rest {
            set |= 1 << first.0;
            rest = others;
        }
        Self(set)
    }

    /// Every code but `incomplete`.
    pub const ANY: Self = Self(u32::MAX >> 1);

    /// The same without the codes of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `code` is among them.
    #[must_use]
    pub const fn contains(self, code: Code) -> bool {
        self.0 & (1 << code.0) != 0
    }

    /// Those in the set.
    pub fn iter(self) -> impl Iterator<Item = Code> {
        Code::all().filter(move |code| self.contains(*code))
    }
}
