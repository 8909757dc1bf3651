//! `[directory.NAME]`: where contacts, groups and account states come from.

use std::{path::PathBuf, time::Duration};

use ldap3::parse_filter;
use otp_core::contact::is_country_code;

use super::{
    duration::{DAY, HOUR, MINUTE, SECOND},
    error::{ConfigError, Place},
    secret::Vault,
    section::{Section, quoted, text},
    settings::{ABSOLUTE, PLAIN_NAME, absolute, plain_name},
    show::Text,
    tree::Value,
};
use crate::directory::{
    cache::Keeping,
    composite::{Kind, LOCAL, One, Settings},
    file,
    ldap::{self, DN, Depth, Groups, USER, schema::Schema},
    passwd::{Field, Gecos},
    sql::{self, Database, Server},
    sssd,
};

type Result<T> = std::result::Result<T, ConfigError>;

/// What [`plain`] takes.
const TEXT: &str = "a text of 1 to 1024 bytes without control characters";
const ATTRIBUTE: &str = "the name of an attribute: letters, digits and '-'";
const HOST: &str = "a host's name, or the absolute path of the socket's folder";
const URL: &str = "\"ldap://HOST\" and \"ldaps://HOST\", with \":PORT\" where it is another";

/// What was read.
pub(super) struct Read {
    pub(super) settings: Settings,
    /// The tables, defaults included, without secrets.
    pub(super) shown: String,
}

/// The directories in the order of the files; "local" is the first where no table says otherwise.
pub(super) fn read(
    section: Section,
    bus: &str,
    vault: &Vault<'_>,
    warnings: &mut Vec<String>,
) -> Result<Read> {
    let mut children = section.children()?;
    children.sort_by_key(|(_, place, _)| (place.source.rank, place.span.start));
    let mut settings = Settings { all: Vec::new(), bus: bus.to_owned() };
    let mut shown = String::new();
    for (name, place, section) in children {
        let allowed = || place.error(format!("directory.{}: allowed is {PLAIN_NAME}", Text(&name)));
        plain_name(&Value::Text(name.clone())).ok_or_else(allowed)?;
        let mut table = Reader { name: &name, section, place: &place, vault, warnings };
        let kind = table.kind()?;
        let lines = table.section.end()?.join("\n");
        let header = if name.contains('.') { Text(&name).to_string() } else { name.clone() };
        shown.push_str(&format!("\n[directory.{header}]\n{lines}\n"));
        let one = One { name, kind };
        let wrong = |why| place.error(format!("directory.{}: {why}", one.name));
        settings.vet(&one).map_err(wrong)?;
        settings.all.push(one);
    }
    if !settings.all.iter().any(|one| one.name == LOCAL) {
        let kind = Kind::Passwd(Gecos::default());
        settings.all.insert(0, One { name: LOCAL.to_owned(), kind });
        shown.insert_str(0, "\n[directory.local]\ntype = \"passwd\"\n");
    }
    Ok(Read { settings, shown })
}

/// A text on one line.
fn plain(value: &Value) -> Option<String> {
    let fits = |text: &&str| (1..=1024).contains(&text.len()) && !text.contains(char::is_control);
    text(value).filter(fits).map(str::to_owned)
}

fn attribute(value: &Value) -> Option<String> {
    let name = text(value)?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ';'));
    (plain && name.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| name.to_owned())
}

/// One directory's table.
struct Reader<'a, 'v> {
    name: &'a str,
    section: Section,
    place: &'a Place,
    vault: &'a Vault<'v>,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_, '_> {
    fn kind(&mut self) -> Result<Kind> {
        let kinds: &[_] = match self.name {
            LOCAL => &["passwd"],
            _ => &["passwd", "file", "sssd", "ldap", "sql"],
        };
        let kinds: Vec<_> = kinds.iter().map(|kind| (*kind, *kind)).collect();
        match self.section.choice("type", &kinds, "passwd")? {
            "file" => self.file(),
            "sssd" => self.sssd(),
            "ldap" => self.ldap(),
            "sql" => self.sql(),
            _ => self.passwd(),
        }
    }

    /// Only the system's own accounts have a GECOS text that is read.
    fn passwd(&mut self) -> Result<Kind> {
        if self.name != LOCAL {
            return Ok(Kind::Passwd(Gecos::default()));
        }
        let mobile = self.field("mobile")?;
        let mail = self.field("mail")?;
        let country = self.country()?;
        Ok(Kind::Passwd(Gecos { mobile, mail, country }))
    }

    fn field(&mut self, key: &'static str) -> Result<Option<Field>> {
        let named = quoted(Field::ALL.iter().map(|(name, _)| *name));
        let field = self.section.value(key, named, |value| {
            let given = text(value)?;
            Field::ALL.iter().find(|(name, _)| *name == given).map(|(_, field)| *field)
        })?;
        Ok(field.map(|(field, place)| {
            if field != Field::Other {
                self.warnings.push(format!("{place}: directory.local.{key}: users can change this field with chfn and send their codes elsewhere, unless CHFN_RESTRICT in /etc/login.defs forbids it; \"other\" is root's alone"));
            }
            field
        }))
    }

    fn country(&mut self) -> Result<Option<String>> {
        let allowed = "a country's code in 1 to 3 digits like \"49\"";
        let country = self.section.value("country", allowed, |value| {
            text(value).filter(|code| is_country_code(code)).map(str::to_owned)
        })?;
        Ok(country.map(|(country, _)| country))
    }

    fn file(&mut self) -> Result<Kind> {
        let path = self.required_path("path")?;
        let country = self.country()?;
        Ok(Kind::File(file::Settings { path, country }))
    }

    fn sssd(&mut self) -> Result<Kind> {
        let mobile = self.attribute("mobile")?;
        let mail = self.attribute("mail")?;
        let groups = self.section.flag("groups", false)?;
        let (country, timeout) = (self.country()?, self.timeout()?);
        let settings = sssd::Settings { mobile, mail, groups, country, timeout };
        Ok(Kind::Sssd(settings, self.keeping()?))
    }

    fn ldap(&mut self) -> Result<Kind> {
        let (url, tls) = self.url()?;
        let ca = if tls { self.path("ca")? } else { None };
        let bind = self.bind()?;
        let base = self.required_text("base")?;
        let depths = [("subtree", Depth::Subtree), ("one", Depth::One)];
        let depth = self.section.choice("scope", &depths, Depth::Subtree)?;
        let schema = self.section.choice("schema", &Schema::ALL, Schema::Generic)?;
        let defaults = schema.defaults();
        let filter = self.filter("filter", &[USER])?;
        let filter = filter.unwrap_or_else(|| self.by_default("filter", defaults.filter));
        let name = self.attribute("name")?;
        let name = name.or_else(|| defaults.name.map(|name| self.by_default("name", name)));
        let mobile = self.attribute("mobile")?;
        let mail = self.attribute("mail")?;
        if schema == Schema::ActiveDirectory && mobile.is_some() {
            let (place, name) = (self.place, self.name);
            self.warnings.push(format!("{place}: directory.{name}.mobile: Active Directory lets users change their own telephone numbers, so that whoever has the password has the codes, too, unless SELF may no longer write Personal-Information"));
        }
        let groups = self.groups(defaults.groups)?;
        let (country, timeout) = (self.country()?, self.timeout()?);
        let settings = ldap::Settings {
            url,
            tls,
            ca,
            bind,
            base,
            depth,
            filter,
            schema,
            name,
            mobile,
            mail,
            groups,
            country,
            timeout,
        };
        Ok(Kind::Ldap(Box::new(settings), self.keeping()?))
    }

    /// Where the server is, and whether everything is encrypted.
    fn url(&mut self) -> Result<(String, bool)> {
        let found = self.section.value("url", URL, |value| {
            let url = text(value)?;
            let host = url.strip_prefix("ldaps://").or_else(|| url.strip_prefix("ldap://"))?;
            let plain =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
            let fits = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                && host.chars().all(plain)
                && !host.ends_with(':');
            fits.then(|| url.to_owned())
        })?;
        let (url, place) = found.ok_or_else(|| self.missing("url", URL))?;
        let tls = self.section.choice("tls", &[("required", true), ("none", false)], true)?;
        if !tls && url.starts_with("ldaps://") {
            return Err(place.error(format!(
                "directory.{}.url is ldaps:// and tls is \"none\": allowed is one of both",
                self.name
            )));
        }
        if !tls {
            self.in_clear(&place, "the password of bind_dn and every answer go over the network in clear, and whoever is in between decides where codes go");
        }
        Ok((url, tls))
    }

    fn in_clear(&mut self, place: &Place, what: &str) {
        let name = self.name;
        self.warnings.push(format!("{place}: directory.{name}: tls = \"none\": {what}"));
    }

    fn bind(&mut self) -> Result<Option<(String, otp_delivery::Hidden)>> {
        let Some(dn) = self.text("bind_dn")? else { return Ok(None) };
        let password = self.vault.secret(&mut self.section, "password")?;
        let allowed = "a text, { file = \"/…\" } and { credential = \"…\" }";
        // A login without a password succeeds everywhere and means nothing (RFC 4513 section 5.1.2).
        let password = password.filter(|password| !password.expose().is_empty());
        Ok(Some((dn, password.ok_or_else(|| self.missing("password", allowed))?)))
    }

    /// A filter with placeholders, at least one of them.
    fn filter(&mut self, key: &'static str, placeholders: &[&str]) -> Result<Option<String>> {
        let allowed = format!("a filter (RFC 4515) with {}", placeholders.join(" or "));
        let found = self.section.value(key, allowed, |value| {
            let filter = text(value)?;
            let tried = placeholders.iter().fold(filter.to_owned(), |f, p| f.replace(p, "x"));
            let fits =
                tried != filter && !tried.contains(['{', '}']) && parse_filter(&tried).is_ok();
            fits.then(|| filter.to_owned())
        })?;
        Ok(found.map(|(filter, _)| filter))
    }

    fn groups(&mut self, default: Option<&str>) -> Result<Option<Groups>> {
        if let Some(base) = self.text("group_base")? {
            let filter = self.filter("group_filter", &[USER, DN])?;
            let filter = filter.unwrap_or_else(|| {
                self.by_default("group_filter", "(&(objectClass=posixGroup)(memberUid={user}))")
            });
            let name = self.attribute("group_name")?;
            let name = name.unwrap_or_else(|| self.by_default("group_name", "cn"));
            return Ok(Some(Groups::Search { base, filter, name }));
        }
        let attribute = self.attribute("groups")?;
        let attribute = attribute.or_else(|| default.map(|name| self.by_default("groups", name)));
        Ok(attribute.map(Groups::Attribute))
    }

    fn sql(&mut self) -> Result<Kind> {
        let engines = [("postgresql", true), ("sqlite", false)];
        let allowed = quoted(engines.iter().map(|(word, _)| *word));
        let engine = self.section.value("engine", &allowed, |value| {
            let given = text(value)?;
            engines.iter().find(|(word, _)| *word == given).map(|(_, server)| *server)
        })?;
        let (server, _) = engine.ok_or_else(|| self.missing("engine", &allowed))?;
        let database = if server {
            Database::Postgresql(self.server()?)
        } else {
            Database::Sqlite(self.required_path("path")?)
        };
        let query = self.query(&database)?;
        let (country, timeout) = (self.country()?, self.timeout()?);
        let settings = sql::Settings { database, query, country, timeout };
        Ok(Kind::Sql(Box::new(settings), self.keeping()?))
    }

    fn server(&mut self) -> Result<Server> {
        let host = self.section.value("host", HOST, |value| {
            let host = plain(value)?;
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
            (host.starts_with('/') || host.chars().all(name)).then_some(host)
        })?;
        let (host, place) = host.ok_or_else(|| self.missing("host", HOST))?;
        let port = self.section.whole("port", 1..=65_535, 5432)?;
        let database = self.required_text("database")?;
        let user = self.required_text("user")?;
        let password = self.vault.secret(&mut self.section, "password")?;
        let socket = host.starts_with('/');
        let tls =
            !socket && self.section.choice("tls", &[("required", true), ("none", false)], true)?;
        if !tls && !socket {
            self.in_clear(&place, "every answer goes over the network in clear, and whoever is in between decides where codes go");
        }
        let ca = if tls { self.path("ca")? } else { None };
        Ok(Server { host, port, database, user, password, tls, ca })
    }

    /// The only parameter is the name, and it is bound: a placeholder in quotes would be a text.
    fn query(&mut self, database: &Database) -> Result<String> {
        let parameter = database.parameter();
        let allowed =
            format!("a query with {parameter} in place of the name, and no other parameter");
        let found = self.section.value("query", &allowed, |value| {
            let query = text(value)?;
            let bare = query.replace(&format!("'{parameter}'"), "");
            (bare.contains(parameter) && !query.contains('\0')).then(|| query.to_owned())
        })?;
        found.map(|(query, _)| query).ok_or_else(|| self.missing("query", &allowed))
    }

    /// How long what was told counts.
    fn keeping(&mut self) -> Result<Keeping> {
        let age_ms = self.section.duration("cache", SECOND..=HOUR, 5 * MINUTE)?;
        let outage = self.section.choice("outage", &[("deny", false), ("cache", true)], false)?;
        let outage_ms = if outage {
            Some(self.section.duration("cache_outage", age_ms..=30 * DAY, DAY)?)
        } else {
            None
        };
        Ok(Keeping { age_ms, outage_ms })
    }

    /// Shorter than the 10 s that the module waits.
    fn timeout(&mut self) -> Result<Duration> {
        self.section.duration("timeout", 100..=8 * SECOND, 5 * SECOND).map(Duration::from_millis)
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        Ok(self.section.value(key, TEXT, plain)?.map(|(text, _)| text))
    }

    fn required_text(&mut self, key: &'static str) -> Result<String> {
        let text = self.text(key)?;
        text.ok_or_else(|| self.missing(key, TEXT))
    }

    fn attribute(&mut self, key: &'static str) -> Result<Option<String>> {
        Ok(self.section.value(key, ATTRIBUTE, attribute)?.map(|(name, _)| name))
    }

    fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>> {
        Ok(self.section.value(key, ABSOLUTE, absolute)?.map(|(path, _)| path))
    }

    fn required_path(&mut self, key: &'static str) -> Result<PathBuf> {
        let path = self.path(key)?;
        path.ok_or_else(|| self.missing(key, ABSOLUTE))
    }

    fn by_default(&mut self, key: &'static str, default: &str) -> String {
        self.section.show(key, Text(default));
        default.to_owned()
    }

    fn missing(&self, key: &str, allowed: &str) -> ConfigError {
        let path = self.section.path();
        self.place.error(format!("{path}{key} is missing: allowed are {allowed}"))
    }
}
