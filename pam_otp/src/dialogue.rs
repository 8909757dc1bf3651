//! One login as a conversation: the daemon says what to ask, the person answers, the daemon decides.
//!
//! # Password and code in one field
//!
//! With `use_first_pass`, `try_first_pass` or `forward_pass` the daemon is told so, and its prompt
//! says how many digits at the end of the field are the code (`split`), if the policy allows the
//! field at all (`concatenate = true`). What precedes them is the password. It goes to the next
//! module as `PAM_AUTHTOK` and nowhere else; the daemon gets the digits only, and nothing where the
//! field does not end in that many digits. A recovery code is typed at a prompt of its own.
//!
//! | option | the field is | the password is forwarded |
//! |---|---|---|
//! | `use_first_pass` | `PAM_AUTHTOK`; the person is never asked | always |
//! | `try_first_pass` | `PAM_AUTHTOK`; where it ends in no code, or in a wrong one, the person is asked | when the code was right |
//! | `forward_pass` | asked for, in the daemon's words (`combined`) | always |
//!
//! `forward_pass` together with one of the others says what the person is asked for when they are
//! asked. "Always" means whether the code is right or wrong, so that the time which the next module
//! takes tells nobody which of the two was wrong. As with `google-authenticator-libpam`, whose words
//! these are, a password that happens to end in digits costs `try_first_pass` a failed attempt,
//! which the following success clears; unlike there, the split is the daemon's, every one of the
//! three splits, and no length is guessed.
//!
//! A program with a single field cannot be sent a code at its prompt. `mode=challenge`, on a line of
//! its own that is reached only after the right password, sends one, says so and denies: the next
//! login has password and code in the field.
//!
//! Where the policy does not allow the field, `use_first_pass` is denied, with a line in the log, and
//! the other two ask for the code alone.

use otp_ipc::{Context, Step, StepKind, limits};
use zeroize::Zeroizing;

use crate::{
    args::{FirstPass, Options},
    host::{Host, Item, Priority, host_text, prompt_text},
    outcome::Outcome,
};

/// What the person is asked for with `forward_pass` where the daemon does not say it; the words of
/// google-authenticator-libpam.
const COMBINED: &str = "Password & verification code: ";
/// The mode in which a code is sent for the next login.
const CHALLENGE: &str = "challenge";
/// Most steps of one login: more than any login has, and an end where a daemon knows none.
const STEPS: usize = 16;

/// Most lines of one notice; more are left out.
const LINES: usize = 64;

/// The daemon, as one login sees it. What goes wrong is told to the administrator.
pub(crate) trait Daemon {
    /// Begins a login: the session and its first step.
    fn begin(&mut self, user: &str, context: &Context) -> Result<(String, Step), String>;
    /// Answers the session's prompt.
    fn respond(&mut self, session: &str, reply: &[u8]) -> Result<Step, String>;
}

/// Holds one login between `host` and `daemon` and tells how it ended. It returns
/// [`Outcome::Granted`] and [`Outcome::NotRequired`] only on the daemon's word for the very user
/// that PAM knows, at the end as at the beginning.
pub(crate) fn drive(host: &mut impl Host, daemon: &mut impl Daemon, options: &Options) -> Outcome {
    let Some(user) = host.user() else { return Outcome::Conversation };
    let context = context(host, options);
    let mut login = Login {
        host,
        daemon,
        options,
        first_pass: options.first_pass,
        tried: None,
        forwarded: false,
    };
    let outcome = match std::str::from_utf8(&user) {
        Ok(name) if name.len() <= limits::USER_NAME => login.run(name, &context),
        // The daemon prompts for a name that nobody can have, as for any other, and denies it.
        _ => {
            let stand_in = host_text(&[b"\\", user.as_slice()].concat(), limits::USER_NAME);
            match login.run(&stand_in, &context) {
                Outcome::Granted | Outcome::NotRequired => Outcome::Denied,
                outcome => outcome,
            }
        }
    };
    if host.item(Item::User).as_deref() != Some(user.as_slice()) {
        host.log(Priority::Error, "PAM_USER was changed during the login; denied");
        return Outcome::Denied;
    }
    outcome
}

/// What the login brings along. Values are cut to the contract's length.
fn context(host: &mut impl Host, options: &Options) -> Context {
    let text = |bytes: Option<Vec<u8>>| bytes.map(|b| host_text(&b, limits::CONTEXT_ITEM));
    let info = host.env(c"SSH_AUTH_INFO_0");
    let methods = info.as_deref().map(completed_methods);
    Context {
        service: text(host.item(Item::Service)),
        rhost: text(host.item(Item::Rhost)),
        ruser: text(host.item(Item::Ruser)),
        tty: text(host.item(Item::Tty)),
        ssh_connection: text(host.env(c"SSH_CONNECTION")),
        ssh_auth_info: text(methods),
        language: text(language(host)),
        ssh_key: info.as_deref().and_then(accepted_key),
        method: options.method.clone(),
        mode: options.mode.clone(),
        nullok: options.nullok.then_some(true),
        concatenated: options.concatenated().then_some(true),
        silent: options.no_warn.then_some(true),
    }
}

/// The language of the session, from the PAM environment: what is set and not empty of the locale's
/// variables in their order, and of the list in LANGUAGE the first.
fn language(host: &mut impl Host) -> Option<Vec<u8>> {
    let set = |value: &Vec<u8>| !value.is_empty();
    [c"LC_ALL", c"LC_MESSAGES", c"LANG"]
        .into_iter()
        .find_map(|name| host.env(name).filter(set))
        .or_else(|| {
            let list = host.env(c"LANGUAGE")?;
            list.split(|byte| *byte == b':').next().map(<[u8]>::to_vec).filter(set)
        })
}

/// The names of the methods in SSH_AUTH_INFO_0, separated by commas. Each of its lines begins with
/// one; the keys that follow would fill the space before all names are told.
fn completed_methods(info: &[u8]) -> Vec<u8> {
    let lines = info.split(|byte| *byte == b'\n');
    let names = lines.filter_map(|line| line.split(|byte| *byte == b' ').next());
    names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(&b',')
}

/// The first public key of SSH_AUTH_INFO_0, as base64: `publickey ssh-ed25519 AAAA…`. What is too
/// long or no base64 is left out, and not cut: half a key is another key.
fn accepted_key(info: &[u8]) -> Option<String> {
    let keys =
        info.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"publickey "));
    let key = keys.filter_map(|key| key.split(|byte| *byte == b' ').nth(1)).next()?;
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let fits = !key.is_empty() && key.len() <= limits::SSH_KEY && key.iter().all(base64);
    std::str::from_utf8(key).ok().filter(|_| fits).map(str::to_owned)
}

/// What somebody has typed.
type Secret = Zeroizing<Vec<u8>>;

struct Login<'a, H, D> {
    host: &'a mut H,
    daemon: &'a mut D,
    options: &'a Options,
    /// What to do with PAM_AUTHTOK at the next prompt; it is tried once.
    first_pass: FirstPass,
    /// While the code that `try_first_pass` has found is with the daemon: the password before it.
    tried: Option<Secret>,
    /// Whether PAM_AUTHTOK has been set to a password without its code.
    forwarded: bool,
}

impl<H: Host, D: Daemon> Login<'_, H, D> {
    fn run(&mut self, user: &str, context: &Context) -> Outcome {
        self.converse(user, context).unwrap_or_else(|outcome| outcome)
    }

    /// `Err` is an outcome as well: the one that ends the conversation early.
    fn converse(&mut self, user: &str, context: &Context) -> Result<Outcome, Outcome> {
        let (mut session, mut step) =
            self.daemon.begin(user, context).map_err(Outcome::Unavailable)?;
        for _ in 0..STEPS {
            self.debug(&step);
            match step.kind() {
                Some(StepKind::Granted) => {
                    if let Some(password) = self.tried.take() {
                        self.forward(&password)?;
                    }
                    return Ok(Outcome::Granted);
                }
                Some(StepKind::NotRequired) => return Ok(Outcome::NotRequired),
                Some(StepKind::Denied) if self.tried.take().is_some() => {
                    (session, step) =
                        self.daemon.begin(user, context).map_err(Outcome::Unavailable)?;
                }
                Some(StepKind::Denied) => return Ok(Outcome::Denied),
                Some(StepKind::Prompt) if self.options.mode.as_deref() == Some(CHALLENGE) => {
                    if !self.options.no_warn {
                        self.host.notice(&prompt_text(step.text()));
                    }
                    return Ok(Outcome::Denied);
                }
                Some(StepKind::Prompt | StepKind::NoticeThenPrompt) => {
                    let code = self.answer(&step)?;
                    step = self.daemon.respond(&session, &code).map_err(Outcome::Unavailable)?;
                }
                None => {
                    let why = "otpd asks for what this pam_otp does not know; install both from one release";
                    return Err(Outcome::Unavailable(why.to_owned()));
                }
            }
        }
        let why = format!("otpd has not come to an end in {STEPS} steps; see the log of otpd");
        Err(Outcome::Unavailable(why))
    }

    /// The code for a prompt: from PAM_AUTHTOK or from the person.
    fn answer(&mut self, step: &Step) -> Result<Secret, Outcome> {
        let split = step.split().and_then(|digits| usize::try_from(digits).ok());
        let split = split.filter(|digits| *digits > 0 && self.options.concatenated());
        if split.is_none() && self.options.concatenated() {
            self.host.log(
                Priority::Error,
                "the policy does not let password and code come in one field: remove use_first_pass, \
                 try_first_pass and forward_pass, or set concatenate = true in the [[policy]] of otpd",
            );
        }
        match self.first_pass {
            FirstPass::Use => return self.use_first_pass(split),
            FirstPass::Try => {
                self.first_pass = FirstPass::Ignore;
                if let Some((password, code)) = self.parts_of_authtok(split) {
                    self.tried = Some(password);
                    return Ok(code);
                }
            }
            FirstPass::Ignore => {}
        }
        self.ask(step, split)
    }

    fn use_first_pass(&mut self, split: Option<usize>) -> Result<Secret, Outcome> {
        // Once split, PAM_AUTHTOK is the password alone: a further prompt has no answer.
        let unsplit = split.filter(|_| !self.forwarded);
        let (password, code) = self.parts_of_authtok(unsplit).ok_or(Outcome::Denied)?;
        self.forward(&password)?;
        Ok(code)
    }

    /// The reply of the person to a prompt. What cannot be a code is denied here and not sent, so
    /// that nobody is charged for it.
    fn ask(&mut self, step: &Step, split: Option<usize>) -> Result<Secret, Outcome> {
        let combined = split.filter(|_| self.options.forward_pass && !self.forwarded);
        let text = match (&self.options.prompt, combined) {
            (Some(text), _) => text,
            (None, Some(_)) => step.combined().unwrap_or(COMBINED),
            (None, None) => step.text(),
        };
        let echo = (self.options.echo || step.echo()) && combined.is_none();
        let notice = step.notice().filter(|_| !self.options.no_warn);
        let reply = self.host.prompt(&under(notice, text), echo).ok_or(Outcome::Conversation)?;
        if reply.first() == Some(&b'\x08') {
            return Err(self.deny(
                "sshd has put a filler in place of the reply: it lets this user in on no account \
                 (PermitRootLogin, AllowUsers, DenyUsers or no such user)",
            ));
        }
        if reply.len() > limits::REPLY {
            return Err(self.deny("the reply is longer than any code"));
        }
        if let Some(split) = combined {
            let (password, code) = parts(&reply, split).ok_or(Outcome::Denied)?;
            self.forward(&password)?;
            return Ok(code);
        }
        if self.host.authtok().is_some_and(|password| *password == *reply) {
            return Err(self.deny(
                "the reply is the password once more: the program answers each prompt with it (sshd: \
                 set PasswordAuthentication no and KbdInteractiveAuthentication yes)",
            ));
        }
        Ok(reply)
    }

    fn parts_of_authtok(&self, split: Option<usize>) -> Option<(Secret, Secret)> {
        parts(&self.host.authtok()?, split?)
    }

    fn forward(&mut self, password: &[u8]) -> Result<(), Outcome> {
        self.forwarded = true;
        if self.host.set_authtok(password) {
            return Ok(());
        }
        Err(Outcome::Unavailable("libpam does not take the password (PAM_AUTHTOK)".to_owned()))
    }

    fn deny(&self, why: &str) -> Outcome {
        self.host.log(Priority::Notice, why);
        Outcome::Denied
    }

    fn debug(&self, step: &Step) {
        if self.options.debug {
            self.host.log(Priority::Debug, &format!("step {:?}", step.kind()));
        }
    }
}

/// A prompt with the lines of a notice above it, in one message. Messages of their own would not do
/// for what has to be seen whole: sshd takes 32 of them before a prompt, from 10.3 on it sends each
/// to the client apart, and clients up to 10.2 then write everything but ASCII as octal numbers. The
/// message may be longer than PAM_MAX_MSG_SIZE, which libpam, sshd, login and su do not hold anybody
/// to. It may have a key in it.
fn under(notice: Option<&str>, text: &str) -> Zeroizing<String> {
    let mut message = Zeroizing::new(String::with_capacity(16 * 1024));
    for line in notice.into_iter().flat_map(|notice| notice.split('\n').take(LINES)) {
        message.push_str(&Zeroizing::new(prompt_text(line)));
        message.push('\n');
    }
    message.push_str(&prompt_text(text));
    message
}

/// Password and code of a field that ends in `digits` digits.
fn parts(field: &[u8], digits: usize) -> Option<(Secret, Secret)> {
    let (password, code) = field.split_at_checked(field.len().checked_sub(digits)?)?;
    let is_code = field.len() <= limits::REPLY && code.iter().all(u8::is_ascii_digit);
    is_code.then(|| (Secret::new(password.to_vec()), Secret::new(code.to_vec())))
}

#[cfg(test)]
mod tests;
