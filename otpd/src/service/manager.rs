//! `org.pamotp.Otpd1.Manager`, on the system bus. Each method: who calls, may they, the use case.

use std::sync::Arc;

use otp_ipc::{
    AuditFilter, AuditRecord, ChangeOptions, ClientDocument, ClientFilter, ClientOptions,
    CodeDocument, CodeFilter, ContactOptions, DirectoryDocument, DirectoryTestDocument,
    EnrolOptions, ErrorKind, ExplainDocument, ExplainQuery, IssueOptions, PolicyDocument,
    ProviderDocument, ShareDocument, ShareOptions, StatusDocument, TestDocument, TokenDocument,
    TokenFilter, UserDocument, UserFilter, limits, names::INTERFACE_VERSION,
};
use zbus::{Connection, interface, message::Header};
use zeroize::Zeroizing;

use super::{
    authorize::{authorize, requirement},
    caller::Callers,
    error::{Error, Result},
    limits::{InFlight, Permit},
};
use crate::engine::{self, Authority, Caller, Engine};

/// The interface of administration.
pub(super) struct Manager {
    engine: Arc<Engine>,
    callers: Callers,
    calls: InFlight,
}

/// A call that has passed the table.
struct Admitted {
    caller: Caller,
    authority: Authority,
    _permit: Permit,
}

/// A call before the table has been asked.
struct Call<'a> {
    connection: &'a Connection,
    header: &'a Header<'a>,
    method: &'static str,
}

impl<'a> Call<'a> {
    fn new(connection: &'a Connection, header: &'a Header<'a>, method: &'static str) -> Self {
        Self { connection, header, method }
    }
}

impl Manager {
    pub(super) fn new(engine: Arc<Engine>, calls: InFlight) -> Self {
        Self { engine, callers: Callers::Bus, calls }
    }

    /// For a call that concerns everybody.
    async fn admit(&self, call: &Call<'_>) -> Result<Admitted> {
        self.admit_for(call, None).await
    }

    /// For a call that concerns `user`.
    async fn admit_for(&self, call: &Call<'_>, user: Option<&str>) -> Result<Admitted> {
        let (caller, permit) = self.enter(call).await?;
        self.authorize(call, caller, permit, user).await
    }

    /// For a call that concerns a token; returns its owner too.
    async fn admit_token(&self, call: &Call<'_>, token: &str) -> Result<(Admitted, String)> {
        check_text("token", token)?;
        let (caller, permit) = self.enter(call).await?;
        let user = self.engine.owner(token).await?;
        let admitted = self.authorize(call, caller, permit, Some(&user)).await?;
        Ok((admitted, user))
    }

    /// For a call that concerns a token, by its id, or the user of that name; returns both. A token
    /// of somebody whom the caller has no say over is answered as one that is not there. Who has
    /// been shown a token needs no leave to say that it has arrived.
    async fn admit_share(
        &self,
        call: &Call<'_>,
        target: String,
        options: &ShareOptions,
    ) -> Result<(Admitted, String, Option<String>)> {
        check_text("target", &target)?;
        let (caller, permit) = self.enter(call).await?;
        let (user, token) = match self.engine.owner(&target).await {
            Ok(user) => (Some(user), Some(target)),
            Err(engine::Error::UnknownToken) if is_id(&target) => (None, Some(target)),
            Err(engine::Error::UnknownToken) => (Some(target), None),
            Err(error) => return Err(error.into()),
        };
        if let (Some(name), Some(true)) = (&user, options.result)
            && self.engine.has_shown(&caller, name, token.as_deref()).await?
        {
            let (authority, name) = (Authority::Owner, name.clone());
            return Ok((Admitted { caller, authority, _permit: permit }, name, token));
        }
        let asked = caller.clone();
        let admitted = self.authorize(call, caller, permit, user.as_deref()).await;
        match (admitted, user, token) {
            (Ok(admitted), Some(user), token) => Ok((admitted, user, token)),
            (Err(error), _, None) => Err(error),
            (Err(error), _, _) if !error.is(ErrorKind::AccessDenied) => Err(error),
            (_, _, token) => {
                let token = token.unwrap_or_default();
                Err(self.engine.share_nothing(&asked, &token).await.into())
            }
        }
    }

    /// For a call about an issued code; a refusal is recorded.
    async fn admit_issuer(&self, call: &Call<'_>, event: &str, user: &str) -> Result<Admitted> {
        let (caller, permit) = self.enter(call).await?;
        let admitted = self.authorize(call, caller.clone(), permit, None).await;
        if let Err(error) = &admitted {
            self.engine.refuse_issuing(&caller, event, user, &error.to_string()).await;
        }
        admitted
    }

    /// Who calls, and a place among the calls in flight; before anything is looked up.
    async fn enter(&self, call: &Call<'_>) -> Result<(Caller, Permit)> {
        let caller = self.callers.identify(call.connection, call.header).await?;
        let limit = self.engine.config().config.limits.calls_per_user;
        let permit = self.calls.admit(caller.uid, limit)?;
        Ok((caller, permit))
    }

    async fn authorize(
        &self,
        call: &Call<'_>,
        caller: Caller,
        permit: Permit,
        user: Option<&str>,
    ) -> Result<Admitted> {
        if caller.uid != 0
            && requirement(call.method).issuer
            && self.engine.may_issue(caller.uid).await?
        {
            return Ok(Admitted { caller, authority: Authority::Issuer, _permit: permit });
        }
        let (owner, enrolled) = match user {
            Some(user) if caller.uid != 0 => {
                (self.engine.uid_of(user).await?, self.engine.enrolled(user).await?)
            }
            _ => (None, false),
        };
        let authority =
            authorize(call.connection, call.header, &caller, call.method, owner, enrolled).await?;
        Ok(Admitted { caller, authority, _permit: permit })
    }
}

/// Whether a target can be no other thing than a token's id.
fn is_id(target: &str) -> bool {
    target.len() == 32 && target.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn check_text(name: &str, text: &str) -> Result<()> {
    if text.len() > limits::TEXT {
        let text = format!("{name} is longer than {} bytes", limits::TEXT);
        return Err(Error::new(ErrorKind::InvalidArgument, text));
    }
    Ok(())
}

fn check_code(code: Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
    let code = Zeroizing::new(code);
    if code.len() > limits::REPLY {
        let text = format!("a code is at most {} bytes long", limits::REPLY);
        return Err(Error::new(ErrorKind::InvalidArgument, text));
    }
    Ok(code)
}

fn check_optional(name: &str, text: Option<&String>) -> Result<()> {
    text.map_or(Ok(()), |text| check_text(name, text))
}

#[interface(name = "org.pamotp.Otpd1.Manager")]
impl Manager {
    /// Makes a token.
    #[zbus(out_args("token", "uri"))]
    async fn enrol(
        &self,
        user: String,
        options: EnrolOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, Vec<u8>)> {
        check_optional("label", options.label.as_ref())?;
        check_optional("method", options.method.as_ref())?;
        let call = Call::new(connection, &header, "Enrol");
        let admitted = self.admit_for(&call, Some(&user)).await?;
        let (id, uri) =
            self.engine.enrol(&admitted.caller, admitted.authority, &user, options).await?;
        Ok((id, uri.to_vec()))
    }

    /// Makes a pending token active.
    async fn confirm(
        &self,
        token: String,
        code: Vec<u8>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let code = check_code(code)?;
        let call = Call::new(connection, &header, "Confirm");
        let (admitted, user) = self.admit_token(&call, &token).await?;
        Ok(self.engine.confirm(&admitted.caller, &user, &token, code).await?)
    }

    /// Shows the secret of a token to this connection, once.
    #[zbus(out_args("transition", "outputs"))]
    async fn share(
        &self,
        target: String,
        options: ShareOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, ShareDocument)> {
        check_optional("client", options.client.as_ref())?;
        let call = Call::new(connection, &header, "Share");
        let (admitted, user, token) = self.admit_share(&call, target, &options).await?;
        let Admitted { caller, authority, .. } = &admitted;
        let shared = self.engine.share(caller, *authority, &user, token.as_deref(), options);
        let (transition, document) = shared.await?;
        Ok((transition.to_owned(), document))
    }

    /// Removes a token.
    async fn revoke(
        &self,
        token: String,
        options: ChangeOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let call = Call::new(connection, &header, "Revoke");
        let (admitted, user) = self.admit_token(&call, &token).await?;
        let Admitted { caller, authority, .. } = &admitted;
        Ok(self.engine.revoke(caller, *authority, &user, &token, options).await?)
    }

    /// Accepts a disabled token again.
    async fn enable(
        &self,
        token: String,
        #[expect(unused_variables, reason = "part of the contract")] options: ChangeOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let call = Call::new(connection, &header, "Enable");
        let (admitted, user) = self.admit_token(&call, &token).await?;
        Ok(self.engine.enable(&admitted.caller, &user, &token).await?)
    }

    /// Stops accepting a token.
    async fn disable(
        &self,
        token: String,
        options: ChangeOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let call = Call::new(connection, &header, "Disable");
        let (admitted, user) = self.admit_token(&call, &token).await?;
        let Admitted { caller, authority, .. } = &admitted;
        Ok(self.engine.disable(caller, *authority, &user, &token, options).await?)
    }

    /// Finds a token's counter or step again.
    async fn resync(
        &self,
        token: String,
        first: Vec<u8>,
        second: Vec<u8>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let codes = [check_code(first)?, check_code(second)?];
        let call = Call::new(connection, &header, "Resync");
        let (admitted, user) = self.admit_token(&call, &token).await?;
        Ok(self.engine.resync(&admitted.caller, &user, &token, codes).await?)
    }

    /// Replaces the user's recovery codes.
    #[zbus(out_args("codes"))]
    async fn issue_recovery_codes(
        &self,
        user: String,
        options: ChangeOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<Vec<u8>>> {
        let call = Call::new(connection, &header, "IssueRecoveryCodes");
        let Admitted { caller, authority, _permit } = self.admit_for(&call, Some(&user)).await?;
        let codes = self.engine.issue_recovery_codes(&caller, authority, &user, options).await?;
        Ok(codes.iter().map(|code| code.to_vec()).collect())
    }

    /// Ends a lock.
    async fn unlock(
        &self,
        user: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let admitted = self.admit(&Call::new(connection, &header, "Unlock")).await?;
        Ok(self.engine.unlock(&admitted.caller, &user).await?)
    }

    /// Removes all that the store has of the user.
    async fn reset(
        &self,
        user: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let admitted = self.admit(&Call::new(connection, &header, "Reset")).await?;
        Ok(self.engine.reset(&admitted.caller, &user).await?)
    }

    /// Sets where the user's codes are delivered.
    async fn set_contact(
        &self,
        user: String,
        contact: ContactOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let admitted = self.admit(&Call::new(connection, &header, "SetContact")).await?;
        Ok(self.engine.set_contact(&admitted.caller, &user, contact).await?)
    }

    /// Lets the user issue codes to others, or no longer.
    async fn set_administrator(
        &self,
        user: String,
        administrator: bool,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let admitted = self.admit(&Call::new(connection, &header, "SetAdministrator")).await?;
        Ok(self.engine.set_administrator(&admitted.caller, &user, administrator).await?)
    }

    /// Issues a code.
    #[zbus(out_args("id", "code", "expires"))]
    async fn issue_code(
        &self,
        user: String,
        options: IssueOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, Vec<u8>, i64)> {
        let call = Call::new(connection, &header, "IssueCode");
        let Admitted { caller, authority, _permit } =
            self.admit_issuer(&call, "issue", &user).await?;
        let issued = self.engine.issue_code(&caller, authority, &user, options).await?;
        Ok((issued.id, issued.code.to_vec(), issued.expires_ms))
    }

    /// Issued codes that match.
    #[zbus(out_args("items", "total"))]
    async fn list_codes(
        &self,
        filter: CodeFilter,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Vec<CodeDocument>, u64)> {
        let admitted = self.admit(&Call::new(connection, &header, "ListCodes")).await?;
        Ok(self.engine.codes(&admitted.caller, admitted.authority, filter).await?)
    }

    /// Takes an issued code away.
    async fn revoke_code(
        &self,
        code: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        check_text("code", &code)?;
        let call = Call::new(connection, &header, "RevokeCode");
        let admitted = self.admit_issuer(&call, "withdraw", "").await?;
        Ok(self.engine.revoke_code(&admitted.caller, &code).await?)
    }

    /// Registers a client.
    #[zbus(out_args("client"))]
    async fn add_client(
        &self,
        user: String,
        options: ClientOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String> {
        check_optional("enabling", options.enabling.as_ref())?;
        let admitted = self.admit(&Call::new(connection, &header, "AddClient")).await?;
        Ok(self.engine.add_client(&admitted.caller, &user, options).await?)
    }

    /// Changes a client.
    async fn set_client(
        &self,
        client: String,
        options: ClientOptions,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        check_text("client", &client)?;
        check_optional("enabling", options.enabling.as_ref())?;
        let admitted = self.admit(&Call::new(connection, &header, "SetClient")).await?;
        Ok(self.engine.set_client(&admitted.caller, &client, options).await?)
    }

    /// Removes a client.
    async fn remove_client(
        &self,
        client: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        check_text("client", &client)?;
        let call = Call::new(connection, &header, "RemoveClient");
        let (caller, permit) = self.enter(&call).await?;
        // Nobody finds out by this which clients there are.
        let user = match self.engine.client_owner(&client).await {
            Err(engine::Error::UnknownClient) => None,
            found => Some(found?),
        };
        let admitted = self.authorize(&call, caller, permit, user.as_deref()).await?;
        Ok(self.engine.remove_client(&admitted.caller, admitted.authority, &client).await?)
    }

    /// Clients that match.
    #[zbus(out_args("items", "total"))]
    async fn list_clients(
        &self,
        filter: ClientFilter,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Vec<ClientDocument>, u64)> {
        check_optional("search", filter.search.as_ref())?;
        let call = Call::new(connection, &header, "ListClients");
        let admitted = self.admit_for(&call, filter.user.as_deref()).await?;
        Ok(self.engine.clients(admitted.authority, filter).await?)
    }

    /// Tokens that match.
    #[zbus(out_args("items", "total"))]
    async fn list_tokens(
        &self,
        filter: TokenFilter,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Vec<TokenDocument>, u64)> {
        let call = Call::new(connection, &header, "ListTokens");
        let _admitted = self.admit_for(&call, filter.user.as_deref()).await?;
        Ok(self.engine.tokens(filter).await?)
    }

    /// Users that match.
    #[zbus(out_args("items", "total"))]
    async fn list_users(
        &self,
        filter: UserFilter,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Vec<UserDocument>, u64)> {
        let _admitted = self.admit(&Call::new(connection, &header, "ListUsers")).await?;
        check_optional("search", filter.search.as_ref())?;
        Ok(self.engine.users(filter).await?)
    }

    /// Records of decisions.
    #[zbus(out_args("records"))]
    async fn audit(
        &self,
        filter: AuditFilter,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<AuditRecord>> {
        let _admitted = self.admit(&Call::new(connection, &header, "Audit")).await?;
        Ok(self.engine.audit(filter).await?)
    }

    /// How the daemon is.
    #[zbus(out_args("status"))]
    async fn status(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<StatusDocument> {
        let _admitted = self.admit(&Call::new(connection, &header, "Status")).await?;
        Ok(self.engine.status().await?)
    }

    /// The policies in order.
    #[zbus(out_args("policies"))]
    async fn list_policies(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<PolicyDocument>> {
        let _admitted = self.admit(&Call::new(connection, &header, "ListPolicies")).await?;
        Ok(self.engine.policies())
    }

    /// Which policy decides about a login, and why.
    #[zbus(out_args("explanation"))]
    async fn explain(
        &self,
        user: String,
        query: ExplainQuery,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<ExplainDocument> {
        let _admitted = self.admit(&Call::new(connection, &header, "Explain")).await?;
        let ExplainQuery { service, source, tty, client, time: _ } = &query;
        for (name, text) in
            [("service", service), ("source", source), ("tty", tty), ("client", client)]
        {
            check_optional(name, text.as_ref())?;
        }
        Ok(self.engine.explain(&user, query).await?)
    }

    /// Every provider, and how it does.
    #[zbus(out_args("providers"))]
    async fn list_providers(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<ProviderDocument>> {
        let _admitted = self.admit(&Call::new(connection, &header, "ListProviders")).await?;
        Ok(self.engine.providers())
    }

    /// Sends a test message over one provider.
    #[zbus(out_args("report"))]
    async fn test_provider(
        &self,
        provider: String,
        destination: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<TestDocument> {
        let admitted = self.admit(&Call::new(connection, &header, "TestProvider")).await?;
        Ok(self.engine.test_provider(&admitted.caller, &provider, &destination).await?)
    }

    /// Every directory, and how it does.
    #[zbus(out_args("directories"))]
    async fn list_directories(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<DirectoryDocument>> {
        let _admitted = self.admit(&Call::new(connection, &header, "ListDirectories")).await?;
        Ok(self.engine.directories())
    }

    /// Connects to a directory and asks it for a user.
    #[zbus(out_args("report"))]
    async fn test_directory(
        &self,
        name: String,
        user: String,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<DirectoryTestDocument> {
        let _admitted = self.admit(&Call::new(connection, &header, "TestDirectory")).await?;
        Ok(self.engine.test_directory(&name, &user).await?)
    }

    /// Reads the configuration again.
    async fn reload(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let _admitted = self.admit(&Call::new(connection, &header, "Reload")).await?;
        Ok(self.engine.reload()?)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn interface_version(&self) -> u32 {
        INTERFACE_VERSION
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn health(&self) -> &str {
        self.engine.health()
    }
}
