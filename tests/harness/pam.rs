//! Logins on the real libpam, in a process of their own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{ChildStderr, ChildStdin, ChildStdout, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    namespace::PROGRAMS,
    process::{Process, command, descriptors, status},
    protocol::{Answer, Ended, Order, Report, Request},
};

/// PAM return codes, as `_pam_types.h` numbers them.
pub mod code {
    #![allow(missing_docs, reason = "the names are libpam's")]
    pub const SUCCESS: i32 = 0;
    pub const SERVICE_ERR: i32 = 3;
    pub const AUTH_ERR: i32 = 7;
    pub const AUTHINFO_UNAVAIL: i32 = 9;
    pub const PERM_DENIED: i32 = 6;
    pub const CONV_ERR: i32 = 19;
    pub const IGNORE: i32 = 25;
    pub const ABORT: i32 = 26;
}

/// A login that is to run.
#[derive(Clone, Debug, Default)]
pub struct Login(pub Request);

impl Login {
    /// `user` logs in at `service`.
    pub fn new(service: &str, user: &str) -> Self {
        Self(Request {
            service: service.to_owned(),
            user: Some(user.as_bytes().to_vec()),
            ..Request::default()
        })
    }

    /// With a user name of any bytes.
    pub fn bytes(service: &str, user: &[u8]) -> Self {
        Self(Request {
            service: service.to_owned(),
            user: Some(user.to_vec()),
            ..Request::default()
        })
    }
}

/// How a login went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What libpam returned.
    pub ended: Ended,
    /// What was shown and asked, a line for each message: its style and its text.
    pub transcript: String,
    /// How many prompts there were.
    pub prompts: usize,
}

impl Outcome {
    /// The PAM code.
    pub fn code(&self) -> i32 {
        self.ended.code
    }

    /// Time in libpam without the time of the conversation.
    pub fn machine(&self) -> Duration {
        Duration::from_micros(self.ended.machine_us)
    }
}

/// A running PAM application.
pub struct Host {
    process: Process,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    errors: Option<JoinHandle<String>>,
}

impl Host {
    /// Starts one with a user id; 0 is what sshd, sudo, su and login are.
    pub(crate) fn start(uid: u32, environment: &[(&str, &str)]) -> Self {
        let mut program = command(&format!("{PROGRAMS}/pam-host"));
        program
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if uid != 0 {
            program.uid(uid).gid(uid);
        }
        let mut process = Process::start(&mut program);
        let child = process.child();
        let (orders, reports) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let errors = collect(child.stderr.take().unwrap());
        Self { process, orders, reports, errors: Some(errors) }
    }

    /// Runs a login; `replies` go to its prompts in turn, and none is left when they run out.
    pub fn login(&mut self, login: Login, replies: &[&[u8]]) -> Outcome {
        let mut replies = replies.iter();
        self.converse(login, |_| match replies.next() {
            Some(reply) => Answer::Replies(vec![Some(reply.to_vec())]),
            None => Answer::Replies(vec![None]),
        })
    }

    /// Runs a login; `answer` is its conversation.
    pub fn converse(
        &mut self,
        login: Login,
        mut answer: impl FnMut(&[(i32, Vec<u8>)]) -> Answer,
    ) -> Outcome {
        self.order(&Order::Login(Box::new(login.0)));
        let (mut transcript, mut prompts) = (String::new(), 0);
        loop {
            match self.report() {
                Report::Messages(messages) => {
                    prompts += note(&mut transcript, &messages);
                    let answer = answer(&messages);
                    self.order(&Order::Answer(answer));
                }
                Report::Ended(ended) => return Outcome { ended, transcript, prompts },
                Report::Codes(_) => panic!("the host answered a race"),
            }
        }
    }

    /// Starts a login and leaves it to itself.
    pub fn begin(&mut self, login: Login) {
        self.order(&Order::Login(Box::new(login.0)));
    }

    /// Starts a login and leaves it waiting at its first prompt; returns the prompt's text.
    pub fn wait_at_prompt(&mut self, login: Login) -> String {
        self.begin(login);
        self.prompt()
    }

    /// The first prompt of the login that [`Host::begin`] started.
    pub fn prompt(&mut self) -> String {
        match self.report() {
            Report::Messages(messages) => {
                let mut transcript = String::new();
                note(&mut transcript, &messages);
                transcript
            }
            other => panic!("no prompt but {other:?}"),
        }
    }

    /// Answers the prompt of [`Host::wait_at_prompt`] and ends that login.
    pub fn answer(&mut self, reply: &[u8]) -> Outcome {
        self.order(&Order::Answer(Answer::Replies(vec![Some(reply.to_vec())])));
        match self.report() {
            Report::Ended(ended) => Outcome { ended, transcript: String::new(), prompts: 1 },
            other => panic!("no end but {other:?}"),
        }
    }

    /// Runs logins in a process each, all released at once, each with its one reply.
    pub fn race(&mut self, logins: Vec<(Login, String)>) -> Vec<i32> {
        let logins = logins.into_iter().map(|(login, reply)| (login.0, reply.into_bytes()));
        self.order(&Order::Race(logins.collect()));
        match self.report() {
            Report::Codes(codes) => codes,
            other => panic!("no codes but {other:?}"),
        }
    }

    /// Threads, file descriptors and resident kilobytes of the application.
    pub fn footprint(&self) -> (usize, usize, usize) {
        let pid = self.process.pid();
        let status = status(pid);
        let number =
            |field: &str| status[field].split_whitespace().next().unwrap().parse().unwrap();
        (number("Threads"), descriptors(pid), number("VmRSS"))
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Ends the application; returns its exit code and what it wrote to its standard error.
    pub fn end(self) -> (i32, String) {
        let Self { mut process, orders, errors, .. } = self;
        drop(orders);
        let status = process.wait(Duration::from_secs(10)).expect("the host ends with its input");
        (
            status.code().unwrap_or(-1),
            errors.map(|thread| thread.join().unwrap()).unwrap_or_default(),
        )
    }

    fn order(&mut self, order: &Order) {
        let mut line = serde_json::to_vec(order).unwrap();
        line.push(b'\n');
        self.orders.write_all(&line).expect("the host reads");
        self.orders.flush().unwrap();
    }

    fn report(&mut self) -> Report {
        let mut line = String::new();
        self.reports.read_line(&mut line).unwrap();
        if line.is_empty() {
            let status = self.process.wait(Duration::from_secs(5));
            let errors = self.errors.take().map(|thread| thread.join().unwrap());
            panic!("the PAM application died: {status:?} {errors:?}");
        }
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// Writes messages down as `STYLE TEXT`; returns how many of them ask for a reply.
fn note(transcript: &mut String, messages: &[(i32, Vec<u8>)]) -> usize {
    for (style, text) in messages {
        let style = match style {
            1 => "hidden",
            2 => "shown",
            3 => "error",
            4 => "info",
            _ => "other",
        };
        *transcript += &format!("{style}: {:?}\n", String::from_utf8_lossy(text));
    }
    messages.iter().filter(|(style, _)| *style <= 2).count()
}

fn collect(mut stderr: ChildStderr) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    })
}
