use std::collections::{BTreeMap, BTreeSet};

use clap::{CommandFactory, error::ErrorKind};

use super::*;

const README: &str = include_str!("../../../README.md");

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
        let words: Vec<_> = line.split_whitespace().map(|w| w.trim_matches(['[', ']'])).collect();
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
        ("doctor", true),
        ("doctor sshd", true),
        ("doctor sshd sudo", false),
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
        ("backup b.age", true),
        ("backup", false),
        ("backup b.age --recipient age1abc --recipient age1def --recipients-file r", true),
        ("backup b.age --passphrase-file - --with-key", true),
        ("backup b.age --passphrase-file p --recipient age1abc", false),
        ("backup b.age --passphrase-file p --recipients-file r", false),
        ("backup b.age --passphrase words", false),
        ("restore b.age", true),
        ("restore b.age --identity key.txt --keep-recovery-codes --replace --yes", true),
        ("restore b.age --passphrase-file -", true),
        ("restore b.age --passphrase-file p --identity key.txt", false),
        ("restore b.age --identity AGE-SECRET-KEY-1 more", false),
        ("key rotate", true),
        ("key rotate --yes --json", true),
        ("key rotate 0123", false),
        ("key", false),
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
        ("setup --remove", true),
        ("setup --remove sshd", true),
        ("setup --remove --every-line", true),
        ("setup --remove --every-line --yes", true),
        ("setup --every-line", false),
        ("setup ../sshd", false),
        ("import users.oath", true),
        ("import a b --format oath --user alice --method m --tz Europe/Berlin", true),
        ("import a --key-file k --dry-run --accepted --rejects r", true),
        ("import --path-template ~/.google_authenticator", true),
        ("import --path-template /home/${USER}/.ga --users u", true),
        ("import --path-template ${HOME}/.ga --user alice", true),
        ("import --path-template ~/.ga --user alice --users u", false),
        ("import --path-template ~/.ga file", false),
        ("import --path-template /etc/users.oath", false),
        ("import --path-template ${USER}/.ga", false),
        ("import a --users u", false),
        ("import a --format json", false),
        ("import a --key secret", false),
        ("import", false),
        ("export alice bob --format otpauth --output f --yes", true),
        ("export --all --format oath --output f", true),
        ("export alice --format pskc --key-file k --output f", true),
        ("export alice --format pskc --output f", false),
        ("export alice --all --format otpauth", false),
        ("export alice --format json", false),
        ("export alice --output f", false),
        ("export --format oath", false),
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
