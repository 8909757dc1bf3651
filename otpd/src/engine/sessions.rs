//! Logins that wait at their prompt. They live in memory only: what they lead to is persisted,
//! they themselves are not.

use std::collections::{HashMap, VecDeque};

use otp_ipc::Context;

use super::{
    Caller, Connection, challenge::Notice, circumstances::Circumstances, offer::Shown,
    person::Person,
};
use crate::config::Limits;

/// Words that a login may type in place of a code: enough for every way twice.
const MOST_WORDS: u8 = 12;

/// Connections that are remembered after their end: more than end while one login begins.
const ENDED: usize = 256;

/// One login between its prompt and its answer.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Who began it; only this connection may answer.
    pub(super) caller: Caller,
    /// The user as asked for; not every name is one that a user can have.
    pub(super) user: String,
    /// The user id of the account of that name, where there is one.
    pub(super) uid: Option<u32>,
    /// What came along.
    pub(super) context: Context,
    /// What its policy is chosen by.
    pub(super) found: Circumstances,
    /// Whatever is answered, the answer is no: the policy denies, the name can be nobody's, or it
    /// is no longer that of the person whose tokens there are.
    pub(super) hopeless: bool,
    /// What the directories said.
    pub(super) person: Person,
    /// Monotonic milliseconds after which the answer is too late.
    pub(super) until_ms: u64,
    /// How many characters at the end of password and code in one field are the code.
    pub(super) split: Option<u32>,
    /// It waits for an issued code, in place of the password.
    pub(super) issued: bool,
    /// Whoever began it is believed about where it comes from: root, or a trusted caller.
    pub(super) vouched: bool,
    /// What the prompt says of a delivered code, where it speaks of one.
    pub(super) notice: Option<Notice>,
    /// The key that the prompt asks the first code of, where it shows one.
    pub(super) shown: Option<Shown>,
    /// Words that were typed in place of a code.
    pub(super) words: u8,
}

impl Session {
    /// A login that is about to be prompted; no answer opens it until more is said of it.
    pub(super) fn new(
        caller: &Caller,
        user: &str,
        context: Context,
        found: Circumstances,
        person: Person,
    ) -> Self {
        Self {
            caller: caller.clone(),
            user: user.to_owned(),
            uid: None,
            context,
            found,
            hopeless: true,
            person,
            until_ms: 0,
            split: None,
            issued: false,
            vouched: false,
            notice: None,
            shown: None,
            words: 0,
        }
    }
}

/// Why no session can be begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All sessions, found by their id.
#[derive(Debug)]
pub(super) struct Sessions {
    by_id: HashMap<String, Session>,
    per_uid: HashMap<u32, usize>,
    /// Connections that have ended, the latest last: a login may still be about to begin on one.
    ended: VecDeque<Connection>,
    limit: usize,
    limit_per_uid: usize,
}

impl Sessions {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut sessions = Self {
            by_id: HashMap::new(),
            per_uid: HashMap::new(),
            ended: VecDeque::new(),
            limit: 0,
            limit_per_uid: 0,
        };
        sessions.resize(limits);
        sessions
    }

    pub(super) fn resize(&mut self, limits: &Limits) {
        self.limit = limits.sessions as usize;
        self.limit_per_uid = limits.sessions_per_user as usize;
    }

    /// Whether one more session has room; see [`Sessions::begin`].
    pub(super) fn has_room(&mut self, uid: u32, for_many: bool, now_ms: u64) -> bool {
        self.admits(uid, for_many) || {
            self.expire(now_ms);
            self.admits(uid, for_many)
        }
    }

    /// Adds a session. Root's logins are bounded by the total alone, everybody else's also by half
    /// of the total, so that no user can crowd out root's, and by a number of their own, unless
    /// the caller logs in many people (`for_many`).
    pub(super) fn begin(
        &mut self,
        id: String,
        session: Session,
        for_many: bool,
        now_ms: u64,
    ) -> Result<(), Full> {
        let uid = session.caller.uid;
        if !self.has_room(uid, for_many, now_ms) {
            return Err(Full);
        }
        // Its connection has ended while the login was begun: nobody can answer it.
        if self.ended.contains(&session.caller.connection) {
            return Ok(());
        }
        *self.per_uid.entry(uid).or_default() += 1;
        self.by_id.insert(id, session);
        Ok(())
    }

    fn admits(&self, uid: u32, for_many: bool) -> bool {
        if uid == 0 {
            return self.by_id.len() < self.limit;
        }
        let own = self.per_uid.get(&uid).copied().unwrap_or_default();
        let others = self.by_id.len() - self.per_uid.get(&0).copied().unwrap_or_default();
        (for_many || own < self.limit_per_uid)
            && others < self.limit / 2
            && self.by_id.len() < self.limit
    }

    /// The session as it is, for a word that was typed at its prompt; `None` where there is none of
    /// this id for this connection, and after too many words.
    pub(super) fn word(&mut self, id: &str, connection: &Connection) -> Option<Session> {
        let session = self.by_id.get_mut(id)?;
        if session.caller.connection != *connection || session.words >= MOST_WORDS {
            return None;
        }
        session.words += 1;
        Some(session.clone())
    }

    /// Whether the session waits for an issued code, which nothing at all declines.
    pub(super) fn waits_for_issued(&self, id: &str, connection: &Connection) -> bool {
        let session = self.by_id.get(id);
        session.is_some_and(|session| session.issued && session.caller.connection == *connection)
    }

    /// Puts down what a session's new prompt says; false where the session is over.
    pub(super) fn say(&mut self, id: &str, notice: Option<Notice>, shown: Option<Shown>) -> bool {
        let Some(session) = self.by_id.get_mut(id) else { return false };
        (session.notice, session.shown) = (notice, shown);
        true
    }

    /// Takes the session out, so that it is answered once. `None` where there is none of this id
    /// for this connection.
    pub(super) fn take(&mut self, id: &str, connection: &Connection) -> Option<Session> {
        if self.by_id.get(id).is_none_or(|session| session.caller.connection != *connection) {
            return None;
        }
        let session = self.by_id.remove(id)?;
        self.forget(session.caller.uid);
        Some(session)
    }

    /// Ends every session of a connection that is gone.
    pub(super) fn leave(&mut self, connection: &Connection) {
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(connection.clone());
        self.retain(|session| session.caller.connection != *connection);
    }

    /// Ends every session of the system bus: a bus that is started anew gives the same names to
    /// other clients.
    pub(super) fn leave_bus(&mut self) {
        self.ended.clear();
        self.retain(|session| !matches!(session.caller.connection, Connection::Bus(_)));
    }

    /// Ends the sessions whose time is over.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.retain(|session| now_ms < session.until_ms);
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn retain(&mut self, keep: impl Fn(&Session) -> bool) {
        let mut gone = Vec::new();
        self.by_id.retain(|_, session| {
            let keep = keep(session);
            if !keep {
                gone.push(session.caller.uid);
            }
            keep
        });
        for uid in gone {
            self.forget(uid);
        }
    }

    fn forget(&mut self, uid: u32) {
        if let Some(count) = self.per_uid.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                self.per_uid.remove(&uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(uid: u32, connection: Connection, until_ms: u64) -> Session {
        let (caller, context) = (Caller { uid, connection }, Context::default());
        let found = Circumstances::of(&context);
        let session = Session::new(&caller, "alice", context, found, Person::default());
        Session { until_ms, ..session }
    }

    fn table(limit: u32, per_user: u32) -> Sessions {
        Sessions::new(&Limits {
            sessions: limit,
            sessions_per_user: per_user,
            calls_per_user: 1,
            prompt_lifetime_ms: 1,
            connections: 1,
        })
    }

    #[test]
    fn a_session_is_answered_once_and_by_its_own_connection() {
        let mut table = table(10, 10);
        let (own, other) = (Connection::Direct(1), Connection::Bus(":1.7".into()));
        table.begin("a".into(), session(0, own.clone(), 10), false, 0).unwrap();
        assert!(table.take("a", &other).is_none());
        assert!(table.take("b", &own).is_none());
        assert!(table.take("a", &own).is_some());
        assert!(table.take("a", &own).is_none());
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn a_user_cannot_crowd_out_root() {
        let mut table = table(8, 3);
        let bus = |n: u32| Connection::Bus(format!(":1.{n}"));
        for n in 0..3 {
            table.begin(format!("u{n}"), session(1000, bus(n), 10), false, 0).unwrap();
        }
        assert_eq!(table.begin("u3".into(), session(1000, bus(3), 10), false, 0), Err(Full));
        table.begin("v0".into(), session(1001, bus(4), 10), false, 0).unwrap();
        assert_eq!(table.begin("v1".into(), session(1001, bus(5), 10), false, 0), Err(Full));
        for n in 0..4 {
            table.begin(format!("r{n}"), session(0, Connection::Direct(n), 10), false, 0).unwrap();
        }
        assert_eq!(
            table.begin("r4".into(), session(0, Connection::Direct(9), 10), false, 0),
            Err(Full)
        );
    }

    #[test]
    fn room_comes_back_when_a_connection_leaves_or_time_is_over() {
        let mut table = table(2, 2);
        table.begin("a".into(), session(0, Connection::Direct(1), 10), false, 0).unwrap();
        table.begin("b".into(), session(0, Connection::Direct(2), 20), false, 0).unwrap();
        assert_eq!(
            table.begin("c".into(), session(0, Connection::Direct(3), 20), false, 9),
            Err(Full)
        );
        table.begin("c".into(), session(0, Connection::Direct(3), 20), false, 10).unwrap();
        table.leave(&Connection::Direct(2));
        assert_eq!(table.len(), 1);
        assert!(table.take("c", &Connection::Direct(3)).is_some());
    }
}
