//! The decision as its callers see it: whole accounts, a virtual clock, every rule.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod confirm;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod import;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod issued;
#[cfg(test)]
mod login;
#[cfg(test)]
mod out_of_band;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod rejoin;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod resync;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod share;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod uri;
#[cfg(test)]
mod window;
