//! What tells the client of a login from others: what sshd says of its key, its address or its
//! terminal. All of it is the word of whoever began the login.

use std::net::IpAddr;

use data_encoding::{BASE64, BASE64_NOPAD};
use otp_core::{
    client::{Standing, Visit, standing},
    policy::Source,
    schedule::{Schedule, WeekMinute},
};
use otp_ipc::Context;
use sha2::{Digest as _, Sha256};

use super::Ruling;
use crate::{clock::Clock, store::Enrolment};

/// The identity of a login's client: the fingerprint of the ssh key that it brought, else the
/// numeric address that it comes from, else, where it has no remote side, its terminal. A key counts
/// beside an address alone: without one it was not sshd that told of it, as when pam_env reads a
/// user's own file.
pub(super) fn client_of(context: &Context) -> Option<String> {
    let key = context.ssh_key.as_deref().filter(|_| address_of(context).is_some());
    let key = key.and_then(fingerprint);
    let terminal = || {
        let tty = context.tty.as_deref().filter(|_| is_local(context));
        tty.map(|tty| tty.strip_prefix("/dev/").unwrap_or(tty).to_owned())
    };
    let found = key.or_else(|| address_of(context)).or_else(terminal);
    found.filter(|identity| otp_core::client::check_identity(identity).is_ok())
}

/// Whether a login has no remote side: neither PAM_RHOST nor SSH_CONNECTION is set.
pub(super) fn is_local(context: &Context) -> bool {
    let set = |item: &Option<String>| item.as_deref().is_some_and(|text| !text.is_empty());
    !set(&context.rhost) && !set(&context.ssh_connection)
}

/// The numeric address that a login comes from, as far as policies believe it ([`Source::of`]). An
/// IPv4 address within IPv6 is the IPv4 address.
pub(super) fn address_of(context: &Context) -> Option<String> {
    let connection = context.ssh_connection.as_deref().filter(|text| !text.is_empty());
    let Source::Address(_) = Source::of(connection, context.rhost.as_deref()) else { return None };
    let text = match connection {
        Some(connection) => connection.split(' ').next()?,
        None => context.rhost.as_deref()?,
    };
    let (address, zone) = text.split_once('%').map_or((text, None), |(a, z)| (a, Some(z)));
    let address: IpAddr = address.parse().ok()?;
    match zone {
        None => Some(address.to_canonical().to_string()),
        Some(zone) if address.is_ipv6() => Some(format!("{address}%{zone}")),
        Some(_) => None,
    }
}

/// The fingerprint of a key as `ssh-keygen -l` prints it. `None` for what is no key, and for a
/// certificate, whose fingerprint is not the one of its bytes.
fn fingerprint(key: &str) -> Option<String> {
    let blob = BASE64.decode(key.as_bytes()).ok()?;
    let (length, rest) = blob.split_first_chunk()?;
    let kind = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let kind = std::str::from_utf8(kind).ok().filter(|kind| !kind.is_empty())?;
    (!kind.contains("-cert-"))
        .then(|| format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(&blob))))
}

/// Where a login comes from that a client may be remembered for: never the terminal, which the next
/// one in front of it has as well.
pub(super) struct Place {
    service: String,
    identity: String,
    address: String,
}

impl Place {
    pub(super) fn of(context: &Context) -> Option<Self> {
        let address = address_of(context)?;
        let identity = context.ssh_key.as_deref().and_then(fingerprint);
        let service = context.service.clone().filter(|service| !service.is_empty())?;
        Some(Self { service, identity: identity.unwrap_or_else(|| address.clone()), address })
    }

    pub(super) fn visit(&self) -> Visit<'_> {
        Visit { service: &self.service, identity: &self.identity, address: &self.address }
    }
}

impl Ruling {
    /// Why a login from this client is refused, where only registered ones are let in.
    pub(super) fn barred(
        &self,
        clients: &[otp_core::client::Client],
        identity: Option<&str>,
        clock: &dyn Clock,
        now_ms: i64,
    ) -> Option<Barred> {
        if !self.loaded.config.clients.enforced(&self.service) {
            return None;
        }
        match standing(clients, identity, &|times| holds(times, clock.local_time(now_ms))) {
            Standing::Enabled => None,
            Standing::Disabled => Some(Barred::Disabled),
            Standing::Unknown => Some(Barred::Unknown),
        }
    }

    /// The same before the store is asked to decide.
    pub(super) fn bars(
        &self,
        enrolment: Option<&Enrolment>,
        context: &Context,
        clock: &dyn Clock,
        now_ms: i64,
    ) -> bool {
        let clients = enrolment.map_or(&[][..], |enrolment| &enrolment.clients);
        self.barred(clients, client_of(context).as_deref(), clock, now_ms).is_some()
    }
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// It is not registered: a code that enrols it is good, and nothing else.
    Unknown,
    /// It is disabled, or not enabled at this time.
    Disabled,
}

impl Barred {
    /// For the record, with the identity that an administrator may want to register.
    pub(super) fn detail(self, identity: Option<&str>) -> String {
        let identity = identity.map_or_else(|| "none".to_owned(), otp_core::account::escaped);
        match self {
            Self::Unknown => format!("client unknown: {identity}"),
            Self::Disabled => format!("client disabled: {identity}"),
        }
    }
}

/// Whether a schedule has this minute of the week. Where the minute cannot be told, it has not.
pub(super) fn holds(times: &str, minute: Option<WeekMinute>) -> bool {
    let schedule = times.parse::<Schedule>().ok();
    schedule.zip(minute).is_some_and(|(schedule, minute)| schedule.contains(minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ssh-keygen -t ed25519`, and what `ssh-keygen -l` says of it.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAK46h049LXws5PFeiJ6NXHstpcI/2UYfXGQ3tt6ICEH";

    const PRINT: &str = "SHA256:8CUNSmOSkpl5EmG7Fy3xHppBa0fnrb/jsZ1rEGt04vQ";

    fn context(ssh_key: Option<&str>, connection: Option<&str>, rhost: Option<&str>) -> Context {
        Context {
            service: Some("sshd".into()),
            ssh_key: ssh_key.map(Into::into),
            ssh_connection: connection.map(Into::into),
            rhost: rhost.map(Into::into),
            tty: Some("/dev/tty1".into()),
            ..Context::default()
        }
    }

    #[test]
    fn t10_the_identity_is_the_key_else_the_address_else_the_terminal() {
        let (connection, host) = (Some("192.168.3.118 50000 192.168.3.1 22"), Some("host.example"));
        for (context, expected) in [
            (context(None, connection, Some("host.example")), Some("192.168.3.118")),
            (context(None, Some("::ffff:192.168.3.118 1 ::1 22"), host), Some("192.168.3.118")),
            (context(None, Some("2001:DB8:0::1 1 ::1 22"), host), Some("2001:db8::1")),
            (context(None, Some("fe80::1%eth0 1 ::1 22"), host), Some("fe80::1%eth0")),
            (context(None, connection, None), None),
            (context(None, connection, Some("192.168.3.119")), None),
            (context(None, None, Some("198.51.100.7")), Some("198.51.100.7")),
            (context(None, None, Some("host.example")), None),
            (context(None, Some("nonsense"), host), None),
            (context(Some("nonsense"), None, None), Some("tty1")),
            (context(None, None, None), Some("tty1")),
            (context(None, Some(""), Some("")), Some("tty1")),
        ] {
            assert_eq!(client_of(&context).as_deref(), expected, "{context:?}");
        }
        let with_key = context(Some(KEY), connection, Some("host.example"));
        assert_eq!(client_of(&with_key).as_deref(), Some(PRINT));
        for (connection, rhost, expected) in
            [(None, None, Some("tty1")), (connection, None, None), (None, host, None)]
        {
            let forged = context(Some(KEY), connection, rhost);
            assert_eq!(client_of(&forged).as_deref(), expected, "{forged:?}");
        }
    }

    #[test]
    fn a_client_is_remembered_by_key_and_address_and_never_by_terminal() {
        assert!(Place::of(&context(None, None, None)).is_none());
        assert!(Place::of(&context(Some(KEY), None, None)).is_none());
        assert!(Place::of(&context(None, None, Some("host.example"))).is_none());
        let by_key = Place::of(&context(Some(KEY), None, Some("192.0.2.1"))).unwrap();
        assert_eq!(by_key.visit().address, "192.0.2.1");
        assert_eq!(by_key.visit().identity, PRINT);
        let by_address = Place::of(&context(None, None, Some("192.0.2.1"))).unwrap();
        assert_eq!(by_address.visit().identity, "192.0.2.1");
    }

    #[test]
    fn what_is_no_plain_key_has_no_fingerprint() {
        let named = |kind: &str| {
            let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
            blob.extend_from_slice(kind.as_bytes());
            BASE64.encode(&blob)
        };
        assert!(fingerprint(&named("ssh-ed25519")).is_some());
        for key in [
            "".to_owned(),
            "AAAA".to_owned(),
            "AAAAC3NzaC1lZDI1NTE5AAA".to_owned(),
            named(""),
            named("ssh-ed25519-cert-v01@openssh.com"),
            BASE64.encode(&[0xff; 40]),
        ] {
            assert_eq!(fingerprint(&key), None, "{key}");
        }
    }

    #[test]
    fn t16_a_schedule_is_held_against_the_local_clock() {
        let friday_noon = WeekMinute::new(4, 12 * 60);
        for (times, expected) in [
            ("Mon..Fri 08:00-18:00", true),
            ("Sat,Sun", false),
            ("Mon..Sun 12:00-12:01", true),
            ("12:01-24:00", false),
            ("nonsense", false),
        ] {
            assert_eq!(holds(times, friday_noon), expected, "{times}");
            assert!(!holds(times, None), "the time zone cannot be told: {times}");
        }
    }
}
