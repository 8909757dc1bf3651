//! A PAM application for the tests: one thread, real libpam, every message and reply from and to
//! the test over standard input and output.

mod libpam;

use std::io::{self, BufRead, Write, stdin, stdout};

use harness::protocol::{Answer, Order, Report};

fn main() -> io::Result<()> {
    while let Some(order) = next()? {
        match order {
            Order::Login(request) => {
                let ended = libpam::login(&request, &mut ask);
                tell(&Report::Ended(ended))?;
            }
            Order::Race(logins) => tell(&Report::Codes(libpam::race(&logins)?))?,
            Order::Answer(_) => return Err(io::Error::other("an answer without a question")),
        }
    }
    Ok(())
}

/// Passes messages to the test and waits for what it answers.
fn ask(messages: Vec<(i32, Vec<u8>)>) -> Answer {
    const PAM_CONV_ERR: i32 = 19;
    match tell(&Report::Messages(messages)).and_then(|()| next()) {
        Ok(Some(Order::Answer(answer))) => answer,
        _ => Answer::Error(PAM_CONV_ERR),
    }
}

fn tell(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    stdout().write_all(&line)?;
    stdout().flush()
}

/// The next order; `None` at the end of the input.
fn next() -> io::Result<Option<Order>> {
    let mut line = String::new();
    if stdin().lock().read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
