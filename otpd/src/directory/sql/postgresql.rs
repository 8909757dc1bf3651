//! A PostgreSQL server: one connection, read-only, made when it is needed and made anew when it
//! breaks. The statement is prepared once and the name is bound to it, never written into it.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::TryStreamExt;
use otp_delivery::tls;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio_postgres::{
    Client, Config, NoTls, Statement,
    config::SslMode,
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Server, Settings,
    row::{Row, SEVERAL, check_columns},
};
use crate::{
    directory::{DirectoryError, Record, Source},
    store::Pending,
};

/// Look-ups that are under way at once; the others wait.
const AT_ONCE: usize = 16;

/// Why there is no answer.
enum Trouble {
    /// The connection cannot be made, or is of no more use.
    Link(String),
    /// The server has answered, but not with what was asked for.
    Answer(String),
}

/// A connection with the prepared query.
struct Prepared {
    client: Client,
    statement: Statement,
}

pub(super) struct Postgresql {
    directory: String,
    place: String,
    config: Config,
    tls: Option<MakeRustlsConnect>,
    query: String,
    country: Option<String>,
    timeout: Duration,
    current: Mutex<Option<Arc<Prepared>>>,
    making: AsyncMutex<()>,
    places: Semaphore,
}

impl Postgresql {
    pub(super) fn new(
        directory: &str,
        server: &Server,
        settings: &Settings,
    ) -> Result<Self, String> {
        let trust = tls::Settings { ca: server.ca.clone(), ..tls::Settings::default() };
        let tls = match server.tls {
            true => Some(MakeRustlsConnect::new(tls::client_config(&trust)?)),
            false => None,
        };
        let mut config = Config::new();
        let milliseconds = settings.timeout.as_millis();
        config
            .host(&server.host)
            .port(server.port)
            .dbname(&server.database)
            .user(&server.user)
            .application_name("otpd")
            .connect_timeout(settings.timeout)
            .ssl_mode(if server.tls { SslMode::Require } else { SslMode::Disable })
            .options(format!(
                "-c default_transaction_read_only=on -c statement_timeout={milliseconds}"
            ));
        if let Some(password) = &server.password {
            config.password(password.expose());
        }
        Ok(Self {
            directory: directory.to_owned(),
            place: format!("postgresql {}", server.host),
            config,
            tls,
            query: settings.query.clone(),
            country: settings.country.clone(),
            timeout: settings.timeout,
            current: Mutex::new(None),
            making: AsyncMutex::new(()),
            places: Semaphore::new(AT_ONCE),
        })
    }

    async fn find(&self, name: &str) -> Result<Option<Record>, Trouble> {
        let closed = |_| Trouble::Link("it is no longer used".to_owned());
        let _place = self.places.acquire().await.map_err(closed)?;
        let (prepared, reused) = self.get().await?;
        let row = match ask(&prepared, name).await {
            Err(Trouble::Link(_)) if reused => {
                self.forget();
                ask(&self.get().await?.0, name).await
            }
            other => other,
        }?;
        let country = self.country.as_deref();
        let record = row.map(|row| row.record(&self.directory, name, country)).transpose();
        record.map_err(Trouble::Answer)
    }

    /// The connection, and whether it was there before.
    async fn get(&self) -> Result<(Arc<Prepared>, bool), Trouble> {
        if let Some(open) = self.open() {
            return Ok((open, true));
        }
        let _making = self.making.lock().await;
        // Whoever was before us has made it.
        if let Some(open) = self.open() {
            return Ok((open, true));
        }
        let made = Arc::new(self.make().await?);
        *self.current() = Some(Arc::clone(&made));
        Ok((made, false))
    }

    async fn make(&self) -> Result<Prepared, Trouble> {
        let client = match &self.tls {
            Some(tls) => {
                let connected = self.config.connect(tls.clone()).await;
                let (client, connection) = connected.map_err(|error| trouble(&error))?;
                tokio::spawn(drive(connection));
                client
            }
            None => {
                let connected = self.config.connect(NoTls).await;
                let (client, connection) = connected.map_err(|error| trouble(&error))?;
                tokio::spawn(drive(connection));
                client
            }
        };
        let statement = client.prepare(&self.query).await.map_err(|error| trouble(&error))?;
        if statement.params().len() != 1 {
            let text = "the query must have exactly one parameter, $1";
            return Err(Trouble::Answer(text.to_owned()));
        }
        let columns = statement.columns().iter().map(tokio_postgres::Column::name);
        check_columns(columns).map_err(Trouble::Answer)?;
        Ok(Prepared { client, statement })
    }

    fn open(&self) -> Option<Arc<Prepared>> {
        self.current().clone().filter(|prepared| !prepared.client.is_closed())
    }

    fn forget(&self) {
        *self.current() = None;
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Prepared>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, DirectoryError> {
        let late = || Trouble::Link(format!("no answer within {:?}", self.timeout));
        let outcome = tokio::time::timeout(self.timeout, work).await;
        outcome.unwrap_or_else(|_| Err(late())).map_err(|trouble| {
            let text = match trouble {
                Trouble::Link(text) => {
                    self.forget();
                    text
                }
                Trouble::Answer(text) => text,
            };
            DirectoryError(format!("{}: {text}", self.place))
        })
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        log::debug!("directory: PostgreSQL connection: {error}");
    }
}

/// What went wrong, without what the server repeats of the query.
fn trouble(error: &tokio_postgres::Error) -> Trouble {
    if let Some(said) = error.as_db_error() {
        let text = format!("{} (SQLSTATE {})", said.message(), said.code().code());
        // Of class 57 are the ends of a connection, by an administrator or a crash.
        let over = said.code().code().starts_with("57P") || said.severity() == "FATAL";
        return if over { Trouble::Link(text) } else { Trouble::Answer(text) };
    }
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    causes.dedup();
    Trouble::Link(causes.join(": "))
}

/// The row of that name; no more than two are read.
async fn ask(prepared: &Prepared, name: &str) -> Result<Option<Row>, Trouble> {
    let failed = |error: tokio_postgres::Error| trouble(&error);
    let parameters: [&(dyn ToSql + Sync); 1] = [&name];
    let rows = prepared.client.query_raw(&prepared.statement, parameters).await.map_err(failed)?;
    let mut rows = pin!(rows);
    let Some(found) = rows.try_next().await.map_err(failed)? else { return Ok(None) };
    if rows.try_next().await.map_err(failed)?.is_some() {
        return Err(Trouble::Answer(SEVERAL.to_owned()));
    }
    let mut row = Row::default();
    for (at, column) in found.columns().iter().enumerate() {
        let wrong = |_| {
            let text = format!("the query's column {} is no text: cast it, ::text", column.name());
            Trouble::Answer(text)
        };
        if matches!(*column.type_(), Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::NAME_ARRAY) {
            let names: Option<Vec<Option<String>>> = found.try_get(at).map_err(wrong)?;
            if column.name() == "groups" {
                row.groups = names.into_iter().flatten().flatten().collect();
                continue;
            }
            return Err(Trouble::Answer(format!(
                "the query's column {} is no text",
                column.name()
            )));
        }
        let text: Option<String> = found.try_get(at).map_err(wrong)?;
        if let Some(text) = text {
            row.set(column.name(), text);
        }
    }
    Ok(Some(row))
}

impl Source for Postgresql {
    fn look_up<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>> {
        Box::pin(self.in_time(self.find(name)))
    }

    fn check<'a>(&'a self) -> Pending<'a, Vec<String>> {
        Box::pin(async {
            let tried = self.in_time(async { self.get().await.map(drop) }).await;
            tried.err().map(|error| error.0).into_iter().collect()
        })
    }
}
