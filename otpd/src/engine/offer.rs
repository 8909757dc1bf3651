//! Enrolment with an app at the login: a key that is shown there and lives in the session's memory
//! until its first code, with which the token is stored and the login granted.
//!
//! Each login shows a key of its own. Nothing of it is in the store before the code, and nothing at
//! all is left when the session ends without one.

use std::sync::Arc;

use otp_core::{
    base32,
    enrolment::{self, NewToken},
    policy::{FactorRule, Unenrolled},
    secret::Secret,
    share::Share,
    token::{Algorithm, Factor, Rejoin, State, Token},
    uri::{self, Detail},
};
use otp_ipc::{Context, Step};
use zeroize::Zeroizing;

use super::{
    Caller, Engine, Error, Ruling, attempt::recipient, authenticate::may_send, challenge::Notice,
    contact::in_force, enrol::fresh_secret,
};
use crate::{
    audit::Origin,
    config::{Method, Qr},
    poster::{INVERT, Poster, QR, TEXT, Texts, View},
    text::{Locale, Message},
};

/// A key that was made for one login.
pub(super) struct Offer {
    pub(super) token: Token,
    /// The user id that the directory has.
    pub(super) uid: u32,
    /// Monotonic milliseconds after which its codes are refused.
    pub(super) until_ms: u64,
    poster: Poster,
    /// How the QR code is drawn unless the person wants it otherwise.
    picture: View,
    /// The other ways in which the user may enrol at this login.
    others: Vec<String>,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Offer({})", self.token.method)
    }
}

impl Offer {
    /// The token as it is to be stored.
    pub(super) fn new_token(&self) -> Result<NewToken, Error> {
        let Token { id, label, method, factor, algorithm, digits, .. } = &self.token;
        let secret = Zeroizing::new(self.token.secret.expose().to_vec());
        Ok(NewToken {
            id: id.clone(),
            label: label.clone(),
            method: method.clone(),
            factor: *factor,
            algorithm: *algorithm,
            digits: *digits,
            secret: Secret::new(secret)?,
            pending_until_ms: None,
            expires_ms: None,
            share: false,
        })
    }
}

/// A key and how the prompt shows it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) offer: Arc<Offer>,
    view: View,
}

impl Shown {
    fn new(offer: Offer, view: View) -> Self {
        let view = if offer.poster.has_picture() { view } else { View::Text };
        Self { offer: Arc::new(offer), view }
    }

    /// The notice with the key, and the prompt for its first code.
    pub(super) fn step(&self) -> Step {
        let others = self.offer.others.iter().map(String::as_str);
        let words: Vec<&str> = others.chain(self.views().iter().copied()).collect();
        let prompt = self.offer.poster.locale().ask(Message::FirstCode, &words);
        Step::notice_then_prompt(&self.offer.poster.draw(self.view), &prompt, false)
    }

    /// The words that show the key in another way.
    fn views(&self) -> &'static [&'static str] {
        match (self.offer.poster.has_picture(), self.view) {
            (false, _) => &[],
            (true, View::Text) => &[QR],
            (true, View::Dark | View::Light) => &[TEXT, INVERT],
        }
    }

    /// The view that a word asks for: nothing at all, the method's own name, or one of
    /// [`Shown::views`].
    fn view(&self, word: &str) -> Option<View> {
        if word.is_empty() || word.eq_ignore_ascii_case(&self.offer.token.method) {
            return Some(self.view);
        }
        let known = self.views().iter().find(|known| known.eq_ignore_ascii_case(word))?;
        Some(match (*known, self.view) {
            (TEXT, _) => View::Text,
            (INVERT, View::Dark) => View::Light,
            (INVERT, _) => View::Dark,
            _ => self.offer.picture,
        })
    }
}

/// Whether a login may show a key: to somebody who sees it and has given the first factor, on the
/// word of a stack that root runs. A user's own programs begin their user's logins, too, and would
/// enrol whoever has got hold of a session of theirs.
fn may_show(caller: &Caller, context: &Context) -> bool {
    caller.uid == 0
        && context.silent != Some(true)
        && may_send(context)
        && context.mode.as_deref() != Some("challenge")
}

/// Whether the terminal has half blocks, by the language of the session where that is known.
fn shows_blocks(language: Option<&str>) -> bool {
    let Some(language) = language.filter(|language| !language.is_empty()) else { return true };
    let charset = language.split_once('.').map_or("", |(_, charset)| charset);
    let charset = charset.split('@').next().unwrap_or_default().to_ascii_lowercase();
    matches!(charset.as_str(), "utf-8" | "utf8")
}

impl Ruling {
    /// The same for a login of `caller`, which may show a key where nothing speaks against it.
    pub(super) fn seen_by(mut self, caller: &Caller, context: &Context) -> Self {
        let view = self.first_view(context.language.as_deref());
        self.shows = may_show(caller, context).then_some(view);
        self
    }

    /// The methods of apps with which a user without a token may enrol at this login, in the
    /// policy's order.
    pub(super) fn enrolling_apps(&self) -> impl Iterator<Item = &Method> {
        let open = self.shows.is_some()
            && self.rule.factor == FactorRule::Require
            && self.rule.unenrolled == Unenrolled::Enrol;
        let names = self.rule.enrol.iter().filter(move |_| open);
        names.filter_map(|name| {
            let method = self.loaded.config.method(name)?;
            let usable = self.windows(name).is_some() && uri::check(method.factor).is_ok();
            usable.then_some(method)
        })
    }

    /// How long the session may wait for an answer, in milliseconds: long enough to tell a late
    /// first code from none, and to show another key in its place.
    pub(super) fn patience_ms(&self, shown: bool) -> u64 {
        let config = &self.loaded.config;
        let enrolment = if shown { config.enrolment.at_login_ms.saturating_mul(2) } else { 0 };
        config.limits.prompt_lifetime_ms.max(enrolment)
    }

    /// How a key is shown at first in a session of this language.
    fn first_view(&self, language: Option<&str>) -> View {
        match self.loaded.config.enrolment.qr {
            Qr::Dark if shows_blocks(language) => View::Dark,
            Qr::Light if shows_blocks(language) => View::Light,
            Qr::Dark | Qr::Light | Qr::None => View::Text,
        }
    }
}

impl Engine {
    /// The first way of the policy in which the user, who has no token, gets one at this login: a
    /// code that was sent, or a key that is to be shown. Where the user is to choose first
    /// (`waits`), nothing is sent, and a key is shown if the policy names no way to send one before.
    pub(super) async fn first_way(
        &self,
        ruling: &Arc<Ruling>,
        user: &str,
        origin: Origin,
        waits: bool,
    ) -> Result<(Option<Notice>, Option<Shown>), Error> {
        let Some(app) = ruling.enrolling_apps().next() else {
            let sent =
                if waits { None } else { self.send_code(ruling, user, origin, None).await? };
            return Ok((sent, None));
        };
        let before: Vec<_> =
            ruling.rule.enrol.iter().take_while(|name| **name != app.name).cloned().collect();
        if waits && ruling.enrolling_ways().iter().any(|way| before.contains(&way.method)) {
            return Ok((None, None));
        }
        if let Some(notice) = self.send_code(ruling, user, origin, Some(&before)).await? {
            return Ok((Some(notice), None));
        }
        Ok((None, self.offer(ruling, user, app).await?))
    }

    /// The key of the app's method that a word at the prompt names, where the user may enrol with
    /// one.
    pub(super) async fn chosen(
        &self,
        ruling: &Ruling,
        user: &str,
        method: &str,
    ) -> Result<Option<Shown>, Error> {
        let Some(app) = ruling.enrolling_apps().find(|app| app.name == method) else {
            return Ok(None);
        };
        if self.is_open(user).await? { self.offer(ruling, user, app).await } else { Ok(None) }
    }

    /// Whether the user has no token still.
    async fn is_open(&self, user: &str) -> Result<bool, Error> {
        self.transact(user, |work| work.account.as_ref().is_none_or(enrolment::open)).await
    }

    /// The same key once more, in the view that the word asks for; another one where its time is
    /// over. `None` for a word that asks for something else, and where the user has a token now.
    pub(super) async fn shown_again(
        &self,
        ruling: &Ruling,
        user: &str,
        shown: &Shown,
        word: &str,
    ) -> Result<Option<Shown>, Error> {
        let Some(view) = shown.view(word) else { return Ok(None) };
        let offer = &shown.offer;
        if self.clock.monotonic_ms() < offer.until_ms {
            let again = Shown { offer: Arc::clone(offer), view };
            return Ok(self.is_open(user).await?.then_some(again));
        }
        let again = self.chosen(ruling, user, &offer.token.method).await?;
        Ok(again.map(|again| Shown { view, ..again }))
    }

    /// The next prompt of a session that goes on with a key.
    pub(super) fn show(&self, id: &str, shown: Shown) -> Option<Step> {
        let step = shown.step();
        self.sessions().say(id, None, Some(shown)).then_some(step)
    }

    /// Makes a key for one login; `None` for a user whom no directory has under this name.
    async fn offer(
        &self,
        ruling: &Ruling,
        user: &str,
        app: &Method,
    ) -> Result<Option<Shown>, Error> {
        let Some(entry) = self.own_entry(user).await? else { return Ok(None) };
        let config = &ruling.loaded.config;
        let token = Token {
            id: super::random_id()?,
            label: String::new(),
            method: app.name.clone(),
            factor: app.factor,
            algorithm: app.algorithm,
            digits: app.digits,
            secret: fresh_secret(app)?,
            state: State::Pending { until_ms: self.now_ms() },
            next: 0,
            offset_ms: 0,
            rejoin: Rejoin::Settled,
            created_ms: self.now_ms(),
            last_used_ms: None,
            accepted: 0,
            share: Share::Released,
            expires_ms: None,
        };
        let issuer = self.issuer_of(&ruling.loaded);
        let details = [Detail::Full, Detail::Short, Detail::Shortest].into_iter();
        let uris: Vec<_> = details
            .map(|detail| uri::spelled(&token, &issuer, user, detail))
            .collect::<Result<_, _>>()?;
        let texts = Texts {
            locale: ruling.locale,
            key: base32::encode(token.secret.expose()),
            parameters: parameters(&token, ruling.locale),
            validity_ms: config.enrolment.at_login_ms,
            label: config.enrolment.label.clone(),
            registration_uri: config.enrolment.registration_uri.clone(),
        };
        let poster = Poster::new(&uris, texts);
        let others = self.other_ways(ruling, user, app).await?;
        let until_ms = self.clock.monotonic_ms().saturating_add(config.enrolment.at_login_ms);
        let picture = if config.enrolment.qr == Qr::Light { View::Light } else { View::Dark };
        let offer = Offer { token, uid: entry.uid, until_ms, poster, picture, others };
        Ok(Some(Shown::new(offer, ruling.shows.unwrap_or(View::Text))))
    }

    /// The other methods with which the user may enrol at this login: those of apps, and those
    /// whose codes reach the user.
    async fn other_ways(
        &self,
        ruling: &Ruling,
        user: &str,
        app: &Method,
    ) -> Result<Vec<String>, Error> {
        let delivered = ruling.enrolling_ways();
        let set = self.watch_store(self.store.contacts(user).await)?;
        let channels = delivered.iter().map(|way| way.channel);
        let contacts = in_force(&set, &self.told_contacts(user, channels).await?);
        let budget = &ruling.loaded.config.budget;
        let reached =
            delivered.into_iter().filter(|way| recipient(&contacts, way.channel, budget).is_some());
        let open: Vec<String> = reached
            .map(|way| way.method)
            .chain(ruling.enrolling_apps().map(|other| other.name.clone()))
            .collect();
        let others = ruling.rule.enrol.iter().filter(|name| **name != app.name);
        Ok(others.filter(|name| open.contains(name)).cloned().collect())
    }
}

/// What has to be typed besides the key, where it is not what apps take by themselves.
fn parameters(token: &Token, locale: Locale) -> Vec<String> {
    let kind = matches!(token.factor, Factor::Hotp).then_some(Message::CounterBased);
    let algorithm = match token.algorithm {
        Algorithm::Sha1 => None,
        Algorithm::Sha256 => Some(Message::Algorithm { name: "SHA256" }),
        Algorithm::Sha512 => Some(Message::Algorithm { name: "SHA512" }),
    };
    let digits = u32::from(token.digits);
    let digits = (digits != 6).then_some(Message::Digits { digits });
    let period = match token.factor {
        Factor::Totp { period_ms, .. } if period_ms != 30_000 => {
            let seconds = u32::try_from(period_ms / 1000).unwrap_or(u32::MAX);
            Some(Message::Period { seconds })
        }
        Factor::Totp { .. } | Factor::Hotp | Factor::OutOfBand(_) => None,
    };
    let said = [kind, algorithm, digits, period].into_iter().flatten();
    said.map(|message| locale.say(message)).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Connection, *};

    #[test]
    fn half_blocks_need_utf_8() {
        for (language, shown) in [
            (None, true),
            (Some(""), true),
            (Some("de_DE.UTF-8"), true),
            (Some("C.utf8"), true),
            (Some("ca_ES.UTF-8@valencia"), true),
            (Some("C"), false),
            (Some("POSIX"), false),
            (Some("de_DE"), false),
            (Some("de_DE@euro"), false),
            (Some("en_US.ISO-8859-1"), false),
        ] {
            assert_eq!(shows_blocks(language), shown, "{language:?}");
        }
    }

    #[test]
    fn a_key_is_shown_to_somebody_who_sees_it_and_has_given_the_first_factor() {
        let context = Context::default;
        let caller = |uid| Caller { uid, connection: Connection::Direct(1) };
        let challenge = || Some("challenge".to_owned());
        for (uid, context, shown) in [
            (0, context(), true),
            (0, Context { mode: Some("second".into()), ..context() }, true),
            (0, Context { silent: Some(true), ..context() }, false),
            (0, Context { concatenated: Some(true), ..context() }, false),
            (0, Context { mode: challenge(), ..context() }, false),
            (0, Context { mode: challenge(), concatenated: Some(true), ..context() }, false),
            (1000, context(), false),
            (1, Context { mode: Some("second".into()), ..context() }, false),
        ] {
            assert_eq!(may_show(&caller(uid), &context), shown, "{uid} {context:?}");
        }
    }
}
