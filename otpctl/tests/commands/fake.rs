//! A bus of the test's own, and a Manager on it that answers as the contract says.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use otp_ipc::{
    AuditFilter, AuditRecord, ChangeOptions, ClientDocument, ClientFilter, ClientOptions,
    CodeDocument, CodeFilter, ContactOptions, DirectoryDocument, DirectoryTestDocument,
    EnrolOptions, ExplainDocument, ExplainQuery, IssueOptions, MismatchDocument, PolicyDocument,
    ProviderDocument, ShareDocument, ShareOptions, StatusDocument, TestDocument, TokenDocument,
    TokenFilter, UserDocument, UserFilter, names,
};
use zbus::{DBusError, connection::Builder, interface};

/// The secret of every token here.
pub(crate) const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The first code of every token, and what proves a credential.
pub(crate) const CODE: &[u8] = b"287082";
/// The id of alice's token that is there at the start.
pub(crate) const PHONE: &str = "3f2a91bc5d6e7f8091a2b3c4d5e6f708";
/// Another id that begins with the same six characters.
pub(crate) const KEY: &str = "3f2a91ffffffffff91a2b3c4d5e6f708";
/// The id that the next new token gets.
pub(crate) const NEW: &str = "0123456789abcdef0123456789abcdef";

/// Every code that is issued here.
pub(crate) const OTP: &[u8] = b"77244244";

pub(crate) fn uri() -> String {
    format!(
        "otpauth://totp/login.example.org:alice?secret={SECRET}&issuer=login.example.org\
         &algorithm=SHA1&digits=6&period=30"
    )
}

/// A private bus with a Manager; both end with this.
pub(crate) struct Machine {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) state: Arc<Mutex<State>>,
    bus: Child,
    runtime: tokio::runtime::Runtime,
    service: Option<zbus::Connection>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) tokens: Vec<TokenDocument>,
    pub(crate) users: Vec<UserDocument>,
    pub(crate) records: Vec<AuditRecord>,
    pub(crate) providers: Vec<ProviderDocument>,
    /// Whether "Continue" makes a shared token active.
    pub(crate) acknowledged: bool,
    pub(crate) codes: Vec<CodeDocument>,
    pub(crate) clients: Vec<ClientDocument>,
    /// How much older than this program the daemon is.
    pub(crate) behind: u32,
    /// The calls so far, with their arguments.
    pub(crate) calls: Vec<String>,
}

impl Machine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let config = folder.path().join("bus.conf");
        std::fs::write(
            &config,
            format!(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                 \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
                 <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
                 <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
                 <allow send_type=\"method_call\"/><allow send_destination=\"*\"/>\
                 <allow receive_sender=\"*\"/></policy></busconfig>",
                socket.display()
            ),
        )
        .unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon (package dbus-daemon) starts");
        let mut ready = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(Mutex::new(State::at_the_start()));
        let mut machine = Self { folder, state, bus, runtime, service: None };
        machine.service = Some(machine.serve());
        machine
    }

    fn serve(&self) -> zbus::Connection {
        self.runtime
            .block_on(
                Builder::address(self.address().as_str())
                    .serve_at(names::OBJECT_PATH, Manager(Arc::clone(&self.state)))
                    .name(names::BUS_NAME)
                    .build(),
            )
            .unwrap()
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// otpd ends, the bus stays.
    pub(crate) fn stop_service(&mut self) {
        let service = self.service.take().unwrap();
        self.runtime.block_on(service.close()).unwrap();
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

impl State {
    fn at_the_start() -> Self {
        let user = |name: &str, recovery, lock: &str| UserDocument {
            user: name.into(),
            tokens: 1,
            recovery,
            lock: lock.into(),
            ..UserDocument::default()
        };
        let record = |id, user: &str| AuditRecord {
            id,
            time: 1_767_312_000_000 + id,
            event: "login".into(),
            result: "ok".into(),
            user: user.into(),
            ..AuditRecord::default()
        };
        Self {
            tokens: vec![token(PHONE, "alice", "phone"), token(KEY, "bob", "key")],
            users: vec![user("alice", 7, "locked"), user("bob", 0, "open")],
            records: vec![record(1, "alice"), record(2, "bob"), record(3, "alice")],
            providers: vec![
                provider("sms.main", Some(1)),
                provider("sms.backup", Some(2)),
                provider("email.main", None),
            ],
            acknowledged: false,
            ..Self::default()
        }
    }
}

fn provider(id: &str, order: Option<u32>) -> ProviderDocument {
    let rests = id == "sms.backup";
    ProviderDocument {
        id: id.into(),
        kind: if id == "email.main" { "smtp" } else { "http" }.into(),
        state: if rests { "resting" } else { "ready" }.into(),
        resting_until: rests.then_some(1_767_312_060_000),
        last_failure: rests.then(|| "not sent: status 500\x1b[31m".into()),
        failed_at: rests.then_some(1_767_312_000_000),
        order,
    }
}

fn token(id: &str, user: &str, label: &str) -> TokenDocument {
    TokenDocument {
        id: id.into(),
        user: user.into(),
        label: label.into(),
        method: "totp".into(),
        kind: "totp".into(),
        state: "active".into(),
        algorithm: "sha1".into(),
        digits: 6,
        period_ms: Some(30_000),
        created: 1_767_312_000_000,
        ..TokenDocument::default()
    }
}

/// The errors of the contract.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.pamotp.Otpd1.Error")]
pub(crate) enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    InvalidArgument(String),
    AccessDenied(String),
    UnknownUser(String),
    UnknownToken(String),
    UnknownSession(String),
    NoCredential(String),
    AlreadyShared(String),
    ProofRequired(String),
    Rejected(String),
    WrongState(String),
    Forbidden(String),
    Busy(String),
    SwitchedOff(String),
    UnknownCode(String),
    UnknownClient(String),
    LimitReached(String),
    Unavailable(String),
    InvalidConfiguration(String),
    NotInTheContract(String),
}

impl Error {
    /// The error of a name.
    fn named(name: &str) -> Option<Self> {
        let text = String::from("as asked");
        Some(match name {
            "InvalidArgument" => Self::InvalidArgument(text),
            "AccessDenied" => Self::AccessDenied(text),
            "UnknownUser" => Self::UnknownUser(text),
            "UnknownToken" => Self::UnknownToken(text),
            "UnknownSession" => Self::UnknownSession(text),
            "NoCredential" => Self::NoCredential(text),
            "AlreadyShared" => Self::AlreadyShared(text),
            "ProofRequired" => Self::ProofRequired(text),
            "Rejected" => Self::Rejected(text),
            "WrongState" => Self::WrongState(text),
            "Forbidden" => Self::Forbidden(text),
            "Busy" => Self::Busy(text),
            "SwitchedOff" => Self::SwitchedOff(text),
            "UnknownCode" => Self::UnknownCode(text),
            "UnknownClient" => Self::UnknownClient(text),
            "LimitReached" => Self::LimitReached(text),
            "Unavailable" => Self::Unavailable("the store is \x1b[31mread-only".into()),
            "InvalidConfiguration" => Self::InvalidConfiguration(text),
            "NotInTheContract" => Self::NotInTheContract(text),
            _ => return None,
        })
    }
}

struct Manager(Arc<Mutex<State>>);

impl Manager {
    fn called(&self, call: String) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap();
        state.calls.push(call);
        state
    }
}

/// bob must prove what he has.
fn proven(user: &str, proof: Option<&[u8]>) -> Result<(), Error> {
    match proof {
        _ if user != "bob" => Ok(()),
        None => Err(Error::ProofRequired("bob has a token".into())),
        Some(CODE) => Ok(()),
        Some(_) => Err(Error::Rejected("not the code".into())),
    }
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    bytes.map_or_else(|| "none".into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[interface(name = "org.pamotp.Otpd1.Manager")]
impl Manager {
    fn enrol(&self, user: &str, options: EnrolOptions) -> Result<(String, Vec<u8>), Error> {
        let proof = text(options.proof.as_ref());
        let mut state = self.called(format!(
            "Enrol {user} method={:?} label={:?} active={:?} expires={} proof={proof}",
            options.method,
            options.label,
            options.active,
            options.expires.is_some()
        ));
        if !["alice", "bob", "mute"].contains(&user) {
            return Err(Error::UnknownUser(format!("{user}: no such user here")));
        }
        proven(user, options.proof.as_deref())?;
        if let Some("sms") = options.method.as_deref() {
            let mobile = state.users.iter().find(|known| known.user == user);
            if mobile.is_none_or(|user| user.mobile.is_none()) {
                return Err(Error::NoCredential("no number; set one: `otpctl user set`".into()));
            }
            let new = TokenDocument {
                method: "sms".into(),
                kind: "sms".into(),
                period_ms: None,
                ..token(NEW, user, "sms")
            };
            state.tokens.push(new);
            return Ok((NEW.into(), Vec::new()));
        }
        let mut new = token(NEW, user, options.label.as_deref().unwrap_or("totp"));
        new.state = if options.active == Some(true) { "active" } else { "pending" }.into();
        if options.share == Some(true) {
            new.share = Some("created".into());
            new.share_until = Some(1_767_312_000_000);
            state.tokens.push(new);
            return Ok((NEW.into(), Vec::new()));
        }
        state.tokens.push(new);
        let uri = if user == "mute" { "no uri".into() } else { uri() };
        Ok((NEW.into(), uri.into_bytes()))
    }

    fn confirm(&self, token: &str, code: &[u8]) -> Result<(), Error> {
        let code_text = String::from_utf8_lossy(code).into_owned();
        let mut state = self.called(format!("Confirm {token} {code_text}"));
        if code != CODE {
            return Err(Error::Rejected("not the code".into()));
        }
        if let Some(token) = state.tokens.iter_mut().find(|known| known.id == token) {
            token.share = token.share.take().map(|_| "shared".into());
        }
        state.set(token, "active")
    }

    fn share(&self, target: &str, options: ShareOptions) -> Result<(String, ShareDocument), Error> {
        let mut state = self.called(format!(
            "Share {target} reshare={:?} later={:?} result={:?}",
            options.reshare, options.later, options.result
        ));
        let acknowledged = state.acknowledged;
        match target {
            _ if options.client.is_some() => {
                return Err(Error::UnknownClient("there is no such tenant".into()));
            }
            "mallory" => return Err(Error::AccessDenied("Share is for root".into())),
            _ => {}
        }
        let found = |token: &&mut TokenDocument| {
            token.id == target || token.user == target && token.share.is_some()
        };
        let token = state.tokens.iter_mut().find(found);
        let token = token.ok_or_else(|| Error::NoCredential("no credential".into()))?;
        let mut document = ShareDocument::default();
        (document.token, document.user) = (token.id.clone(), token.user.clone());
        document.confirm = if acknowledged { "ack" } else { "code" }.into();
        if options.result == Some(true) {
            if acknowledged {
                (token.state, token.share) = ("active".into(), Some("shared".into()));
            }
            return Ok(("ok".into(), document));
        }
        if options.reshare == Some(true) {
            (token.state, token.share) = ("pending".into(), Some("created".into()));
        }
        if options.later == Some(true) {
            return Ok(("ok".into(), document));
        }
        if token.share.as_deref() != Some("created") {
            return Err(Error::AlreadyShared("shared already".into()));
        }
        token.share = Some("showing".into());
        document.until = Some(1_767_312_300_000);
        document.content = Some(uri().into_bytes());
        document.secret = Some(SECRET.as_bytes().to_vec());
        document.kind = Some("totp".into());
        document.algorithm = Some("SHA1".into());
        (document.digits, document.period) = (Some(6), Some(30));
        document.account = Some("alice".into());
        document.issuer = Some("login.example.org".into());
        Ok(("default".into(), document))
    }

    fn revoke(&self, token: &str, options: ChangeOptions) -> Result<(), Error> {
        let proof = text(options.proof.as_ref());
        let mut state = self.called(format!("Revoke {token} proof={proof}"));
        let user = state.tokens.iter().find(|known| known.id == token).map(|t| t.user.clone());
        proven(&user.unwrap_or_default(), options.proof.as_deref())?;
        state.tokens.retain(|known| known.id != token);
        Ok(())
    }

    fn enable(&self, token: &str, _options: ChangeOptions) -> Result<(), Error> {
        self.called(format!("Enable {token}")).set(token, "active")
    }

    fn disable(&self, token: &str, options: ChangeOptions) -> Result<(), Error> {
        let mut state = self.called(format!("Disable {token} {:?}", options.reason));
        state.set(token, "disabled")?;
        let token = state.tokens.iter_mut().find(|known| known.id == token).unwrap();
        (token.reason, token.disabled_until) = (options.reason, options.until);
        Ok(())
    }

    fn resync(&self, token: &str, first: &[u8], second: &[u8]) -> Result<(), Error> {
        let codes = [first, second].map(|code| String::from_utf8_lossy(code).into_owned());
        self.called(format!("Resync {token} {}", codes.join(" "))).set(token, "active")
    }

    fn issue_recovery_codes(
        &self,
        user: &str,
        options: ChangeOptions,
    ) -> Result<Vec<Vec<u8>>, Error> {
        drop(self.called(format!("IssueRecoveryCodes {user} {}", text(options.proof.as_ref()))));
        proven(user, options.proof.as_deref())?;
        Ok(vec![b"0000-1111-2222-3333".to_vec(), b"4444-5555-6666-7777".to_vec()])
    }

    fn unlock(&self, user: &str) -> Result<(), Error> {
        drop(self.called(format!("Unlock {user}")));
        Error::named(user).map_or(Ok(()), Err)
    }

    fn reset(&self, user: &str) -> Result<(), Error> {
        drop(self.called(format!("Reset {user}")));
        Ok(())
    }

    fn set_contact(&self, user: &str, contact: ContactOptions) -> Result<(), Error> {
        let mut state = self.called(format!("SetContact {user} {contact:?}"));
        let known = state.users.iter_mut().find(|known| known.user == user);
        let known = known.ok_or_else(|| Error::UnknownUser(user.into()))?;
        if contact.mobile.as_ref().is_some_and(|number| number.contains("CALL")) {
            return Err(Error::InvalidArgument("a telephone number has digits".into()));
        }
        let masked = |new: Option<String>, old: &Option<String>| match new {
            None => old.clone(),
            Some(new) => (!new.is_empty()).then(|| format!("{}*****", &new[..3])),
        };
        known.mobile = masked(contact.mobile, &known.mobile);
        known.mail = masked(contact.mail, &known.mail);
        Ok(())
    }

    fn list_policies(&self) -> Vec<PolicyDocument> {
        drop(self.called("ListPolicies".into()));
        let policy = |name: &str, built_in| PolicyDocument {
            name: name.into(),
            factor: "require".into(),
            unenrolled: "deny".into(),
            built_in,
            ..PolicyDocument::default()
        };
        let office =
            PolicyDocument { source: vec!["10.0.0.0/8".into()], ..policy("office", false) };
        vec![office, policy("built-in", true)]
    }

    fn explain(&self, user: &str, query: ExplainQuery) -> Result<ExplainDocument, Error> {
        let source = query.source.clone().unwrap_or("local".into());
        drop(self.called(format!("Explain {user} {query:?}")));
        if user == "a/b" {
            return Err(Error::InvalidArgument("user: no name".into()));
        }
        let mismatch = MismatchDocument {
            policy: "office".into(),
            key: "source".into(),
            wanted: vec!["10.0.0.0/8".into()],
            found: source.clone(),
            certain: true,
        };
        Ok(ExplainDocument {
            user: user.into(),
            account: (user == "alice").then(|| user.into()),
            enrolled: Some(user == "alice"),
            groups: Some(Vec::new()),
            service: query.service.unwrap(),
            source,
            time: query.time.unwrap_or(1_767_312_000_000),
            passed: vec![mismatch],
            policy: "built-in".into(),
            built_in: true,
            cause: "matches".into(),
            outcome: if user == "alice" { "code" } else { "deny" }.into(),
            ..ExplainDocument::default()
        })
    }

    fn set_administrator(&self, user: &str, administrator: bool) -> Result<(), Error> {
        let mut state = self.called(format!("SetAdministrator {user} {administrator}"));
        let known = state.users.iter_mut().find(|known| known.user == user);
        known.ok_or_else(|| Error::UnknownUser(user.into()))?.administrator = administrator;
        Ok(())
    }

    fn issue_code(
        &self,
        user: &str,
        options: IssueOptions,
    ) -> Result<(String, Vec<u8>, i64), Error> {
        let mut state = self.called(format!("IssueCode {user} {options:?}"));
        if !["alice", "bob"].contains(&user) {
            return Err(Error::UnknownUser(format!("{user}: no such user here")));
        }
        let sent = options.send.is_some();
        state.codes.push(CodeDocument {
            id: NEW.into(),
            user: user.into(),
            state: "open".into(),
            code: Some(OTP.to_vec()),
            left_ms: 7_188_000,
            uses_left: options.uses.unwrap_or(1),
            service: options.service,
            scope: options.scope.unwrap_or_else(|| "both".into()),
            reason: options.reason,
            client: options.client,
            ..CodeDocument::default()
        });
        Ok((NEW.into(), if sent { Vec::new() } else { OTP.to_vec() }, 7_200_000))
    }

    fn list_codes(&self, filter: CodeFilter) -> (Vec<CodeDocument>, u64) {
        let state = self.called("ListCodes".into());
        let wanted = |code: &&CodeDocument| {
            filter.user.as_ref().is_none_or(|user| code.user == *user)
                && filter.id.as_ref().is_none_or(|id| code.id == *id)
        };
        let all: Vec<_> = state.codes.iter().filter(wanted).cloned().collect();
        let total = all.len() as u64;
        (all.into_iter().skip(filter.offset.unwrap_or(0) as usize).collect(), total)
    }

    fn revoke_code(&self, code: &str) -> Result<(), Error> {
        self.called(format!("RevokeCode {code}")).codes.retain(|known| known.id != code);
        Ok(())
    }

    fn add_client(&self, user: &str, options: ClientOptions) -> Result<String, Error> {
        let mut state = self.called(format!("AddClient {user} {options:?}"));
        if state.clients.len() > 2 {
            return Err(Error::LimitReached("no more clients can be registered".into()));
        }
        let id = format!("{:032x}", 0xabcdef + state.clients.len());
        state.clients.push(ClientDocument {
            id: id.chars().rev().collect(),
            user: user.into(),
            description: options.description.unwrap_or_default(),
            identity: if options.identity.is_some() { "*".repeat(36) } else { String::new() },
            enabling: options.enabling.unwrap_or_else(|| "always".into()),
            enabled: true,
            push: options.push.unwrap_or_default(),
            ..ClientDocument::default()
        });
        Ok(id.chars().rev().collect())
    }

    fn set_client(&self, client: &str, options: ClientOptions) -> Result<(), Error> {
        let mut state = self.called(format!("SetClient {client} {options:?}"));
        let known = state.clients.iter_mut().find(|known| known.id == client);
        let known = known.ok_or_else(|| Error::UnknownClient(client.into()))?;
        known.enabling = options.enabling.unwrap_or_default();
        Ok(())
    }

    fn remove_client(&self, client: &str) -> Result<(), Error> {
        self.called(format!("RemoveClient {client}")).clients.retain(|known| known.id != client);
        Ok(())
    }

    fn list_clients(&self, filter: ClientFilter) -> (Vec<ClientDocument>, u64) {
        let shown = filter.show_identities;
        let state = self.called(format!("ListClients {:?} {shown:?}", filter.search));
        let wanted = |client: &&ClientDocument| {
            filter.user.as_ref().is_none_or(|user| client.user == *user)
                && filter.search.as_ref().is_none_or(|text| client.description.contains(text))
        };
        let all: Vec<_> = state.clients.iter().filter(wanted).cloned().collect();
        let total = all.len() as u64;
        let (skip, most) = (filter.offset.unwrap_or(0), filter.limit.unwrap_or(1));
        (all.into_iter().skip(skip as usize).take(most as usize).collect(), total)
    }

    #[zbus(property)]
    fn interface_version(&self) -> u32 {
        names::INTERFACE_VERSION - self.0.lock().unwrap().behind
    }

    fn list_providers(&self) -> Vec<ProviderDocument> {
        self.called("ListProviders".into()).providers.clone()
    }

    fn test_provider(&self, provider: &str, destination: &str) -> Result<TestDocument, Error> {
        drop(self.called(format!("TestProvider {provider} {destination}")));
        let sent = provider != "sms.backup";
        let reply = if sent { "ID: 7\x1b[31m" } else { "not sent: status 500 \"\x1b[31mno\"" };
        Ok(TestDocument {
            provider: provider.into(),
            to: "+49*****81".into(),
            sent,
            reply: reply.into(),
            id: sent.then(|| "7".into()),
        })
    }

    fn list_tokens(&self, filter: TokenFilter) -> (Vec<TokenDocument>, u64) {
        let state = self.called(format!("ListTokens offset={:?}", filter.offset));
        let wanted = |token: &&TokenDocument| {
            filter.user.as_ref().is_none_or(|user| token.user == *user)
                && filter.id.as_ref().is_none_or(|id| token.id == *id)
                && filter.method.as_ref().is_none_or(|method| token.method == *method)
        };
        let all: Vec<_> = state.tokens.iter().filter(wanted).cloned().collect();
        let (skip, most) = (filter.offset.unwrap_or(0), filter.limit.unwrap_or(1).min(2));
        let page = all.iter().skip(skip as usize).take(most as usize).cloned().collect();
        (page, all.len() as u64)
    }

    fn list_users(&self, filter: UserFilter) -> (Vec<UserDocument>, u64) {
        let state = self.called(format!("ListUsers {:?} {:?}", filter.search, filter.locked));
        let wanted = |user: &&UserDocument| {
            filter.user.as_ref().is_none_or(|name| user.user == *name)
                && filter.search.as_ref().is_none_or(|part| user.user.contains(part))
                && filter.locked.is_none_or(|locked| (user.lock != "open") == locked)
        };
        let mut all: Vec<_> = state.users.iter().filter(wanted).cloned().collect();
        if filter.user.is_none() {
            all.iter_mut().for_each(|user| (user.mobile, user.mail) = (None, None));
        }
        let (skip, most) = (filter.offset.unwrap_or(0), filter.limit.unwrap_or(1));
        let page = all.iter().skip(skip as usize).take(most as usize).cloned().collect();
        (page, all.len() as u64)
    }

    fn audit(&self, filter: AuditFilter) -> Vec<AuditRecord> {
        let state = self.called(format!("Audit after={:?}", filter.after));
        let wanted = |record: &&AuditRecord| {
            filter.user.as_ref().is_none_or(|user| record.user == *user)
                && filter.since.is_none_or(|since| record.time >= since)
                && filter.after.is_none_or(|after| record.id > after)
        };
        let all: Vec<_> = state.records.iter().filter(wanted).cloned().collect();
        let skip = all.len().saturating_sub(filter.limit.unwrap_or(1) as usize);
        all.into_iter().skip(skip).collect()
    }

    fn status(&self) -> StatusDocument {
        drop(self.called("Status".into()));
        StatusDocument {
            version: "9.9.9".into(),
            health: "ok".into(),
            since: 1_767_312_000_000,
            store: "sqlite".into(),
            clients_most: 999,
            last_client_source: Some("192.168.3.118".into()),
            ..StatusDocument::default()
        }
    }

    fn list_directories(&self) -> Vec<DirectoryDocument> {
        drop(self.called("ListDirectories".into()));
        let document = |name: &str, kind: &str, state: &str| DirectoryDocument {
            name: name.into(),
            kind: kind.into(),
            state: state.into(),
            ..DirectoryDocument::default()
        };
        let failing = DirectoryDocument {
            last_failure: Some("no answer\x1b[31m within 5s".into()),
            failed_at: Some(1_767_312_000_000),
            ..document("corp", "ldap", "failing")
        };
        vec![document("local", "passwd", "ready"), failing]
    }

    fn test_directory(&self, name: &str, user: &str) -> Result<DirectoryTestDocument, Error> {
        drop(self.called(format!("TestDirectory {name} {user}")));
        let report = DirectoryTestDocument { name: name.into(), ..Default::default() };
        match (name, user) {
            ("corp", _) => {
                let problems = vec!["no answer\x1b[31m within 5s".into(), "no base".into()];
                Ok(DirectoryTestDocument { problems, ..report })
            }
            ("local", "") => Ok(report),
            ("local", "alice") => Ok(DirectoryTestDocument {
                found: Some(true),
                mobile: Some("+49*****81".into()),
                groups: Some(vec!["wheel".into(), "staff".into()]),
                state: Some("active".into()),
                ..report
            }),
            ("local", _) => Ok(DirectoryTestDocument { found: Some(false), ..report }),
            _ => Err(Error::InvalidArgument("there is no directory of this name".into())),
        }
    }

    fn reload(&self) -> Result<(), Error> {
        drop(self.called("Reload".into()));
        Err(Error::InvalidConfiguration("/etc/otpd/otpd.toml:3:1: no key \"x\"".into()))
    }
}

impl State {
    fn set(&mut self, id: &str, state: &str) -> Result<(), Error> {
        let token = self.tokens.iter_mut().find(|known| known.id == id);
        let token = token.ok_or_else(|| Error::UnknownToken(id.into()))?;
        token.state = state.into();
        Ok(())
    }
}
