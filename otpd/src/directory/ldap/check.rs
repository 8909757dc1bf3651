//! Whether a server is what the configuration takes it for.

use std::collections::BTreeSet;

use ldap3::Scope;

use super::{Asker, Groups, attributes::Found, connection::Trouble, schema::Schema};

/// supportedCapabilities of Active Directory (MS-ADTS section 3.1.1.3.4.3).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

impl Asker {
    /// Connects, and compares the server's schema with what the settings name.
    pub(super) async fn problems(&self) -> Result<Vec<String>, Trouble> {
        let settings = &self.settings;
        let root = ["supportedCapabilities", "subschemaSubentry"];
        let root = self.connection.search("", Scope::Base, "(objectClass=*)", &root, 1).await?;
        let root = root.into_iter().next().unwrap_or_default();
        let is_ad = root.values("supportedCapabilities").any(|oid| oid == ACTIVE_DIRECTORY);
        let mut problems = Vec::new();
        match (is_ad, settings.schema) {
            (true, Schema::ActiveDirectory) | (false, Schema::Generic | Schema::OpenLdap) => {}
            (true, taken) => problems.push(format!(
                "the server is an Active Directory, but schema is \"{}\": set schema = \
                 \"active-directory\"",
                taken.name()
            )),
            (false, Schema::ActiveDirectory) => problems.push(
                "the server is no Active Directory: set schema = \"openldap\" or \"generic\""
                    .to_owned(),
            ),
        }
        // Says that the base exists and may be read.
        self.connection.search(&settings.base, Scope::Base, "(objectClass=*)", &["1.1"], 1).await?;
        if let Some(Groups::Search { base, .. }) = &settings.groups {
            self.connection.search(base, Scope::Base, "(objectClass=*)", &["1.1"], 1).await?;
        }
        match root.values("subschemaSubentry").next() {
            Some(place) => problems.extend(self.missing(&self.subschema(place).await?)),
            None => log::debug!("directory: {} shows no schema", settings.url),
        }
        Ok(problems)
    }

    async fn subschema(&self, place: &str) -> Result<Found, Trouble> {
        let wanted = ["objectClasses", "attributeTypes"];
        let found = self
            .connection
            .search(place, Scope::Base, "(objectClass=subschema)", &wanted, 1)
            .await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// What the settings name and the server does not know.
    fn missing(&self, subschema: &Found) -> Vec<String> {
        let classes = names(subschema, "objectClasses");
        let attributes = names(subschema, "attributeTypes");
        if classes.is_empty() || attributes.is_empty() {
            log::debug!("directory: {} may not show its schema", self.settings.url);
            return Vec::new();
        }
        let settings = &self.settings;
        let (mut used, mut demanded) = terms(&settings.filter);
        let mapped = [&settings.name, &settings.mobile, &settings.mail];
        used.extend(mapped.into_iter().flatten().cloned());
        match &settings.groups {
            Some(Groups::Attribute(attribute)) => used.push(attribute.clone()),
            Some(Groups::Search { filter, name, .. }) => {
                let (more, classes) = terms(filter);
                used.extend(more);
                used.push(name.clone());
                demanded.extend(classes);
            }
            None => {}
        }
        let unknown = |kind: &str, name: &String, known: &BTreeSet<String>| {
            let bare = name.split(';').next().unwrap_or(name).to_lowercase();
            (!known.contains(&bare)).then(|| {
                format!("the server's schema has no {kind} {name}, which the settings name")
            })
        };
        let of_attributes = used.iter().filter_map(|name| unknown("attribute", name, &attributes));
        let of_classes = demanded.iter().filter_map(|name| unknown("class", name, &classes));
        let found: BTreeSet<_> = of_attributes.chain(of_classes).collect();
        found.into_iter().collect()
    }
}

/// The names that definitions (RFC 4512 section 4.1) define, in lower case.
fn names(subschema: &Found, attribute: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for definition in subschema.values(attribute) {
        let Some((_, after)) = definition.split_once(" NAME ") else { continue };
        let after = after.trim_start();
        let list = match after.strip_prefix('(') {
            Some(list) => list.split(')').next().unwrap_or_default(),
            None => after.split(' ').next().unwrap_or_default(),
        };
        names.extend(
            list.split('\'').map(str::trim).filter(|name| !name.is_empty()).map(str::to_lowercase),
        );
    }
    names
}

/// The attributes that a filter names, and the classes that it demands.
pub(super) fn terms(filter: &str) -> (Vec<String>, Vec<String>) {
    let (mut attributes, mut classes) = (Vec::new(), Vec::new());
    for item in filter.split('(').skip(1) {
        let end = item.find(['=', '<', '>', '~', ':']).unwrap_or(0);
        let (name, rest) = item.split_at(end);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ';');
        if name.is_empty() || !name.chars().all(plain) {
            continue;
        }
        let value = rest.strip_prefix('=').and_then(|rest| rest.split(')').next());
        match value {
            Some(class) if name.eq_ignore_ascii_case("objectClass") && class != "*" => {
                classes.push(class.to_owned());
            }
            _ => attributes.push(name.to_owned()),
        }
    }
    (attributes, classes)
}
