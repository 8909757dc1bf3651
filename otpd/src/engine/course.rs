//! What a policy makes of a login before any code is asked for.

use otp_core::policy::{FactorRule, Rule, Unenrolled};

/// What a policy makes of a login before any code is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Nothing is asked, because the policy says so.
    Skip,
    /// Nothing is asked, because the user is not enrolled and both policy and stack allow that.
    Ignore,
    /// A code is asked for.
    Ask,
    /// A code is asked for, and none will do.
    AskInVain,
    /// The user gets a credential at this login, and is asked for its first code.
    Enrol,
}

pub(super) fn course(rule: &Rule, enrolled: bool, nullok: bool) -> Course {
    match (rule.factor, enrolled, rule.unenrolled) {
        (FactorRule::Skip, ..) => Course::Skip,
        (FactorRule::Deny, ..) => Course::AskInVain,
        (FactorRule::Require, true, _) => Course::Ask,
        (FactorRule::Require, false, Unenrolled::Ignore) if nullok => Course::Ignore,
        (FactorRule::Require, false, Unenrolled::Enrol) => Course::Enrol,
        (FactorRule::Require, false, _) => Course::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_policy_or_policy_and_nullok_together_pass_without_a_code() {
        let rule = |factor, unenrolled| Rule { factor, unenrolled, ..Rule::last() };
        use FactorRule::{Deny, Require, Skip};
        use Unenrolled::{Deny as Refuse, Ignore};
        let table = [
            (Require, Refuse, true, false, Course::Ask),
            (Require, Refuse, true, true, Course::Ask),
            (Require, Refuse, false, false, Course::Ask),
            (Require, Refuse, false, true, Course::Ask),
            (Require, Ignore, true, true, Course::Ask),
            (Require, Ignore, false, false, Course::Ask),
            (Require, Ignore, false, true, Course::Ignore),
            (Require, Unenrolled::Enrol, false, true, Course::Enrol),
            (Require, Unenrolled::Enrol, true, true, Course::Ask),
            (Deny, Unenrolled::Enrol, false, true, Course::AskInVain),
            (Deny, Ignore, false, true, Course::AskInVain),
            (Deny, Refuse, true, true, Course::AskInVain),
            (Skip, Refuse, true, false, Course::Skip),
        ];
        for (factor, unenrolled, enrolled, nullok, expected) in table {
            let rule = rule(factor, unenrolled);
            assert_eq!(course(&rule, enrolled, nullok), expected, "{rule:?} {enrolled} {nullok}");
        }
    }
}
