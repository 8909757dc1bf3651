//! Where codes are delivered, and by whom: what administrators set, look at and try.

use otp_core::{
    account::Account,
    client,
    code::Digits,
    contact::{Channel, Contacts, MailAddress, PhoneNumber, is_country_code},
    out_of_band,
    token::Factor,
};
use otp_delivery::{Circuit, Health, Hidden, Message, ProviderId, Recipient, Report};
use otp_ipc::{ContactOptions, ProviderDocument, TestDocument};
use zeroize::Zeroizing;

use super::{Caller, Engine, Error, identity, manage::Change};
use crate::{
    audit::Origin,
    config::{Budget, Config},
};

/// How long the code of a test message says that it is good, in milliseconds.
const TEST_VALIDITY_MS: u64 = 300_000;
/// Digits of the code of a test message.
const TEST_DIGITS: u8 = 6;

/// A wish for one contact: `None` leaves it as it is, `Some(None)` removes it.
type Wish<T> = Option<Option<T>>;

/// What `SetContact` asks for, checked.
struct Wishes {
    mobile: Wish<PhoneNumber>,
    mail: Wish<MailAddress>,
    /// The account belongs to this user id from now on.
    uid: Option<u32>,
}

impl Wishes {
    /// Checks what is wished for a user who has the user id `uid`.
    fn read(options: &ContactOptions, budget: &Budget, uid: u32) -> Result<Self, Error> {
        if options.mobile.is_none() && options.mail.is_none() && options.uid.is_none() {
            return Err(Error::InvalidArgument("give mobile or mail".to_owned()));
        }
        if options.uid.is_some_and(|given| given != uid) {
            return Err(Error::InvalidArgument(format!("uid: the user's is {uid}")));
        }
        let country = options.country.as_deref();
        if country.is_some_and(|code| !is_country_code(code)) {
            let text = "country: a country code is 1 to 3 digits without +, such as 49";
            return Err(Error::InvalidArgument(text.to_owned()));
        }
        Ok(Self {
            mobile: wish(options.mobile.as_deref(), |text| phone(text, country, budget))?,
            mail: wish(options.mail.as_deref(), mailbox)?,
            uid: options.uid,
        })
    }

    /// For the record: what is set, masked, and what is removed.
    fn detail(&self) -> String {
        let said = |name: &str, wish: Wish<String>| {
            wish.map(|to| to.map_or_else(|| format!("{name} removed"), |to| format!("{name} {to}")))
        };
        let mobile = self.mobile.as_ref().map(|to| to.as_ref().map(PhoneNumber::masked));
        let mail = self.mail.as_ref().map(|to| to.as_ref().map(MailAddress::masked));
        let uid = self.uid.map(|uid| format!("user id {uid}"));
        let parts = [said("mobile", mobile), said("mail", mail), uid];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Codes that are under way to a contact that is replaced are good no longer.
    fn apply(self, account: &mut Account) {
        account.uid = self.uid.or(account.uid);
        let (contacts, mut replaced) = (&mut account.contacts, Vec::new());
        if let Some(mobile) = self.mobile.filter(|mobile| *mobile != contacts.mobile) {
            contacts.mobile = mobile;
            replaced.push(Channel::Sms);
        }
        if let Some(mail) = self.mail.filter(|mail| *mail != contacts.mail) {
            contacts.mail = mail;
            replaced.push(Channel::Email);
        }
        if !replaced.is_empty() {
            client::forget(account);
        }
        let of_replaced = |factor| matches!(factor, Factor::OutOfBand(c) if replaced.contains(&c));
        let tokens = account.tokens.iter().filter(|token| of_replaced(token.factor));
        for token in tokens.map(|token| token.id.clone()).collect::<Vec<_>>() {
            out_of_band::withdraw(account, &token, None);
        }
    }
}

impl Engine {
    /// Sets where `user`'s codes are delivered; administrators only. A user without an account gets
    /// one, which is not enrolled.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] where no directory has the user, [`Error::InvalidArgument`] for what
    /// is no number or address and for a number that SMS may not go to, and says what is allowed;
    /// [`Error::WrongState`] where the name was somebody else's and `uid` does not say that it is
    /// the same person's.
    pub async fn set_contact(
        &self,
        caller: &Caller,
        user: &str,
        options: ContactOptions,
    ) -> Result<(), Error> {
        let name = Self::parse_user(user)?;
        let entry = self.account_entry(&name).await?;
        let wishes = Wishes::read(&options, &self.config().config.budget, entry.uid)?;
        let change = Change::proven("contact", caller);
        let user = name.as_str().to_owned();
        self.change(name.as_str(), change, move |work, event| {
            event.detail = Some(wishes.detail());
            let new = || Account { uid: Some(entry.uid), ..Account::default() };
            let account = work.account.get_or_insert_with(new);
            if wishes.uid.is_none() {
                identity::check(&user, account, entry.uid)?;
            }
            wishes.apply(account);
            Ok(())
        })
        .await
    }

    /// Where `user`'s codes go.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn contacts(&self, user: &str) -> Result<Contacts, Error> {
        let set = self.watch_store(self.store.contacts(user).await)?;
        let entry = self.entry(user).await?.filter(|entry| entry.name == user);
        let known = match entry {
            Some(_) => self.told_contacts(user, [Channel::Sms, Channel::Email]).await?,
            None => Contacts::default(),
        };
        Ok(in_force(&set, &known))
    }

    /// Every provider, by name, and how it does.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderDocument> {
        let (now_ms, loaded) = (self.now_ms(), self.config());
        let health = self.dispatcher.health().into_iter();
        health.map(|health| provider_document(health, &loaded.config, now_ms)).collect()
    }

    /// Sends a message over exactly one provider, whether it rests or not, with a code that is good
    /// for nothing. It does not count against the budgets; it is recorded.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown provider and for a destination that it cannot
    /// have, as in [`Engine::set_contact`]. That it was not sent is no error but in the document.
    pub async fn test_provider(
        &self,
        caller: &Caller,
        provider: &str,
        destination: &str,
    ) -> Result<TestDocument, Error> {
        let known: Vec<_> = self.dispatcher.health().into_iter().map(|health| health.id).collect();
        let Some(id) = known.iter().find(|id| id.to_string() == provider) else {
            let names: Vec<_> = known.iter().map(ToString::to_string).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let text = format!("there is no provider of this name; configured: {names}");
            return Err(Error::InvalidArgument(text));
        };
        let to = recipient(id.medium, destination, &self.config().config.budget)?;
        let message = self.test_message(to)?;
        let report = self.dispatcher.test(id, &message).await;
        let document = test_document(id, &message, report);
        self.record_test(caller, &document).await?;
        Ok(document)
    }

    fn test_message(&self, to: Recipient) -> Result<Message, Error> {
        let mut entropy = Zeroizing::new([0_u8; 16]);
        super::fill_random(&mut *entropy)?;
        let digits = Digits::random(&entropy, TEST_DIGITS);
        let code = super::readable(&digits);
        let host = &self.facts.host;
        Ok(Message {
            id: super::random_id()?,
            to,
            text: Hidden::new(format!(
                "{} is a test of otpd on {host}, good for nothing",
                code.expose()
            )),
            subject: Hidden::new(format!("Test of otpd on {host}")),
            code,
            user: "test".to_owned(),
            serial: "test".to_owned(),
            until_ms: self.now_ms().saturating_add_unsigned(TEST_VALIDITY_MS),
            validity_ms: TEST_VALIDITY_MS,
        })
    }

    /// Records who has sent a test message where; it belongs to no user.
    async fn record_test(&self, caller: &Caller, test: &TestDocument) -> Result<(), Error> {
        let origin = Origin { caller: caller.uid, ..Origin::default() };
        let result = if test.sent { "ok" } else { "unavailable" };
        let mut event = origin.event("test", result, "", self.now_ms());
        event.detail = Some(format!("{} to {}: {}", test.provider, test.to, test.reply));
        self.journal.write(&event);
        self.transact("", move |work| work.audit.push(event)).await
    }
}

/// Where codes go: what an administrator has set, else what the directory knows.
pub(super) fn in_force(set: &Contacts, known: &Contacts) -> Contacts {
    Contacts {
        mobile: set.mobile.as_ref().or(known.mobile.as_ref()).cloned(),
        mail: set.mail.as_ref().or(known.mail.as_ref()).cloned(),
    }
}

fn wish<T>(text: Option<&str>, read: impl Fn(&str) -> Result<T, Error>) -> Result<Wish<T>, Error> {
    text.map(|text| if text.is_empty() { Ok(None) } else { read(text).map(Some) }).transpose()
}

/// A number that SMS may go to.
fn phone(text: &str, country: Option<&str>, budget: &Budget) -> Result<PhoneNumber, Error> {
    let number = PhoneNumber::parse(text, country)?;
    if budget.reaches(&Recipient::Phone(number.clone())) {
        return Ok(number);
    }
    let allowed = budget.countries.join(", ");
    let text = format!("{}: allowed are numbers that begin with {allowed}", number.masked());
    Err(Error::InvalidArgument(text))
}

fn mailbox(text: &str) -> Result<MailAddress, Error> {
    Ok(MailAddress::parse(text)?)
}

fn recipient(medium: Channel, text: &str, budget: &Budget) -> Result<Recipient, Error> {
    match medium {
        Channel::Sms => phone(text, None, budget).map(Recipient::Phone),
        Channel::Email => mailbox(text).map(Recipient::Mailbox),
    }
}

fn provider_document(health: Health, config: &Config, now_ms: i64) -> ProviderDocument {
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (state, resting_until) = match health.circuit {
        Circuit::Open { left } => ("resting", Some(now_ms.saturating_add_unsigned(ms(left)))),
        Circuit::Closed | Circuit::HalfOpen => ("ready", None),
    };
    let (failed_at, last_failure) = health
        .last_failure
        .map(|(ago, why)| (now_ms.saturating_sub_unsigned(ms(ago)), why))
        .unzip();
    ProviderDocument {
        order: order(&health.id, config),
        id: health.id.to_string(),
        kind: health.kind.to_owned(),
        state: state.to_owned(),
        resting_until,
        last_failure,
        failed_at,
    }
}

/// The place of a provider, from 1, in the built-in method of its medium.
fn order(id: &ProviderId, config: &Config) -> Option<u32> {
    let used = config.providers_of(config.method(id.medium.name())?);
    let place = used.iter().position(|used| used == id)?;
    u32::try_from(place).ok()?.checked_add(1)
}

fn test_document(id: &ProviderId, message: &Message, report: Report) -> TestDocument {
    let (sent, reply, message_id) = match report.outcome {
        Ok(receipt) => (true, receipt.reply, receipt.id),
        Err(failure) => (false, failure.to_string(), None),
    };
    TestDocument { provider: id.to_string(), to: message.to.masked(), sent, reply, id: message_id }
}
