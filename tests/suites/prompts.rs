//! What people are asked: in which language, in whose words, and with which choice.

use std::fs;

use harness::{
    ALICE, Counterpart, Login, MODULE, Token, World,
    counterparts::smtp::Tls,
    golden::golden,
    otpd::{CONFIGURATION, audit, enrol, otpctl_with},
    pam::code,
    protocol::Request,
    sshd::Methods,
};

use crate::delivery::{ADDRESS, DIGITS, NUMBER, PASSWORD_THEN_CODE, log_in, reach, ssh};

/// Everybody may choose.
const CHOICE: &str = "[[policy]]\nname = \"choice\"\nchoice = true\n";

/// A login whose program has put this into its PAM environment.
fn with_locale(service: &str, user: &str, locale: &[&str]) -> Login {
    let env = locale.iter().map(|entry| (*entry).to_owned()).collect();
    Login(Request { env, ..Login::new(service, user).0 })
}

/// alice has a counter token, and codes go to her by SMS and by e-mail.
fn equip_alice() -> Token {
    reach("alice", &[&format!("mobile={NUMBER}"), &format!("mail={ADDRESS}")]);
    for method in ["sms", "email"] {
        otpctl_with(&["token", "add", "alice", "--method", method, "--no-confirm"], b"").ok();
    }
    enrol("alice", &["--method", "hotp"])
}

/// Another configuration for the daemon that runs.
fn reconfigure(configuration: &str) {
    fs::write(CONFIGURATION, configuration).unwrap();
    otpctl_with(&["config", "reload"], b"").ok();
}

/// The whole of a login by ssh in each language: the choice, one way, another way, another code. The
/// message is in that language, too.
#[test]
fn ssh_offers_the_ways_in_every_language() {
    World::run(|world| {
        let (gateway, server) = (world.gateway(), world.smtp(Tls::Plain));
        let providers = gateway.provider("main") + &server.provider("main") + CHOICE;
        let _otpd = world.otpd(&providers);
        equip_alice();
        world.stack("sshd", &PASSWORD_THEN_CODE);
        let sshd = world.sshd(Methods::Keyboard);
        for (n, language, resend, sms) in [
            (1, "en", "resend", " is your code for sshd"),
            (2, "de", "erneut", " ist Ihr Code für sshd"),
            (3, "fr", "renvoyer", " est votre code pour sshd"),
            (4, "es", "reenviar", " es su clave para sshd"),
        ] {
            reconfigure(&format!("{providers}[prompt.sshd]\nlanguage = {language:?}\n"));
            let mut words = ["email", "sms", resend].into_iter();
            let done = ssh(&sshd, "alice", |_| match words.next() {
                Some(word) => word.to_owned(),
                None => gateway.await_message(n).code(DIGITS),
            });
            assert!(done.admitted, "{}", done.transcript);
            golden(&format!("sshd-choice-{language}"), &done.transcript);
            let text = gateway.await_message(n).text;
            assert_eq!(text.find(sms), Some(DIGITS), "{text}");
            gateway.stays_at(n);
        }
    });
}

/// Who has the ways, who has none, whom the policy denies and who does not exist: the first prompt
/// is the same, and for those to whom nothing can be sent so is every other one. (sshd hides what
/// users type that it does not know, words too: there the password has to come first.)
#[test]
fn the_choice_tells_nobody_who_exists() {
    World::run(|world| {
        let (gateway, server) = (world.gateway(), world.smtp(Tls::Plain));
        let denied = "[[policy]]\nname = \"none\"\nmatch = { user = [\"user001\"] }\n\
                      factor = \"deny\"\nchoice = true\n";
        let providers = gateway.provider("main") + &server.provider("main");
        let _otpd = world.otpd(&(providers + denied + CHOICE));
        equip_alice();
        enrol("user000", &["--method", "hotp"]);
        world.stack("login", &[&format!("required {MODULE}")]);
        world.stack("sshd", &PASSWORD_THEN_CODE);
        let words = || {
            let mut words = ["sms", "email", "hotp"].into_iter();
            move |_: &str| words.next().unwrap_or("000000").to_owned()
        };
        let mut host = world.host();
        let mut told = |user| log_in(&mut host, Login::new("login", user), words());
        let unknown = told("carol");
        assert_eq!((unknown.code(), unknown.prompts), (code::AUTH_ERR, 4));
        for other in ["bob", "user000", "user001"] {
            let outcome = told(other);
            assert_eq!(outcome.code(), code::AUTH_ERR);
            assert_eq!(outcome.transcript, unknown.transcript, "{other}");
        }
        let own = told("alice").transcript;
        assert_eq!(own.lines().next(), unknown.transcript.lines().next());
        gateway.stays_at(1);
        server.stays_at(1);

        let sshd = world.sshd(Methods::Keyboard);
        for user in ["bob", "user000", "user001"] {
            let session = ssh(&sshd, user, words());
            assert!(!session.admitted);
            golden("sshd-choice-refused", &session.transcript);
        }
    });
}

/// The program's own PAM environment says which language; that of the process, which under su is the
/// attacker's, says nothing.
#[test]
fn the_language_is_that_of_the_pam_environment() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let app = enrol("alice", &["--method", "hotp"]);
        world.stack("login", &[&format!("required {MODULE}")]);
        let loud = [("LC_ALL", "fr_FR.UTF-8"), ("LANG", "fr_FR.UTF-8"), ("LANGUAGE", "fr")];
        let mut hosts = [world.host(), world.host_as(0, &loud), world.host_as(ALICE, &loud)];
        for (locale, prompt) in [
            (&[] as &[&str], "Verification code: "),
            (&["LANG=de_DE.UTF-8"], "Bestätigungscode: "),
            (&["LANG=de_DE.UTF-8", "LC_ALL=es_ES.UTF-8"], "Código de verificación: "),
            (&["LANG=fr_FR.ISO-8859-1"], "Code de verification : "),
            (&["LANG=C"], "Verification code: "),
        ] {
            for host in &mut hosts {
                let login = with_locale("login", "alice", locale);
                let mut asked = String::new();
                let done = log_in(host, login, |text| {
                    asked = text.to_owned();
                    app.code()
                });
                assert_eq!(done.code(), code::SUCCESS, "{}", done.transcript);
                assert_eq!(asked, prompt, "{locale:?}");
            }
        }
    });
}

/// pam_env is no way to tell: it sets its variables when the login is over.
#[test]
fn pam_env_comes_too_late() {
    World::run(|world| {
        let _otpd = world.otpd("");
        enrol("alice", &["--method", "hotp"]);
        fs::write("/etc/default/locale", "LANG=de_DE.UTF-8\n").unwrap();
        let env = "required pam_env.so envfile=/etc/default/locale";
        world.stack("sshd", &[env, &format!("required {MODULE}")]);
        let sshd = world.sshd(Methods::Keyboard);
        let refused = sshd.login("alice", &["000000"]);
        assert!(refused.transcript.starts_with("prompt: \"Verification code: \"\n"), "{refused:?}");
    });
}

/// The text of a service is set in the configuration, for all languages or for one; the module's
/// line has the last word.
#[test]
fn t18_the_text_at_each_service_is_the_administrators() {
    World::run(|world| {
        let _otpd = world.otpd(
            "[prompt.default]\nlanguage = \"de\"\n[prompt.sshd]\n\
             code = \"Type OTP to authenticate the device at Example Corp: \"\n\
             [prompt.login]\ncode = \"Code for the console: \"\n[prompt.login.es]\n\
             code = \"Clave de la consola: \"\n",
        );
        let app = enrol("alice", &["--method", "hotp"]);
        for service in ["login", "sshd", "su"] {
            world.stack(service, &[&format!("required {MODULE}")]);
        }
        world.stack("other", &[&format!("required {MODULE} [prompt=From the line: ]")]);
        let mut host = world.host();
        for (service, language, prompt) in [
            ("sshd", "LANG=de", "Type OTP to authenticate the device at Example Corp: "),
            ("login", "LANG=de", "Code for the console: "),
            ("login", "LANG=es", "Clave de la consola: "),
            ("su", "LANG=it", "Bestätigungscode: "),
            ("other", "LANG=es", "From the line: "),
        ] {
            for user in ["alice", "bob", "carol"] {
                let login = with_locale(service, user, &[language]);
                let done = log_in(&mut host, login, |text| {
                    assert_eq!(text, prompt, "{user}");
                    if user == "alice" { app.code() } else { "000000".to_owned() }
                });
                assert_eq!(done.code() == code::SUCCESS, user == "alice");
            }
        }
        let sshd = world.sshd(Methods::Keyboard);
        let granted = sshd.login("alice", &[&app.code()]);
        assert!(granted.admitted, "{}", granted.transcript);
        golden("sshd-own-text", &granted.transcript);
    });
}

/// One text whatever is wrong, in any language; the reason is told to administrators.
#[test]
fn x08_the_person_reads_one_text_and_the_reason_is_in_the_audit() {
    World::run(|world| {
        let _otpd = world.otpd("[lockout]\nafter = 2\n");
        let app = enrol("alice", &["--method", "hotp"]);
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut host = world.host();
        let used = app.code();
        for locale in ["LANG=en", "LANG=de", "LANG=fr", "LANG=es"] {
            let mut try_in = |user: &str, reply: &str| {
                let login = with_locale("login", user, &[locale]);
                log_in(&mut host, login, |_| reply.to_owned())
            };
            otpctl_with(&["user", "unlock", "alice"], b"").ok();
            let granted = try_in("alice", &app.code());
            assert_eq!(granted.code(), code::SUCCESS);
            let tries = [
                try_in("carol", "000000"),
                try_in("bob", "000000"),
                try_in("alice", &used),
                try_in("alice", &app.wrong()),
                try_in("alice", &app.code()),
            ];
            for refused in &tries {
                assert_eq!(refused.code(), code::AUTH_ERR);
                assert_eq!(refused.transcript, tries[0].transcript, "{locale}");
            }
        }
        let results: Vec<_> =
            audit("alice").iter().map(|record| record["result"].to_string()).collect();
        for reason in ["ok", "replay", "wrong", "locked"] {
            assert!(results.contains(&format!("{reason:?}")), "{reason}: {results:?}");
        }
    });
}
