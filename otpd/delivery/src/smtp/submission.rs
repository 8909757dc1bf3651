//! One e-mail to one server: from the connection to the server's last word.

use std::{io, sync::Arc, time::Duration};

use otp_core::contact::MailAddress;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::time::timeout;

use super::{
    Settings, Tls,
    login::Login,
    session::{Reply, Session},
};
use crate::{
    Answer, Failure, Hidden, Message, Receipt,
    mail::{Sender, is_host},
    redact, scrub, tls,
};

/// How long a server may take for an answer to QUIT, when everything is said.
const FAREWELL: Duration = Duration::from_millis(250);
/// The longest time that a message may take.
const LONGEST: Duration = Duration::from_secs(9);
/// Longest id of a message.
const ID: usize = 128;

/// A server, and who sends through it.
pub(super) struct Submission {
    server: String,
    port: u16,
    name: ServerName<'static>,
    tls: Tls,
    config: Option<Arc<ClientConfig>>,
    login: Option<Login>,
    sender: Sender,
    limit: Duration,
}

/// How far one try has come.
struct Course {
    /// What the server is asked for.
    step: &'static str,
    /// Whether the server has the e-mail, or a part of it.
    told: bool,
    /// What no text may hold.
    secrets: Vec<Hidden>,
}

/// Why a try ends before its end.
enum Stop {
    /// The connection: broken, closed or speaking something else.
    Wire(io::Error),
    /// The server says no.
    Reply(Reply),
    /// What we would not do without.
    Missing(String),
    /// Something before the connection.
    Failure(Failure),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Wire(error)
    }
}

impl Submission {
    /// Checks the settings; reads the certificates.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub(super) fn new(settings: Settings) -> Result<Self, String> {
        let login = Login::new(&settings)?;
        let Settings { server, port, tls, ca, from, envelope_from, hello, timeout, .. } = settings;
        let name = ServerName::try_from(server.clone()).ok();
        let name = name.filter(|name| matches!(name, ServerName::IpAddress(_)) || is_host(&server));
        let name = name.ok_or_else(|| {
            format!("server = \"{server}\": allowed are a host's name and an address")
        })?;
        if !(Duration::from_secs(1)..=LONGEST).contains(&timeout) {
            return Err(format!("timeout = {} ms: allowed are 1 s to 9 s", timeout.as_millis()));
        }
        let config = match (tls, &ca) {
            (Tls::None, Some(_)) => return Err("ca is of no use with tls none".to_owned()),
            (Tls::None, None) => None,
            _ => {
                let settings = tls::Settings { ca, ..tls::Settings::default() };
                Some(Arc::new(tls::client_config(&settings)?))
            }
        };
        let usual = match tls {
            Tls::StartTls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        };
        let sender = Sender::new(&from, envelope_from.as_ref(), &hello)?;
        let port = port.unwrap_or(usual);
        Ok(Self { server, port, name, tls, config, login, sender, limit: timeout })
    }

    /// Sends an e-mail with this subject and text; the secrets in it are in no text of ours.
    pub(super) async fn submit(
        &self,
        to: &MailAddress,
        contents: (&str, &str),
        message: &Message,
        secrets: &[Hidden],
    ) -> Answer {
        let mail = self.sender.write(to, contents, message)?;
        let mut course = Course { step: "connection", told: false, secrets: secrets.to_vec() };
        let end = timeout(self.limit, self.talk(to, &mail, &mut course)).await;
        let end = end.unwrap_or_else(|_| Err(Stop::Wire(io::ErrorKind::TimedOut.into())));
        let secrets: Vec<&Hidden> = course.secrets.iter().collect();
        let (mut session, reply) =
            end.map_err(|stop| self.explain(stop, &course, |text| scrub(text, message, &secrets)))?;
        // The message is on its way: what becomes of the connection does not matter any more.
        let _ = timeout(FAREWELL, session.quit()).await;
        let text = scrub(&reply.text(), message, &secrets);
        let id = queue_id(&text).map(|id| redact(id, message, &secrets, ID));
        Ok(Receipt { id, reply: text })
    }

    /// The conversation up to the server's last word on the e-mail.
    async fn talk(
        &self,
        to: &MailAddress,
        mail: &[u8],
        course: &mut Course,
    ) -> Result<(Session, Reply), Stop> {
        let secret = match &self.login {
            Some(login) => {
                course.step = "access token";
                let secret = login.secret(self.limit).await.map_err(Stop::Failure)?;
                course.secrets.extend(login.traces(&secret));
                Some((login, secret))
            }
            None => None,
        };
        let (mut session, hello) = self.open(course).await?;
        if let Some((login, secret)) = secret {
            course.step = "AUTH";
            let offered = login.choose(&hello).ok_or_else(|| {
                Stop::Missing("it offers no AUTH that is allowed; check mechanism".to_owned())
            })?;
            expect(235, login.prove(&secret, offered, &mut session).await?)?;
        }
        course.step = "MAIL";
        let from = self.sender.envelope().as_str();
        expect(250, session.command(&format!("MAIL FROM:<{from}>")).await?)?;
        course.step = "RCPT";
        let reply = session.command(&format!("RCPT TO:<{}>", to.as_str())).await?;
        if reply.code != 251 {
            expect(250, reply)?;
        }
        course.step = "DATA";
        expect(354, session.command("DATA").await?)?;
        (course.step, course.told) = ("the e-mail", true);
        let reply = expect(250, session.data(mail).await?)?;
        Ok((session, reply))
    }

    /// Connects, says hello and makes sure of TLS where it is asked for.
    async fn open(&self, course: &mut Course) -> Result<(Session, Reply), Stop> {
        course.step = "connection";
        let mut session = Session::connect(&self.server, self.port, self.limit).await?;
        if let (Tls::Implicit, Some(config)) = (self.tls, &self.config) {
            course.step = "TLS";
            session = session.start_tls(Arc::clone(config), self.name.clone()).await?;
        }
        course.step = "greeting";
        expect(220, session.reply().await?)?;
        let ehlo = format!("EHLO {}", self.sender.host());
        course.step = "EHLO";
        let mut hello = expect(250, session.command(&ehlo).await?)?;
        if let (Tls::StartTls, Some(config)) = (self.tls, &self.config) {
            course.step = "STARTTLS";
            let offered = |line: &String| line.trim_end().eq_ignore_ascii_case("STARTTLS");
            if !hello.lines.iter().skip(1).any(offered) {
                let text = "it does not offer it, or somebody on the way has removed it; another \
                            port, or tls = \"implicit\"?";
                return Err(Stop::Missing(text.to_owned()));
            }
            expect(220, session.command("STARTTLS").await?)?;
            session = session.start_tls(Arc::clone(config), self.name.clone()).await?;
            // What it said in the clear could be anybody's (RFC 3207 section 4.2).
            course.step = "EHLO under TLS";
            hello = expect(250, session.command(&ehlo).await?)?;
        }
        Ok((session, hello))
    }

    fn explain(&self, stop: Stop, course: &Course, scrub: impl Fn(&str) -> String) -> Failure {
        let Self { server, port, limit, .. } = self;
        let at = format!("{server} port {port}: {}", course.step);
        match stop {
            Stop::Failure(failure) => failure,
            Stop::Missing(text) => Failure::Unavailable(format!("{at}: {text}")),
            Stop::Reply(reply) => {
                let text = format!("{at}: {}", scrub(&reply.text()));
                if course.step == "RCPT" && about_mailbox(&reply) {
                    Failure::Refused(text)
                } else {
                    Failure::Unavailable(text)
                }
            }
            Stop::Wire(error) => {
                let why = match error.kind() {
                    io::ErrorKind::TimedOut => format!("no answer within {} s", limit.as_secs()),
                    _ => scrub(&error.to_string()),
                };
                let text = format!("{at}: {why}");
                if course.told { Failure::Unknown(text) } else { Failure::Unavailable(text) }
            }
        }
    }
}

fn expect(code: u16, reply: Reply) -> Result<Reply, Stop> {
    if reply.code == code { Ok(reply) } else { Err(Stop::Reply(reply)) }
}

/// Whether a refused RCPT is about the mailbox, which no other provider can change, and not about
/// the sender (5.1.7, 5.1.8) or the server's policy (RFC 3463).
fn about_mailbox(reply: &Reply) -> bool {
    match reply.enhanced() {
        Some((1, detail)) => reply.code >= 500 && !matches!(detail, 7 | 8),
        Some((0, _)) | None => matches!(reply.code, 550 | 551 | 553),
        Some(_) => false,
    }
}

/// The id that the usual servers tell: "queued as 4F2B1C0" (Postfix), "OK id=1tAbCd-…" (Exim),
/// "48A1 Message accepted for delivery" (Sendmail, OpenSMTPD).
fn queue_id(reply: &str) -> Option<&str> {
    let told = reply.split_once("queued as ").or_else(|| reply.split_once("id="));
    if let Some((_, id)) = told {
        return id.split_whitespace().next();
    }
    let (before, _) = reply.split_once(" Message accepted for delivery")?;
    before.split_whitespace().nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_mailbox_is_final() {
        for (code, text, expected) in [
            (550, "5.1.1 no such user", true),
            (550, "no such user", true),
            (551, "user not local", true),
            (553, "mailbox name not allowed", true),
            (554, "5.1.2 bad host", true),
            (550, "5.0.0 no", true),
            (550, "5.7.1 relaying denied", false),
            (553, "5.1.8 bad sender domain", false),
            (552, "mailbox full", false),
            (554, "no", false),
            (450, "4.1.1 not now", false),
            (421, "busy", false),
        ] {
            let reply = Reply { code, lines: vec![text.to_owned()] };
            assert_eq!(about_mailbox(&reply), expected, "{code} {text}");
        }
    }

    #[test]
    fn the_id_is_found_where_servers_put_it() {
        for (reply, id) in [
            ("250 2.0.0 Ok: queued as 4F2B1C0", Some("4F2B1C0")),
            ("250 OK id=1tAbCd-0000000012X-1aBc", Some("1tAbCd-0000000012X-1aBc")),
            ("250 2.0.0 48A1x Message accepted for delivery", Some("48A1x")),
            ("250 2.0.0: 1a2b3c4d Message accepted for delivery", Some("1a2b3c4d")),
            ("250 OK", None),
            ("250 queued as ", None),
        ] {
            assert_eq!(queue_id(reply), id, "{reply}");
        }
    }
}
