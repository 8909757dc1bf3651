use proptest::prelude::*;

use super::{
    attributes::{Found, common_name},
    check::terms,
    filled,
    schema::Schema,
};
use crate::directory::{Record, Standing};

#[test]
fn what_a_placeholder_stands_for_is_escaped_and_not_looked_at_again() {
    for (template, user, dn, expected) in [
        ("(uid={user})", "alice", "", "(uid=alice)"),
        ("(uid={user})", "*", "", "(uid=\\2a)"),
        ("(uid={user})", "*)(uid=*", "", "(uid=\\2a\\29\\28uid=\\2a)"),
        ("(uid={user})", "a\\b", "", "(uid=a\\5cb)"),
        ("(uid={user})", "{dn}", "cn=x", "(uid={dn})"),
        ("(|(a={user})(b={user}))", "(", "", "(|(a=\\28)(b=\\28))"),
        ("(member={dn})", "u", "cn=a\\,b (c),dc=d", "(member=cn=a\\5c,b \\28c\\29,dc=d)"),
        ("(&(a={user})(m={dn}))", "{user}", "{user}", "(&(a={user})(m={user}))"),
        ("no placeholder { }", "u", "", "no placeholder { }"),
    ] {
        assert_eq!(filled(template, user, dn), expected, "{template} {user} {dn}");
    }
}

proptest! {
    /// Whatever a name is, the filter has the template's shape, and only itself in it.
    #[test]
    fn no_name_changes_a_filter(user in "\\PC{1,40}") {
        let filter = filled("(&(objectClass=person)(uid={user}))", &user, "");
        let value = filter.strip_prefix("(&(objectClass=person)(uid=").unwrap();
        let value = value.strip_suffix("))").unwrap();
        prop_assert!(!value.contains(['*', '(', ')', '\0']));
        prop_assert_eq!(ldap3::ldap_unescape(value).unwrap(), user.as_str());
        prop_assert!(ldap3::parse_filter(&filter).is_ok(), "{}", filter);
    }
}

#[test]
fn a_group_is_called_by_the_first_part_of_its_distinguished_name() {
    for (value, name) in [
        ("CN=wheel,OU=groups,DC=example", "wheel"),
        ("cn=wheel", "wheel"),
        ("cn=a\\, b,dc=c", "a, b"),
        ("cn=a\\2Cb+ou=c,dc=d", "a,b"),
        ("cn=J\\c3\\bcrgen,dc=d", "Jürgen"),
        ("wheel", "wheel"),
        ("a b=c", "a b=c"),
        ("=x", "=x"),
        ("cn=x\\", "x"),
        ("", ""),
    ] {
        assert_eq!(common_name(value), name, "{value}");
    }
}

/// 2026-01-01, Unix milliseconds.
const NOW_MS: i64 = 1_767_225_600_000;

fn standing(schema: Schema, pairs: &[(&str, &str)]) -> Result<Standing, String> {
    let mut record = Record::default();
    schema.state(&Found::of(pairs), &mut record).map(|()| record.standing(NOW_MS))
}

#[test]
fn the_state_of_an_account_is_read_as_its_schema_has_it() {
    use Standing::{Active, Disabled, Expired};
    let ad = Schema::ActiveDirectory;
    let control = ("userAccountControl", "512");
    for (pairs, expected) in [
        (vec![control], Active),
        (vec![("userAccountControl", "514")], Disabled),
        (vec![("useraccountcontrol", "66050")], Disabled),
        (vec![control, ("accountExpires", "0")], Active),
        (vec![control, ("accountExpires", "9223372036854775807")], Active),
        (vec![control, ("accountExpires", "132223104000000000")], Expired),
        (vec![control, ("accountExpires", "134116992000000000")], Expired),
        (vec![control, ("accountExpires", "134116992000010000")], Active),
    ] {
        assert_eq!(standing(ad, &pairs), Ok(expected), "{pairs:?}");
    }
    for pairs in [vec![], vec![("userAccountControl", "x")], vec![control, ("accountExpires", "")]]
    {
        standing(ad, &pairs).unwrap_err();
    }
    let openldap = Schema::OpenLdap;
    for (pairs, expected) in [
        (vec![], Active),
        (vec![("shadowExpire", "-1")], Active),
        (vec![("shadowExpire", "20454")], Expired),
        (vec![("shadowExpire", "20455")], Active),
        (vec![("shadowExpire", "0")], Expired),
        (vec![("pwdAccountLockedTime", "000001010000Z")], Disabled),
        // Locked for a while by wrong passwords: the password's business, and over by itself.
        (vec![("pwdAccountLockedTime", "20251231235959Z")], Active),
    ] {
        assert_eq!(standing(openldap, &pairs), Ok(expected), "{pairs:?}");
    }
    standing(openldap, &[("shadowExpire", "never")]).unwrap_err();
    assert_eq!(standing(Schema::Generic, &[("userAccountControl", "514")]), Ok(Active));
}

#[test]
fn the_names_in_a_filter_are_found() {
    for schema in [Schema::Generic, Schema::OpenLdap, Schema::ActiveDirectory] {
        let filter = schema.defaults().filter;
        assert!(ldap3::parse_filter(filled(filter, "x", "")).is_ok(), "{filter}");
    }
    let (attributes, classes) =
        terms("(&(objectClass=user)(!(a>=1))(|(b~=x)(c:dn:1.2:=y)(objectclass=*)))");
    assert_eq!(attributes, ["a", "b", "c", "objectclass"]);
    assert_eq!(classes, ["user"]);
}
