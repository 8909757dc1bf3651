//! What can be configured as a provider.

use std::{net::IpAddr, sync::Arc};

use reqwest::Url;

use crate::{Channel, exec, gnokii, http, modemmanager, sendmail, smpp, smtp};

/// The settings of any kind of provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A gateway that is called over HTTP.
    Http(Box<http::Settings>),
    /// A gateway that takes e-mail.
    SmtpGateway(smtp::GatewaySettings),
    /// E-mail by submission.
    Smtp(smtp::Settings),
    /// A session with an SMSC.
    Smpp(smpp::Settings),
    /// A telephone or modem that gnokii knows.
    Gnokii(gnokii::Settings),
    /// A modem that ModemManager runs.
    ModemManager(modemmanager::Settings),
    /// The machine's own mail system.
    Sendmail(sendmail::Settings),
    /// A program of the administrator's.
    Exec(exec::Settings),
}

impl Provider {
    /// The word for it in the configuration, in the key `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::SmtpGateway(_) | Self::Smtp(_) => "smtp",
            Self::Smpp(_) => "smpp",
            Self::Gnokii(_) => "gnokii",
            Self::ModemManager(_) => "modemmanager",
            Self::Sendmail(_) => "sendmail",
            Self::Exec(_) => "exec",
        }
    }

    /// The other host to which codes and passwords go without TLS, and the setting that would
    /// protect them. `None`: there is TLS, or nothing leaves this machine by this provider itself.
    #[must_use]
    pub fn in_clear(&self) -> Option<(String, &'static str)> {
        let (host, remedy) = match self {
            Self::Http(settings) => {
                let url = Url::parse(settings.url.expose()).ok()?;
                let host = url.host_str().filter(|_| url.scheme() == "http")?;
                (host.trim_matches(['[', ']']).to_owned(), "url = \"https://…\"")
            }
            Self::Smpp(settings) if settings.tls.is_none() => {
                (settings.server.clone(), "tls = true")
            }
            Self::Smtp(mail) | Self::SmtpGateway(smtp::GatewaySettings { mail, .. })
                if mail.tls == smtp::Tls::None =>
            {
                (mail.server.clone(), "tls = \"starttls\"")
            }
            Self::Smpp(_) | Self::Smtp(_) | Self::SmtpGateway(_) | Self::Gnokii(_) => return None,
            Self::ModemManager(_) | Self::Sendmail(_) | Self::Exec(_) => return None,
        };
        let here = host.parse().map_or_else(
            |_| host.eq_ignore_ascii_case("localhost"),
            |address: IpAddr| address.is_loopback(),
        );
        (!here).then_some((host, remedy))
    }

    /// Makes the channel. Nothing is sent and nobody is connected to yet.
    ///
    /// # Errors
    /// What is wrong with the settings, and what to do.
    pub fn build(&self) -> Result<Arc<dyn Channel>, String> {
        Ok(match self {
            Self::Http(settings) => Arc::new(http::Http::new((**settings).clone())?),
            Self::SmtpGateway(settings) => Arc::new(smtp::Gateway::new(settings.clone())?),
            Self::Smtp(settings) => Arc::new(smtp::Smtp::new(settings.clone())?),
            Self::Smpp(settings) => Arc::new(smpp::Smpp::new(settings.clone())?),
            Self::Gnokii(settings) => Arc::new(gnokii::Gnokii::new(settings.clone())?),
            Self::ModemManager(settings) => {
                Arc::new(modemmanager::ModemManager::new(settings.clone())?)
            }
            Self::Sendmail(settings) => Arc::new(sendmail::Sendmail::new(settings)?),
            Self::Exec(settings) => Arc::new(exec::Exec::new(settings.clone())?),
        })
    }
}
