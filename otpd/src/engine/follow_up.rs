//! What follows a request to share: a command of the administrator's for each transition, started
//! beside the calls, which never wait for it.

use std::{
    collections::HashMap,
    ffi::OsStr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use otp_delivery::program::Program;
use serde::Serialize;
use tokio::sync::mpsc;

use super::Engine;
use crate::config::{FollowUp, Transition};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Commands that may wait for their turn: in all, and of the requests of one user who is not root.
const WAITING: (usize, usize) = (64, 4);
/// How much of a command's complaint is logged, in characters.
const COMPLAINT: usize = 200;

/// How a request to share has ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) transition: Transition,
    pub(super) user: String,
    pub(super) token: Option<String>,
    pub(super) caller: u32,
    /// Of a failure.
    pub(super) why: Option<String>,
}

/// What a command is told, as JSON on its standard input. No secret is in it.
#[derive(Serialize)]
struct Document<'a> {
    transition: &'static str,
    user: &'a str,
    token: Option<&'a str>,
    caller: u32,
    lasterror: Option<u32>,
    lasterrorinfo: Option<&'a str>,
}

/// Commands that wait for their turn.
#[derive(Debug)]
pub(super) struct FollowUps {
    queue: mpsc::Sender<(FollowUp, Ending)>,
    queued: Mutex<Option<mpsc::Receiver<(FollowUp, Ending)>>>,
    waiting: Mutex<HashMap<u32, usize>>,
}

impl Default for FollowUps {
    fn default() -> Self {
        let (queue, queued) = mpsc::channel(WAITING.0);
        Self { queue, queued: Mutex::new(Some(queued)), waiting: Mutex::default() }
    }
}

impl FollowUps {
    /// Takes a place for a request of `caller`, or says that there is none.
    fn enter(&self, caller: u32) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = waiting.entry(caller).or_default();
        let free = caller == 0 || *own < WAITING.1;
        *own += usize::from(free);
        free
    }

    fn leave(&self, caller: u32) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = waiting.get_mut(&caller) {
            *own = own.saturating_sub(1);
        }
        waiting.retain(|_, own| *own > 0);
    }
}

impl Engine {
    /// Has the command of the transition started, if there is one and not too many wait already.
    pub(super) fn follow(&self, ending: Ending) {
        let loaded = self.config();
        let Some(command) = loaded.config.sharing.follow_up(ending.transition) else { return };
        let (name, caller) = (ending.transition.name(), ending.caller);
        let entered = self.follow_ups.enter(caller);
        if entered && self.follow_ups.queue.try_send((command.clone(), ending)).is_ok() {
            return;
        }
        if entered {
            self.follow_ups.leave(caller);
        }
        log::warn!("sharing: {name}: too many commands wait; this one is not started");
    }

    /// Runs the commands one after the other for as long as the daemon runs.
    pub async fn run_follow_ups(self: Arc<Self>) {
        let taken = self.follow_ups.queued.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut queued) = taken else { return };
        while let Some((command, ending)) = queued.recv().await {
            run(&command, &ending).await;
            self.follow_ups.leave(ending.caller);
        }
    }
}

async fn run(command: &FollowUp, ending: &Ending) {
    let (place, name) = (command.program.display(), ending.transition.name());
    let lasterror = match ending.transition {
        Transition::Default | Transition::Ok => None,
        Transition::ClientNotFound => Some(1),
        Transition::NoCredential | Transition::SecretAlreadyShared => Some(11),
        Transition::Failed => Some(99),
    };
    let document = Document {
        transition: name,
        user: &ending.user,
        token: ending.token.as_deref(),
        caller: ending.caller,
        lasterror,
        lasterrorinfo: ending.why.as_deref(),
    };
    // Texts and numbers only: there is nothing in it that JSON cannot say.
    let document = serde_json::to_vec(&document).unwrap_or_default();
    let arguments: Vec<&OsStr> = command.arguments.iter().map(OsStr::new).collect();
    let program = Program {
        path: &command.program,
        arguments: &arguments,
        environment: &[],
        folder: Path::new("/"),
        limit: LIMIT,
    };
    match program.run(&document).await {
        Ok(output) if output.status.success() => log::debug!("sharing: {name}: {place} has ended"),
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let plain = complaint.chars().map(|c| if c.is_control() { ' ' } else { c });
            let complaint: String = plain.take(COMPLAINT).collect();
            log::warn!("sharing: {name}: {place}: {}: {}", output.status, complaint.trim());
        }
        Err(fault) => log::warn!("sharing: {name}: {fault}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_takes_no_place_from_the_others() {
        let follow_ups = FollowUps::default();
        for _ in 0..WAITING.1 {
            assert!(follow_ups.enter(1000));
        }
        assert!(!follow_ups.enter(1000));
        assert!(follow_ups.enter(1001));
        assert!((0..200).all(|_| follow_ups.enter(0)));
        follow_ups.leave(1000);
        assert!(follow_ups.enter(1000));
        assert!(!follow_ups.enter(1000));
    }
}
