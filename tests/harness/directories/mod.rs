//! Where people are known: slapd, PostgreSQL, SQLite and SSSD's InfoPipe, all on loopback or the
//! private bus and none of them ours.

pub mod infopipe;
pub mod postgresql;
pub mod silent;
pub mod slapd;

/// What a directory has of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The login name.
    pub name: String,
    /// The telephone; empty: none.
    pub mobile: String,
    /// The mailbox; empty: none.
    pub mail: String,
    /// The groups.
    pub groups: Vec<String>,
    /// `active`, `disabled` or `expired`.
    pub state: String,
}

impl Person {
    /// Somebody with a telephone.
    pub fn new(name: &str, mobile: &str) -> Self {
        let (name, mobile, state) = (name.to_owned(), mobile.to_owned(), "active".to_owned());
        Self { name, mobile, state, ..Self::default() }
    }

    /// The same in a state.
    pub fn state(self, state: &str) -> Self {
        Self { state: state.to_owned(), ..self }
    }

    /// The same in groups.
    pub fn groups(self, groups: &[&str]) -> Self {
        Self { groups: groups.iter().map(ToString::to_string).collect(), ..self }
    }
}

/// The n-th of very many people: their number ends with n.
pub fn one_of_many(n: usize) -> Person {
    Person::new(&format!("person{n}"), &format!("+4917{n:08}"))
}
