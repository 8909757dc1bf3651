//! The daemon's log: the journal with fields where there is one, else syslog, else stderr.
//!
//! Every message begins with `OTP. ` and is one line of printable characters, whatever a caller
//! brought along. A log that does not take lines never holds up a login: such lines are counted,
//! and the count is told as soon as lines are taken again.

use std::{
    fmt::Write as _,
    io::{self, Write},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use log::{Level, LevelFilter, Log, Metadata, Record, kv};
use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

/// The journal's native socket.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// The socket of every syslog daemon.
const SYSLOG: &str = "/dev/log";
/// How long one line may wait for a log that is busy.
const PATIENCE: Duration = Duration::from_millis(100);
/// Longest message and longest field in characters; what is longer is cut.
const LONGEST: usize = 1024;

/// Sends this process's log to the journal, else to syslog, else to stderr; with `stderr` to
/// stderr as well. Records of other crates are kept from warnings up.
///
/// # Errors
/// The process has a logger already.
pub fn init(stderr: bool, level: LevelFilter) -> Result<(), log::SetLoggerError> {
    log::set_boxed_logger(Box::new(Journal::open(Path::new(JOURNAL), Path::new(SYSLOG), stderr)))?;
    log::set_max_level(level);
    Ok(())
}

/// The text with everything that is not printable (control characters, line and paragraph
/// separators, bidirectional and other invisible format characters) as `\u{…}`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let invisible = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        if c.is_control() || invisible {
            line.extend(c.escape_unicode());
        } else {
            line.push(c);
        }
    }
    line
}

/// One record, made printable.
struct Line {
    level: Level,
    message: String,
    fields: Vec<(String, String)>,
}

impl Line {
    fn new(record: &Record<'_>) -> Self {
        let mut line = Self {
            level: record.level(),
            message: bounded(&format!("OTP. {}", record.args())),
            fields: Vec::new(),
        };
        // The visitor below never fails, and a value that cannot be shown is left out.
        let _ = record.key_values().visit(&mut line);
        line
    }

    fn lost(count: u64) -> Self {
        Self {
            level: Level::Warn,
            message: format!(
                "OTP. {count} log lines before this one were lost: the log did not take them"
            ),
            fields: Vec::new(),
        }
    }

    fn severity(&self) -> Severity {
        match self.level {
            Level::Error => Severity::LOG_ERR,
            Level::Warn => Severity::LOG_WARNING,
            Level::Info => Severity::LOG_INFO,
            Level::Debug | Level::Trace => Severity::LOG_DEBUG,
        }
    }

    /// The message and its fields as `key=value`; a value in which a reader could lose its way is
    /// quoted.
    fn flat(&self) -> String {
        let mut text = self.message.clone();
        for (key, value) in &self.fields {
            let plain = !value.is_empty() && !value.contains([' ', '"', '\\', '=']);
            let quoted = || format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            // Writing to a String cannot fail.
            let _ = write!(text, " {key}={}", if plain { value.clone() } else { quoted() });
        }
        text
    }

    /// The journal's native protocol (systemd's JOURNAL_NATIVE_PROTOCOL); values have no newline.
    fn native(&self) -> String {
        let mut text = format!(
            "MESSAGE={}\nPRIORITY={}\nSYSLOG_FACILITY={}\nSYSLOG_IDENTIFIER=otpd\nSYSLOG_PID={}\n",
            self.message,
            self.severity() as u8,
            Facility::LOG_AUTHPRIV as u8 >> 3,
            std::process::id(),
        );
        for (key, value) in &self.fields {
            let _ = writeln!(text, "OTP_{}={value}", key.to_ascii_uppercase());
        }
        text
    }
}

impl<'kvs> kv::VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let key: String = key
            .as_str()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(60)
            .collect();
        self.fields.push((key, bounded(&value.to_string())));
        Ok(())
    }
}

fn bounded(text: &str) -> String {
    printable(text).chars().take(LONGEST).collect()
}

/// RFC 3164 without the optional time stamp: every syslog daemon then takes its own clock and zone.
struct Untimed;

impl LogFormat<&Line> for Untimed {
    fn format<W: Write>(
        &self,
        writer: &mut W,
        severity: Severity,
        line: &Line,
    ) -> syslog::Result<()> {
        let priority = Facility::LOG_AUTHPRIV as u8 | severity as u8;
        write!(writer, "<{priority}>otpd[{}]: {}", std::process::id(), line.flat())
            .map_err(syslog::Error::Write)
    }
}

enum Target {
    Journal(PathBuf),
    Syslog(PathBuf),
    None,
}

enum Connection {
    Journal(UnixDatagram),
    Syslog(Logger<LoggerBackend, Untimed>),
}

impl Connection {
    /// `patient`: a full socket is waited for, though not for ever.
    fn open(target: &Target, patient: bool) -> io::Result<Option<Self>> {
        let bound = |socket: &UnixDatagram| {
            if patient {
                socket.set_write_timeout(Some(PATIENCE))
            } else {
                socket.set_nonblocking(true)
            }
        };
        match target {
            Target::Journal(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                bound(&socket)?;
                Ok(Some(Self::Journal(socket)))
            }
            Target::Syslog(path) => {
                let logger = syslog::unix_custom(Untimed, path).map_err(io::Error::other)?;
                match &logger.backend {
                    LoggerBackend::Unix(socket) => bound(socket)?,
                    LoggerBackend::UnixStream(stream) => {
                        stream.get_ref().set_write_timeout(Some(PATIENCE))?
                    }
                    LoggerBackend::Udp(..) | LoggerBackend::Tcp(..) => {}
                }
                Ok(Some(Self::Syslog(logger)))
            }
            Target::None => Ok(None),
        }
    }

    fn send(&mut self, line: &Line) -> io::Result<()> {
        match self {
            Self::Journal(socket) => socket.send(line.native().as_bytes()).map(drop),
            Self::Syslog(logger) => logger
                .formatter
                .format(&mut logger.backend, line.severity(), line)
                .map_err(io::Error::other),
        }
    }
}

/// The connection as it is, and how many lines it did not take.
#[derive(Default)]
struct Channel {
    connection: Option<Connection>,
    lost: u64,
}

impl Channel {
    fn deliver(&mut self, target: &Target, line: &Line) {
        if self.lost > 0 && self.attempt(target, &Line::lost(self.lost)).is_ok() {
            self.lost = 0;
            // The next connection is patient again.
            self.connection = None;
        }
        // A daemon that was restarted has a new socket under the old name: the second try finds it.
        if self.lost > 0
            || (self.attempt(target, line).is_err() && self.attempt(target, line).is_err())
        {
            self.lost = self.lost.saturating_add(1);
        }
    }

    fn attempt(&mut self, target: &Target, line: &Line) -> io::Result<()> {
        if self.connection.is_none() {
            self.connection = Connection::open(target, self.lost == 0)?;
        }
        let result = self.connection.as_mut().map_or(Ok(()), |connection| connection.send(line));
        if result.is_err() {
            self.connection = None;
        }
        result
    }
}

/// The logger.
struct Journal {
    target: Target,
    stderr: bool,
    channel: Mutex<Channel>,
}

impl Journal {
    /// Takes the first of the two sockets that exists.
    fn open(journal: &Path, syslog: &Path, stderr: bool) -> Self {
        let target = if journal.exists() {
            Target::Journal(journal.to_owned())
        } else if syslog.exists() {
            Target::Syslog(syslog.to_owned())
        } else {
            Target::None
        };
        let stderr = stderr || matches!(target, Target::None);
        Self { target, stderr, channel: Mutex::default() }
    }
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let most = match metadata.target().split("::").next() {
            Some("otpd") => return true,
            // It warns of every connection that is let go of.
            Some("ldap3") => Level::Error,
            _ => Level::Warn,
        };
        metadata.level() <= most
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line::new(record);
        if self.stderr {
            // Nobody is left to be told that stderr does not take it.
            let _ = writeln!(
                io::stderr().lock(),
                "otpd: {}: {}",
                line.level.as_str().to_ascii_lowercase(),
                line.flat()
            );
        }
        self.channel.lock().unwrap_or_else(PoisonError::into_inner).deliver(&self.target, &line);
    }

    fn flush(&self) {}
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
