//! What people are asked: in which language, in whose words, and with which choice.

use super::{
    delivery::{GENERIC, MAIL, MOBILE, Office, POLICY},
    *,
};

use otp_core::contact::Channel as Medium;

/// Everybody may choose; bob is denied at login all the same.
const CHOICE: &str = "[[policy]]\nname = \"no\"\nmatch = { user = [\"bob\"], service = [\"login\"] }\n\
    factor = \"deny\"\nchoice = true\n[[policy]]\nname = \"choice\"\nchoice = true\n";
const CHOOSE: &str = "Verification code (or: sms, email): ";

fn speaking(language: &str) -> Context {
    Context { language: Some(language.into()), ..sshd() }
}

#[tokio::test]
async fn every_prompt_is_in_the_language_of_the_session() {
    for (language, unknown, sent, word) in [
        (
            "de_AT.UTF-8",
            "Bestätigungscode: ",
            "Code an +49*****81 gesendet (oder: erneut, email): ",
            "erneut",
        ),
        (
            "fr_FR.UTF-8",
            "Code de vérification\u{a0}: ",
            "Code envoyé à +49*****81 (ou\u{a0}: renvoyer, email)\u{a0}: ",
            "RENVOYER",
        ),
        (
            "es_ES.UTF-8",
            "Código de verificación: ",
            "Código enviado a +49*****81 (o: reenviar, email): ",
            "resend",
        ),
        (
            "de_DE.ISO-8859-1",
            "Bestaetigungscode: ",
            "Code an +49*****81 gesendet (oder: erneut, email): ",
            "resend",
        ),
        (
            "it_IT.UTF-8",
            "Verification code: ",
            "Code sent to +49*****81 (or: resend, email): ",
            "resend",
        ),
    ] {
        let office = Office::new(POLICY).await;
        office.contact("alice", MOBILE, MAIL).await;
        assert_eq!(office.begin_with("nobody", speaking(language)).await.text, unknown);
        let asked = office.begin_with("alice", speaking(language)).await;
        assert_eq!(asked.text, sent);
        assert_eq!(office.text_after(&asked, word).await, sent, "{word}");
        assert_eq!(office.text_after(&asked, "").await, sent);
        let other = office.begin_with("alice", speaking(language)).await;
        let foreign = if word.eq_ignore_ascii_case("renvoyer") { "erneut" } else { "renvoyer" };
        assert_eq!(office.say(&other, foreign).await, Step::bare(StepKind::Denied));
    }
}

#[tokio::test]
async fn messages_and_notices_are_in_the_language_of_the_session() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, MAIL).await;
    let german = || speaking("de_DE.UTF-8");
    office.begin_with("alice", german()).await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    let message = office.sms.taken.lock().unwrap()[0].clone();
    assert_eq!(message.text.expose(), format!("{code} ist Ihr Code für sshd auf host"));
    let field = |user: &'static str| {
        let mode = Some("challenge".to_owned());
        let context = Context { mode, concatenated: Some(true), ..german() };
        office.begin_with(user, context)
    };
    let again = "bitte neu anmelden, Passwort und Code in einem Feld.";
    assert_eq!(field("alice").await.text, format!("Code an +49*****81 gesendet: {again}"));
    assert_eq!(field("nobody").await.text, format!("Ein Code ist nötig: {again}"));
}

#[tokio::test]
async fn t18_the_text_of_the_prompt_is_the_services_own() {
    let world = World::new(
        "[prompt.default]\nlanguage = \"es\"\n[prompt.sshd]\nlanguage = \"de\"\n\
         code = \"Code for Example Corp: \"\n[prompt.sshd.fr]\ncode = \"Code Exemple\\u00a0: \"\n\
         combined = \"Les deux\\u00a0: \"\n[[policy]]\nname = \"field\"\nconcatenate = true",
    );
    world.active("alice", "totp").await;
    for (service, language, text, combined) in [
        ("sshd", None, "Code for Example Corp: ", "Passwort & Bestätigungscode: "),
        ("sshd", Some("en_GB.UTF-8"), "Code for Example Corp: ", "Password & verification code: "),
        ("sshd", Some("fr_FR.UTF-8"), "Code Exemple\u{a0}: ", "Les deux\u{a0}: "),
        ("sshd", Some("fr_FR.ISO-8859-1"), "Code Exemple : ", "Les deux : "),
        ("sudo", None, "Código de verificación: ", "Contraseña y código de verificación: "),
        ("sudo", Some("C"), "Verification code: ", "Password & verification code: "),
    ] {
        for user in ["alice", "bob", "nobody", "../x"] {
            let context = Context {
                service: Some(service.into()),
                language: language.map(str::to_owned),
                concatenated: Some(true),
                ..Context::default()
            };
            let (_, step) = world.engine.begin(&root(), user, context).await.unwrap();
            assert_eq!((step.text(), step.combined()), (text, Some(combined)), "{user} {service}");
        }
    }
    let (_, plain) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    assert_eq!(plain.combined(), None, "nobody asks for both here");
}

#[tokio::test]
async fn nothing_is_sent_before_the_user_chooses() {
    let office = Office::new(CHOICE).await;
    office.contact("alice", MOBILE, MAIL).await;
    for medium in [Medium::Sms, Medium::Email] {
        office.own("alice", medium).await;
    }
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, CHOOSE);
    office.codes(&office.sms, 0).await;
    let mailed = office.text_after(&asked, "email").await;
    assert_eq!(mailed, "Code sent to a*****@example.com (or: resend, sms): ");
    assert_eq!(
        office.text_after(&asked, "totp").await,
        mailed,
        "what the policy accepts and the user does not have changes nothing"
    );
    let code = office.codes(&office.email, 1).await.remove(0);
    assert!(office.granted(&asked, &code).await);
    let engine = &office.world.engine;
    let other = office.begin("alice").await;
    let selected = engine.select(&root(), &other.session, "SMS").await.unwrap();
    assert_eq!(selected.text(), "Code sent to +49*****81 (or: resend, email): ");
    let german = office.begin_with("alice", speaking("de")).await;
    assert_eq!(german.text, "Bestätigungscode (oder: sms, email): ");
}

/// Unknown, unenrolled, denied by the policy and nobody's name: the same at every turn, to the end.
#[tokio::test]
async fn what_is_offered_is_offered_to_everybody() {
    let office = Office::new(CHOICE).await;
    office.contact("alice", MOBILE, MAIL).await;
    let denied = || Context { service: Some("login".into()), ..Context::default() };
    office.contact("bob", MOBILE, MAIL).await;
    office.own("bob", Medium::Sms).await;
    let sessions = [
        office.begin("nobody").await,
        office.begin("alice").await,
        office.begin("../x").await,
        office.begin("ALICE").await,
        office.begin_with("bob", denied()).await,
    ];
    for asked in &sessions {
        assert_eq!(asked.text, CHOOSE);
        for n in 0..12 {
            let word = ["sms", "EMAIL", "totp", "hotp"][n % 4];
            if n % 3 == 0 {
                let engine = &office.world.engine;
                let step = engine.select(&root(), &asked.session, word).await.unwrap();
                assert_eq!(step, Step::prompt(CHOOSE, false, None), "{word}");
            } else {
                assert_eq!(office.text_after(asked, word).await, CHOOSE, "{word}");
            }
        }
        assert_eq!(office.say(asked, "sms").await, Step::bare(StepKind::Denied), "words end");
    }
    for user in ["nobody", "alice", "../x"] {
        for word in ["resend", "voice", "", "recovery"] {
            let asked = office.begin(user).await;
            assert_eq!(office.say(&asked, word).await, Step::bare(StepKind::Denied), "{word}");
        }
        assert!(office.tokens(user).await.is_empty());
    }
    office.codes(&office.sms, 0).await;
    office.codes(&office.email, 0).await;
    assert!(office.world.engine.select(&root(), "none", "sms").await.is_err());
}

#[tokio::test]
async fn the_choice_is_among_what_the_policy_and_the_line_leave() {
    for (keys, context, text) in [
        ("methods = [\"email\", \"totp\"]", sshd(), "Verification code (or: email): "),
        ("methods = [\"email\", \"sms\"]", sshd(), "Verification code (or: email, sms): "),
        ("methods = [\"totp\"]", sshd(), GENERIC),
        (
            "unenrolled = \"enrol\"\nenrol = [\"email\"]\nmethods = [\"sms\", \"email\"]",
            sshd(),
            CHOOSE,
        ),
        ("", Context { method: Some("totp".into()), ..sshd() }, GENERIC),
        // Nobody has checked the password yet.
        ("", Context { concatenated: Some(true), ..sshd() }, GENERIC),
    ] {
        let policy = format!("[[policy]]\nname = \"p\"\nchoice = true\n{keys}\n");
        let office = Office::new(&policy).await;
        office.contact("alice", MOBILE, MAIL).await;
        office.own("alice", Medium::Sms).await;
        for user in ["alice", "bob", "nobody"] {
            assert_eq!(office.begin_with(user, context.clone()).await.text, text, "{keys}");
        }
        office.codes(&office.sms, 0).await;
    }
    let policy = "[prompt.sshd]\ncode = \"Code: \"\n[[policy]]\nname = \"p\"\nchoice = true\n";
    let office = Office::new(policy).await;
    assert_eq!(office.begin("nobody").await.text, "Code (or: sms, email): ");
}

#[tokio::test]
async fn a_user_without_a_token_is_enrolled_the_way_they_choose() {
    let keys = "unenrolled = \"enrol\"\nenrol = [\"sms\", \"email\"]\nchoice = true\n";
    let office = Office::new(&format!("[[policy]]\nname = \"p\"\n{keys}")).await;
    office.contact("alice", MOBILE, MAIL).await;
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, CHOOSE);
    assert!(office.tokens("alice").await.is_empty());
    let mailed = office.text_after(&asked, "email").await;
    assert_eq!(mailed, "Code sent to a*****@example.com (or: resend, sms): ");
    let code = office.codes(&office.email, 1).await.remove(0);
    assert!(office.granted(&asked, &code).await);
    assert_eq!(office.tokens("alice").await, ["email"]);
}
