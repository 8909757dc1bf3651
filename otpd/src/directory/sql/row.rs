//! What the columns of a row mean.

use crate::directory::{Record, Standing, record::contacts};

/// The columns that a query may have, by name; any other is an error, so that a slip of the pen
/// does not go unseen.
pub(super) const COLUMNS: [&str; 5] = ["name", "mobile", "mail", "groups", "state"];

/// A row's columns, as far as the query has them and they are not null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: Option<String>,
    pub(super) mobile: Option<String>,
    pub(super) mail: Option<String>,
    pub(super) groups: Vec<String>,
    /// `None`: the query has no such column, or null.
    pub(super) state: Option<String>,
}

impl Row {
    /// Sets a column that is a text.
    pub(super) fn set(&mut self, column: &str, text: String) {
        match column {
            "name" => self.name = Some(text),
            "mobile" => self.mobile = Some(text),
            "mail" => self.mail = Some(text),
            "state" => self.state = Some(text),
            "groups" => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                self.groups = names.map(str::to_owned).collect();
            }
            _ => {}
        }
    }

    /// The user, who has to have the name that was asked for where there is a column `name`.
    pub(super) fn record(
        self,
        directory: &str,
        user: &str,
        country: Option<&str>,
    ) -> Result<Record, String> {
        if self.name.as_ref().is_some_and(|name| name != user) {
            return Err("the row's name is not the one that was asked for".to_owned());
        }
        let (mobile, mail) = (self.mobile.as_deref(), self.mail.as_deref());
        let contacts = contacts(directory, user, mobile, mail, country);
        let mut record = Record { contacts, groups: self.groups, ..Record::default() };
        if let Some(word) = &self.state {
            let state = Standing::parse(word);
            let allowed = "allowed are active, disabled and expired";
            record.set(state.ok_or_else(|| format!("the row's state is another word: {allowed}"))?);
        }
        Ok(record)
    }
}

/// Refuses columns that mean nothing, and a query without any that does.
pub(super) fn check_columns<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let allowed = COLUMNS.join(", ");
    let unknown = names.into_iter().find(|name| !COLUMNS.contains(name));
    unknown.map_or(Ok(()), |name| {
        Err(format!("the query's column {name} means nothing: allowed are {allowed}; use AS"))
    })
}

/// More than one row.
pub(super) const SEVERAL: &str = "the query finds more than one row";
