//! The settings of one kind of connection, and the ways in that they leave.

use std::collections::BTreeMap;

/// The PAM service where no other one is set.
pub(crate) const SERVICE: &str = "sshd";
/// The method that can put any question.
pub(super) const PROMPT: &str = "keyboard-interactive";

/// The settings of one kind of connection, as `sshd -T` prints them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    values: BTreeMap<String, String>,
    /// The `Match` block that it is about.
    pub(super) block: Option<usize>,
    /// Which of the sshd's has them.
    pub(super) daemon: usize,
}

impl Settings {
    /// Reads what `sshd -T` prints.
    pub(crate) fn parse(text: &str, block: Option<usize>) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let values = lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self { values: values.collect(), block, daemon: 0 }
    }

    /// The same for another sshd than the first.
    pub(super) fn of_daemon(self, daemon: usize) -> Self {
        Self { daemon, ..self }
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn on(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// The PAM service.
    pub(crate) fn service(&self) -> &str {
        Some(self.get("pamservicename")).filter(|name| !name.is_empty()).unwrap_or(SERVICE)
    }

    /// The ways in: each a list of methods that are all needed, none of them switched off.
    pub(super) fn ways(&self) -> Vec<Vec<&str>> {
        let methods = [
            ("publickey", "pubkeyauthentication"),
            ("password", "passwordauthentication"),
            (PROMPT, "kbdinteractiveauthentication"),
            ("gssapi-with-mic", "gssapiauthentication"),
            ("hostbased", "hostbasedauthentication"),
        ];
        let on =
            |method: &&str| methods.iter().any(|(name, switch)| name == method && self.on(switch));
        let lists = self.get("authenticationmethods");
        if ["", "any"].contains(&lists) {
            let single = methods.iter().map(|(name, _)| *name).filter(|method| on(method));
            return single.map(|method| vec![method]).collect();
        }
        let lists = lists.split_whitespace();
        let lists = lists.map(|list| list.split(',').filter_map(|m| m.split(':').next()).collect());
        lists.filter(|list: &Vec<&str>| list.iter().all(&on)).collect()
    }

    /// Whether whoever comes to PAM has proved to have a key or a ticket before.
    pub(crate) fn proved(&self) -> bool {
        let mut asking = self.ways().into_iter().filter(|way| asks_pam(way)).peekable();
        asking.peek().is_some() && asking.all(|way| way.iter().any(|method| !is_pam(method)))
    }
}

pub(super) fn is_pam(method: &str) -> bool {
    [PROMPT, "password"].contains(&method)
}

pub(super) fn asks_pam(way: &[&str]) -> bool {
    way.iter().any(|method| is_pam(method))
}
