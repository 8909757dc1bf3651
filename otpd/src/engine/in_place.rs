//! Logins that an issued code opens in place of the password, and their way on without one.

use otp_core::{account::UserName, issued::Accepted, policy::FactorRule};
use otp_ipc::{Context, Step};

use super::{
    Caller, Engine, Error, Ruling, circumstances::Circumstances, issue::SWITCHED_OFF, origin,
    sessions::Session,
};

impl Engine {
    /// Begins a login that an issued code opens. What the policy asks of the second factor does not
    /// matter; what it denies and accepts does.
    ///
    /// # Errors
    /// [`Error::SwitchedOff`], [`Error::Busy`] when too many wait.
    pub(super) async fn begin_in_place(
        &self,
        caller: &Caller,
        user: &str,
        context: Context,
        found: Circumstances,
        vouched: bool,
    ) -> Result<(String, Step), Error> {
        self.check_issued_codes(caller, user, &context).await?;
        let ruling = Ruling::for_login(self.config(), user, &context, &found);
        // A policy that asks for no second factor asks for this code all the same.
        let asked = ruling.rule.factor != FactorRule::Deny;
        let person = self.person(&ruling, user, asked).await?;
        let denied = ruling.rule.factor == FactorRule::Deny || ruling.issued == Accepted::Nothing;
        let refused = denied || person.refused.is_some() || UserName::parse(user).is_err();
        let uid = self.present_uid(user).await?;
        let step = ruling.ask(&context, None, None);
        let session = Session::new(caller, user, context, found, person);
        let session = Session { uid, hopeless: refused, issued: true, vouched, ..session };
        self.open(&ruling, session, step)
    }

    /// Refuses a login with an issued code while they are switched off.
    async fn check_issued_codes(
        &self,
        caller: &Caller,
        user: &str,
        context: &Context,
    ) -> Result<(), Error> {
        if self.config().config.issued.enabled {
            return Ok(());
        }
        let mut event = origin(caller, context, "").event("login", "denied", user, self.now_ms());
        event.detail = Some("issued codes are switched off".to_owned());
        self.record_bounded(user, event).await?;
        Err(Error::SwitchedOff(SWITCHED_OFF.to_owned()))
    }

    /// Records that a person goes on without an issued code; false where the policy denies them
    /// anyhow.
    pub(super) async fn decline(&self, waiting: &Session, session: &str) -> Result<bool, Error> {
        let (user, context) = (waiting.user.as_str(), &waiting.context);
        let ruling = Ruling::for_login(self.config(), user, context, &waiting.found);
        if ruling.rule.factor == FactorRule::Deny {
            return Ok(false);
        }
        let origin = origin(&waiting.caller, context, session);
        let mut event = origin.event("login", "skipped", user, self.now_ms());
        event.detail = Some("goes on without an issued code".to_owned());
        self.record_bounded(user, event).await?;
        Ok(true)
    }
}
