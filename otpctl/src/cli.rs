//! The command line. Help, man pages and completions are generated from these types.

mod method;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::import::Class;
use crate::time::When;

mod issued;
mod login_test;
mod setup;

pub(crate) use issued::{
    Client, ClientAdd, ClientList, Code, CodeIssue, Scope, Send, Switch, Terms,
};
pub(crate) use login_test::LoginTest;
pub(crate) use method::{Method, MethodFiles, MethodSet};
pub(crate) use setup::Setup;

const EXAMPLES: &str = "\
Examples:
  otpctl token add alice                  enrol an authenticator app: shows a QR code
  otpctl token add bob --share            for bob, who fetches it himself, once:
  otpctl token share bob                  shows it to whoever is first, never again
  otpctl token list alice                 what alice has
  otpctl recovery new alice               codes for the day the phone is lost
  otpctl user unlock alice                after too many wrong codes
  otpctl code issue alice                 a code for somebody who cannot log in
  otpctl client list                      where users log in from
  otpctl user set alice mobile=+491701234581 mail=alice@example.com
  otpctl provider test main --to +491701234581
  otpctl policy explain alice --service sshd --source 203.0.113.7
  otpctl audit --user alice --since 2h    what happened, and why
  otpctl --json token add alice --no-confirm --output alice.json

An ID may be cut to its first 6 characters or more.
Times are RFC 3339 (2026-01-31T08:00:00Z), a day (2026-01-31) or relative
(90s, 30m, 2h, 7d).

Exit status: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 otpd is unavailable,
5 no such credential, 6 shared already, 7 unknown user, client or tenant.";

const GLOBAL: &str = "Global options";

/// Manages one-time-password tokens, users and the daemon otpd.
#[derive(Debug, Parser)]
#[command(name = "otpctl", version, after_help = EXAMPLES, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Print JSON documents; errors are JSON on standard error
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// Print no notices, only what was asked for and errors
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) quiet: bool,
    /// The message bus, if it is not the system's own: unix:path=/…
    #[arg(long, global = true, help_heading = GLOBAL)]
    #[arg(value_name = "ADDRESS", value_parser = bus_address)]
    pub(crate) bus: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show how the daemon is
    Status,
    /// Enrol and manage tokens
    #[command(subcommand)]
    Token(Token),
    /// Recovery codes
    #[command(subcommand)]
    Recovery(Recovery),
    /// Users, their locks and their data
    #[command(subcommand)]
    User(User),
    /// Codes that administrators issue
    #[command(subcommand)]
    Code(Code),
    /// The clients that users log in from
    #[command(subcommand)]
    Client(Client),
    /// SMS gateways and mail servers that deliver codes
    #[command(subcommand)]
    Provider(Provider),
    /// Kinds of tokens: what new ones are like, and whose users may have them
    #[command(subcommand)]
    Method(Method),
    /// Which login has to give which code
    #[command(subcommand)]
    Policy(Policy),
    /// Where numbers, addresses, groups and account states come from
    #[command(subcommand)]
    Directory(Directory),
    /// The daemon's configuration
    #[command(subcommand)]
    Config(Config),
    /// Show decisions, oldest first
    Audit(Audit),
    LoginTest(LoginTest),
    Setup(Setup),
    /// Print a completion script
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Man {
        /// The folder to write them to
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Add(TokenAdd),
    Share(TokenShare),
    /// List tokens
    List {
        /// Of this user; without it everyone's, for administrators
        user: Option<String>,
        /// Only those of this method
        #[arg(long)]
        method: Option<String>,
    },
    /// Show one token
    Show {
        /// The token
        id: String,
    },
    /// Make a pending token active with its first code
    Confirm {
        /// The token
        id: String,
    },
    /// Accept a disabled token again
    Enable {
        /// The token
        id: String,
    },
    /// Stop accepting a token
    Disable {
        /// The token
        id: String,
        /// Enable it again by itself at this time
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
        /// Why, for the list and the audit record
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a token for ever
    Remove {
        /// The token
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Make a token that has drifted work again, with two codes in a row
    Resync {
        /// The token
        id: String,
    },
}

/// Enrol a token and ask for its first code
///
/// The secret is shown once: on the terminal, or in the files that are named here. Codes that are
/// delivered (sms, email) have none: they work at once for a user who has a number or an address.
///
/// The files are made new, readable by their owner only. With --json the first code is not
/// asked for: use `token confirm`, or --no-confirm.
#[derive(Args, Debug)]
pub(crate) struct TokenAdd {
    /// Whose token it becomes
    pub(crate) user: String,
    /// The method: totp (the default), hotp, sms, email, or one of the configuration
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// A name for the token, such as "phone"
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Where to draw the QR code: terminal, FILE.png or FILE.svg
    #[arg(long, value_name = "terminal|FILE")]
    pub(crate) qr: Option<Qr>,
    /// Width and height of FILE.png in pixels; without it eight for each module of the code
    #[arg(long, value_name = "PIXELS", requires = "qr", value_parser = clap::value_parser!(u16).range(64..=4096))]
    pub(crate) qr_size: Option<u16>,
    /// Active at once, without a first code (administrators)
    #[arg(long)]
    pub(crate) no_confirm: bool,
    /// Show nothing now: the secret is shown once, by `token share`
    #[arg(long, conflicts_with_all = ["qr", "no_confirm", "output"])]
    pub(crate) share: bool,
    /// Stop accepting the token at this time
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<When>,
    /// Write the token, its secret and its URI to this new file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Show the secret of a token that was added with --share, once
///
/// Nobody else is shown it from then on. Who scans it presses Enter and types the first code, or
/// presses Enter only where the configuration says so. If that does not come in time, the key is
/// destroyed and another one can be shared.
///
/// With --json the document holds the secret and the QR code as PNG in base64; the first code is not
/// asked for: use `token confirm`.
#[derive(Args, Debug)]
pub(crate) struct TokenShare {
    /// The token, or the user of whose tokens the oldest that can be shared is meant
    #[arg(value_name = "USER|ID")]
    pub(crate) target: String,
    /// The tenant, where the configuration names some
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<String>,
    /// Share what was shared already, with another key; the old one works no longer (administrators)
    #[arg(long)]
    pub(crate) reshare: bool,
    /// With --reshare: show nothing now, the token waits to be shared
    #[arg(long, requires = "reshare", conflicts_with = "output")]
    pub(crate) later: bool,
    /// Write what is shown to this new file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Where the QR code is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qr {
    Terminal,
    Png(PathBuf),
    Svg(PathBuf),
}

impl std::str::FromStr for Qr {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("png") => Ok(Self::Png(path)),
            Some("svg") => Ok(Self::Svg(path)),
            _ if text == "terminal" => Ok(Self::Terminal),
            _ => Err("allowed are `terminal`, a file that ends in .png or one that ends in .svg"),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Recovery {
    /// Make new recovery codes; earlier ones stop working
    New {
        /// Whose
        user: String,
        /// Write them to this new file, as JSON
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// How many are left
    Count {
        /// Whose
        user: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List users
    List(UserList),
    /// Show one user
    Show {
        /// The user
        user: String,
    },
    /// Set where codes are delivered, and who issues them
    ///
    /// Codes that are under way to what this replaces are good no longer.
    Set {
        /// The user
        user: String,
        /// mobile=NUMBER, mail=ADDRESS, country=CODE of a number without one; empty removes.
        /// uid=NUMBER, the user's id: what was enrolled under another id is theirs.
        /// admin=on|off: whether the user may issue codes to others
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<Setting>,
    },
    /// End a lock and forget the failures
    Unlock {
        /// The user
        user: String,
    },
    /// Remove all tokens, recovery codes and locks of a user
    Reset {
        /// The user
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct UserList {
    /// Whose name contains this
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// Only those who are locked or disabled now
    #[arg(long)]
    pub(crate) locked: bool,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = page())]
    pub(crate) limit: u32,
    /// Pass over so many
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: u32,
}

/// `KEY=VALUE` of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Mobile(String),
    Mail(String),
    Country(String),
    Uid(u32),
    Admin(bool),
}

impl std::str::FromStr for Setting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some(("mobile", number)) => Ok(Self::Mobile(number.to_owned())),
            Some(("mail", address)) => Ok(Self::Mail(address.to_owned())),
            Some(("country", code)) => Ok(Self::Country(code.to_owned())),
            Some(("uid", id)) => id.parse().map(Self::Uid).map_err(|_| "uid is a number"),
            Some(("admin", switch)) => switch.parse().map(|Switch(on)| Self::Admin(on)),
            _ => Err(
                "allowed are mobile=NUMBER, mail=ADDRESS, country=CODE, uid=NUMBER and admin=on|off",
            ),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// List the providers and how they do
    List,
    /// Send a test message and show what the gateway answers
    Test {
        /// The provider, as `provider list` names it; its second part alone where that is unique
        name: String,
        /// Where to: a telephone number (+49…) or a mail address
        #[arg(long, value_name = "DEST")]
        to: String,
    },
    Import(ProviderImport),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Directory {
    /// List the directories and how they do
    List,
    /// Connect to a directory, say what is wrong with it, and show what it knows of a user
    Test {
        /// The directory, as `directory list` names it
        name: String,
        /// A login name
        user: Option<String>,
    },
}

/// Translate a provider of LinOTP into our configuration
///
/// Takes LinOTP's JSON as it is and prints TOML for /etc/otpd/otpd.d. Passwords stay in it.
#[derive(Args, Debug)]
pub(crate) struct ProviderImport {
    /// The JSON file; - for standard input
    pub(crate) file: PathBuf,
    /// LinOTP's class of the provider; without it the keys tell
    #[arg(long)]
    pub(crate) class: Option<Class>,
    /// The provider's name in our configuration
    #[arg(long, default_value = "main", value_parser = plain_name)]
    pub(crate) name: String,
    /// Write to this new file, readable by its owner and the group otpd
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What a table of the configuration may be called.
fn plain_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['-', '.']) {
        Ok(text.to_owned())
    } else {
        Err("allowed are 1 to 64 letters, digits, '.', '_' and '-', not starting with '-' or '.'")
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List the policies in the order in which they are tried
    List,
    Explain(Explain),
}

/// Show which policy decides about a login, and why none before it does
///
/// Nothing is sent, asked or charged. A user whom nobody knows is explained as well: such a login
/// falls under a policy like any other.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// Who logs in
    pub(crate) user: String,
    /// The PAM service: sshd, sudo, login, …; otpctl for what users do themselves
    #[arg(long)]
    pub(crate) service: String,
    /// Where from: an address, or local, which it is by default
    #[arg(long, value_name = "IP")]
    pub(crate) source: Option<String>,
    /// The terminal: PAM_TTY, of sshd always ssh
    #[arg(long)]
    pub(crate) tty: Option<String>,
    /// When; by default now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<When>,
    /// The client: its identity, such as the fingerprint of an ssh key
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check the configuration files without using them
    Check {
        /// The main file [default: /etc/otpd/otpd.toml]
        file: Option<PathBuf>,
        /// Connect to every directory as well, and compare its schema with the settings
        #[arg(long)]
        directories: bool,
    },
    /// Print the configuration as it counts, defaults included
    Show {
        /// The main file [default: /etc/otpd/otpd.toml]
        file: Option<PathBuf>,
    },
    /// Have the daemon read its configuration again
    Reload,
}

#[derive(Args, Debug)]
pub(crate) struct Audit {
    /// Of this user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Not before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Go on and show new ones as they come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100, value_parser = page())]
    pub(crate) limit: u32,
}

/// What a service may be called: a file of /etc/pam.d, never a path.
fn service_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if (1..=64).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['-', '.']) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a service is a file of /etc/pam.d: letters, digits, '.', '_', '-', '@' and '+'")
    }
}

fn page() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(otp_ipc::limits::PAGE))
}

/// Only a socket of this machine: other transports would carry codes over the network.
fn bus_address(text: &str) -> Result<String, &'static str> {
    if text.starts_with("unix:path=/") && !text.contains(';') {
        Ok(text.to_owned())
    } else {
        Err("allowed is unix:path=/… (one address)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    const README: &str = include_str!("../../README.md");

    /// The verbs below `command` that the help shows, each with its options.
    fn verbs(command: &clap::Command) -> BTreeMap<String, BTreeSet<String>> {
        let shown: Vec<_> = command.get_subcommands().filter(|c| !c.is_hide_set()).collect();
        if shown.is_empty() {
            let long = command.get_arguments().filter_map(clap::Arg::get_long);
            return BTreeMap::from([(String::new(), long.map(|o| format!("--{o}")).collect())]);
        }
        let named = |verb: &clap::Command| {
            let name = verb.get_name().to_owned();
            verbs(verb).into_iter().map(move |(rest, options)| (format!("{name} {rest}"), options))
        };
        shown.into_iter().flat_map(named).collect()
    }

    /// The verbs of the README's section, with the options that it names: `otpctl VERB …`, or
    /// `otpctl GROUP VERB … | VERB …`; a line that is indented further continues the one above.
    fn verbs_of_readme() -> BTreeMap<String, BTreeSet<String>> {
        let (_, section) = README.split_once("\n## otpctl\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let joined = section.replace("\n        ", " ");
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for line in joined.lines().filter_map(|line| line.strip_prefix("    otpctl ")) {
            let words: Vec<_> =
                line.split_whitespace().map(|w| w.trim_matches(['[', ']'])).collect();
            let mut words = &words[words.iter().take_while(|w| w.starts_with("--")).count()..];
            let (cli, mut group) = (Cli::command(), String::new());
            if cli.find_subcommand(words[0]).is_some_and(clap::Command::has_subcommands) {
                group = format!("{} ", words[0]);
                words = &words[1..];
            }
            for verb in words.split(|word| *word == "|") {
                let options = verb.iter().filter(|w| w.starts_with("--")).map(|w| (*w).to_owned());
                found.entry(format!("{group}{} ", verb[0])).or_default().extend(options);
            }
        }
        found
    }

    #[test]
    fn the_readme_has_every_verb_and_no_other() {
        let (written, known) = (verbs_of_readme(), verbs(&Cli::command()));
        assert_eq!(
            written.keys().collect::<Vec<_>>(),
            known.keys().collect::<Vec<_>>(),
            "README.md and --help"
        );
        for (verb, options) in written {
            assert!(options.is_subset(&known[&verb]), "README.md: otpctl {verb}{options:?}");
        }
    }

    #[test]
    fn the_commands_in_the_readme_are_accepted() {
        let spans = README.split('`').skip(1).step_by(2);
        let commands: Vec<_> = spans.filter(|span| span.starts_with("otpctl ")).collect();
        assert!(commands.len() > 5, "{commands:?}");
        for command in commands {
            let refused = Cli::try_parse_from(command.split_whitespace()).err();
            let refused = refused.filter(|error| error.kind() != ErrorKind::DisplayHelp);
            assert!(refused.is_none(), "README.md: {command}: {refused:?}");
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_accepted_and_what_is_not() {
        for (line, accepted) in [
            ("status", true),
            ("--json status", true),
            ("status --json -q", true),
            ("--bus unix:path=/run/b status", true),
            ("--bus tcp:host=evil,port=1 status", false),
            ("--bus unix:path=/a;tcp:host=evil status", false),
            ("--bus unixexec:path=/bin/sh status", false),
            ("", false),
            ("token", false),
            ("token add", false),
            ("token add alice", true),
            ("token add alice bob", false),
            ("token add alice --qr terminal --label phone --method hotp", true),
            ("token add alice --qr q.png --no-confirm --output f", true),
            ("token add alice --qr q.gif", false),
            ("token add alice --qr", false),
            ("token add alice --secret ABC", false),
            ("token add alice --expires 2h", true),
            ("token add alice --expires soon", false),
            ("token lsit", false),
            ("token list", true),
            ("token list alice", true),
            ("token list alice --method totp", true),
            ("token confirm abc123 123456", false),
            ("token confirm abc123", true),
            ("token disable abc123 --until 2026-01-31 --reason lost", true),
            ("token remove abc123 --yes", true),
            ("token share alice", true),
            ("token share alice --client example --reshare --later", true),
            ("token share alice --reshare --output f", true),
            ("token share alice --later", false),
            ("token share alice --reshare --later --output f", false),
            ("token share", false),
            ("token add alice --share --label phone --method hotp", true),
            ("token add alice --share --no-confirm", false),
            ("token add alice --share --output f", false),
            ("recovery new alice --output f --yes", true),
            ("recovery count", false),
            ("user list --search a --locked --limit 10 --offset 20", true),
            ("user list --limit 0", false),
            ("user list --limit 1001", false),
            ("user list --offset -1", false),
            ("user unlock alice", true),
            ("user set alice mobile=+491701234581 mail=a@b", true),
            ("user set alice mobile=", true),
            ("user set alice mobile=0170123 country=49", true),
            ("user set alice uid=1005", true),
            ("user set alice uid=x", false),
            ("user set alice admin=on", true),
            ("user set alice admin=yes", false),
            ("code issue alice", true),
            ("code issue alice --valid-for 2h --uses 3 --service sshd --scope local", true),
            ("code issue alice --reason lost --send sms", true),
            ("code issue alice --send pigeon", false),
            ("code issue alice --scope cloud", false),
            ("code issue alice --valid-for 2", false),
            ("code issue alice --valid-for 2026-01-31", false),
            ("code issue alice --uses 0", false),
            ("code issue alice --send sms --output f", false),
            ("code issue alice 77244244", false),
            ("code list", true),
            ("code list alice", true),
            ("code revoke 3f2a91", true),
            ("code revoke", false),
            ("client list --limit 10 --offset 20 --search And --show-ids", true),
            ("client list --limit 0", false),
            ("client add alice --description Android --push on --enable always --code", true),
            ("client add alice --push yes", false),
            ("client add alice --output f", false),
            ("client add alice --identity tablet-1 --code --output f", true),
            ("client enable 3f2a91", true),
            ("client disable 3f2a91", true),
            ("client schedule 3f2a91 Mon..Fri", true),
            ("client remove 3f2a91 --yes", true),
            ("user set alice", false),
            ("user set alice phone=+491701234581", false),
            ("user set alice +491701234581", false),
            ("provider list", true),
            ("provider test main --to +491701234581", true),
            ("provider test main", false),
            ("provider test --to a@b", false),
            ("provider import p.json", true),
            ("provider import - --class SMPPSMSProvider --name backup --output p.toml", true),
            ("provider import p.json --class smsprovider.HttpSMSProvider.HttpSMSProvider", true),
            ("provider import p.json --class FileSMSProvider", false),
            ("provider import p.json --name a]b", false),
            ("provider import", false),
            ("user reset alice --yes", true),
            ("method list", true),
            ("method list --config /tmp/o.toml", true),
            ("method show totp", true),
            ("method set acme", true),
            ("method set acme totpDigits=8 window_before=2 --no-reload", true),
            ("method set acme digits=9", false),
            ("method set acme digits", false),
            ("method set acme/../x digits=8", false),
            ("method set .acme", false),
            ("method link acme local", true),
            ("method link acme", false),
            ("method unlink acme local --config o.toml", true),
            ("method enable acme", true),
            ("method disable acme", true),
            ("method remove acme --yes", true),
            ("method remove", false),
            ("policy list", true),
            ("policy explain alice --service sshd", true),
            ("policy explain alice --service sshd --source ::1 --tty ssh --at 2h --client a", true),
            ("policy explain alice", false),
            ("policy explain --service sshd", false),
            ("policy explain alice --service sshd --at soon", false),
            ("directory list", true),
            ("directory test corp", true),
            ("directory test corp alice", true),
            ("directory test", false),
            ("config check", true),
            ("config check --directories", true),
            ("config check otpd.toml", true),
            ("config reload", true),
            ("config show", true),
            ("config edit", false),
            ("audit --user alice --since 7d --follow --limit 5", true),
            ("login-test sshd alice", true),
            ("login-test sshd alice --source 2001:db8::1 --tty ssh", true),
            ("login-test sshd alice --source host.example", false),
            ("login-test ../passwd alice", false),
            ("login-test sshd", false),
            ("setup", true),
            ("setup sshd --first key --nullok --user alice --no-try --dry-run --yes", true),
            ("setup sshd --first face", false),
            ("setup --keep", true),
            ("setup --undo", true),
            ("setup sshd --keep", false),
            ("setup --keep --undo", false),
            ("setup --yes", false),
            ("setup --remove", true),
            ("setup --remove sshd", true),
            ("setup --remove --every-line", true),
            ("setup --every-line", false),
            ("setup ../sshd", false),
            ("completions bash", true),
            ("man out", true),
        ] {
            let words = std::iter::once("otpctl").chain(line.split_whitespace());
            assert_eq!(Cli::try_parse_from(words).is_ok(), accepted, "otpctl {line}");
        }
    }

    #[test]
    fn a_typing_error_is_answered_with_the_word_that_was_meant() {
        for (line, meant) in [
            ("token ad alice", "add"),
            ("tokne list", "token"),
            ("audit --folow", "--follow"),
            ("method sett a", "set"),
        ] {
            let words = std::iter::once("otpctl").chain(line.split_whitespace());
            let message = Cli::try_parse_from(words).unwrap_err().to_string();
            assert!(message.contains(&format!("'{meant}'")), "{message}");
        }
    }

    #[test]
    fn a_qr_destination_is_told_by_its_name() {
        assert_eq!("terminal".parse(), Ok(Qr::Terminal));
        assert_eq!("a/terminal.png".parse(), Ok(Qr::Png("a/terminal.png".into())));
        assert_eq!("x.svg".parse(), Ok(Qr::Svg("x.svg".into())));
        for wrong in ["", ".png", "x.jpg", "Terminal", "x.png/"] {
            let parsed: Result<Qr, _> = wrong.parse();
            assert!(parsed.is_err() || wrong == "x.png/", "{wrong}");
        }
    }
}
