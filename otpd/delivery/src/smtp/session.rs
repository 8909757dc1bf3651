//! The lines of one SMTP connection (RFC 5321), bounded whatever the server does.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// Most bytes in one reply.
const REPLY: u64 = 8 * 1024;
/// How many addresses of a server are tried.
const ADDRESSES: usize = 4;

/// What is spoken over: TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One connection.
pub(super) struct Session(BufReader<Box<dyn Stream>>);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// 200–599.
    pub(super) code: u16,
    /// The texts behind the code, one for each line.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// In one line, with the code.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    /// The enhanced status code (RFC 3463) as subject and detail, if it fits the code.
    pub(super) fn enhanced(&self) -> Option<(u16, u16)> {
        let mut numbers = self.lines.first()?.split([' ', ':']).next()?.split('.');
        let (class, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let fits = class.parse() == Ok(self.code / 100) && numbers.next().is_none();
        fits.then_some((subject.parse().ok()?, detail.parse().ok()?))
    }
}

impl Session {
    /// Connects to one of the server's addresses.
    pub(super) async fn connect(server: &str, port: u16, limit: Duration) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> =
            lookup_host((server, port)).await?.take(ADDRESSES).collect();
        let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the server has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(Self(BufReader::new(Box::new(stream)))),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }

    /// Goes on under TLS. What the server has sent ahead in the clear could be anybody's, and
    /// must not be taken for something that came under TLS.
    pub(super) async fn start_tls(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        if !self.0.buffer().is_empty() {
            return Err(broken("it sent more than one answer before TLS"));
        }
        let stream = TlsConnector::from(config).connect(name, self.0.into_inner()).await?;
        Ok(Self(BufReader::new(Box::new(stream))))
    }

    /// Sends one line and waits for the reply.
    pub(super) async fn command(&mut self, line: &str) -> io::Result<Reply> {
        if line.contains(['\r', '\n']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a command is one line"));
        }
        self.write(Zeroizing::new(format!("{line}\r\n")).as_bytes()).await?;
        self.reply().await
    }

    /// Sends an e-mail, whose lines end in CR LF, with its end, and waits for the reply.
    pub(super) async fn data(&mut self, mail: &[u8]) -> io::Result<Reply> {
        self.write(&stuffed(mail)).await?;
        self.reply().await
    }

    /// Says good-bye.
    pub(super) async fn quit(&mut self) -> io::Result<()> {
        self.command("QUIT").await?;
        self.0.get_mut().shutdown().await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.0.get_mut();
        stream.write_all(bytes).await?;
        stream.flush().await
    }

    /// Reads a reply of one or several lines (RFC 5321 section 4.2).
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        let mut stream = (&mut self.0).take(REPLY);
        let mut reply = Reply { code: 0, lines: Vec::new() };
        loop {
            let mut line = Vec::new();
            stream.read_until(b'\n', &mut line).await?;
            if !line.ends_with(b"\n") {
                return Err(match stream.limit() {
                    0 => broken("its answer is too long"),
                    _ => io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"),
                });
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let (code, last, text) = parse(line).ok_or_else(|| broken("it does not speak SMTP"))?;
            if !reply.lines.is_empty() && code != reply.code {
                return Err(broken("its answer has two codes"));
            }
            reply.code = code;
            reply.lines.push(text.to_owned());
            if last {
                return Ok(reply);
            }
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Code, whether it is the last line, text.
fn parse(line: &str) -> Option<(u16, bool, &str)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code = Some(digits).filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()))?;
    let code = code.parse().ok().filter(|code| (200..=599).contains(code))?;
    match rest.strip_prefix('-') {
        Some(text) => Some((code, false, text)),
        None if rest.is_empty() => Some((code, true, rest)),
        None => Some((code, true, rest.strip_prefix(' ')?)),
    }
}

/// Doubles the dots at the start of lines, and adds the end (RFC 5321 section 4.5.2).
fn stuffed(mail: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(mail.len() * 2 + 5));
    for line in mail.split_inclusive(|c| *c == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_start_of_a_line_is_doubled() {
        for (mail, stuffed_mail) in [
            ("a\r\n", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a.\r\n.b\r\n\r\n..c\r\n", "a.\r\n..b\r\n\r\n...c\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(mail.as_bytes()).as_slice(), stuffed_mail.as_bytes());
        }
    }

    #[test]
    fn enhanced_codes_count_where_they_fit() {
        let enhanced = |code, line: &str| Reply { code, lines: vec![line.to_owned()] }.enhanced();
        for (code, line, expected) in [
            (550, "5.1.1 no such user", Some((1, 1))),
            (550, "5.1.1: no such user", Some((1, 1))),
            (250, "2.1.5 ok", Some((1, 5))),
            (550, "4.1.1 no", None),
            (550, "5.1 no", None),
            (550, "5.1.1.1 no", None),
            (550, "", None),
            (550, "no 5.1.1", None),
        ] {
            assert_eq!(enhanced(code, line), expected, "{line}");
        }
    }

    #[tokio::test]
    async fn replies_are_read_line_by_line_and_bounded() {
        let endless = format!("250 {}\r\n", "x".repeat(9000));
        let lines = "250-x\r\n".repeat(2000);
        for (sent, expected) in [
            ("250 ok\r\n", Ok((250, vec!["ok"]))),
            ("250\n", Ok((250, vec![""]))),
            ("250-a\r\n250-  \r\n250 c\r\n", Ok((250, vec!["a", "  ", "c"]))),
            ("250-a\r\n550 b\r\n", Err("two codes")),
            ("HTTP/1.1 200 OK\r\n", Err("does not speak SMTP")),
            ("199 ok\r\n", Err("does not speak SMTP")),
            ("25\u{e9} ok\r\n", Err("does not speak SMTP")),
            ("250ok\r\n", Err("does not speak SMTP")),
            ("\r\n", Err("does not speak SMTP")),
            ("250 ok", Err("closed the connection")),
            ("", Err("closed the connection")),
            (&endless, Err("too long")),
            (&lines, Err("too long")),
        ] {
            let stream = tokio::io::join(io::Cursor::new(sent.to_owned()), tokio::io::sink());
            let reply = Session(BufReader::new(Box::new(stream))).reply().await;
            match (reply, expected) {
                (Ok(reply), Ok((code, lines))) => {
                    assert_eq!(
                        (reply.code, reply.lines),
                        (code, lines.iter().map(ToString::to_string).collect())
                    );
                }
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
                (reply, _) => panic!("{sent:?}: {reply:?}"),
            }
        }
    }
}
