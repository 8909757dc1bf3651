//! Tokens of FreeIPA, as `ldapsearch` prints them: LDIF (RFC 2849) of the entries under
//! `cn=otp,dc=…`.

use std::collections::BTreeMap;

use jiff::{civil::DateTime, tz::TimeZone};
use otp_core::token::{Algorithm, Factor};
use zeroize::Zeroizing;

use super::{
    Circumstances, Contents, Reject, Row, key,
    value::{self, Refused, Seed, mentions, refused},
};

/// The attributes that say something of a token, in lower case, in front of what they are about.
const PREFIX: &str = "ipatoken";

pub(super) fn recognised(bytes: &[u8]) -> bool {
    let head = bytes.get(..64 * 1024).unwrap_or(bytes);
    mentions(head, b"\ndn:") && mentions(head, PREFIX.as_bytes())
        || value::begins(head, b"dn:") && mentions(head, PREFIX.as_bytes())
}

/// Entries that are no tokens are passed over. What was used between the search and now cannot be
/// known: of a time-based token all codes count as used that were shown until now.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let text = value::text(bytes)?;
    let mut contents = Contents::default();
    let mut entry = Entry::default();
    for (line, unfolded) in unfolded(text) {
        if unfolded.is_empty() {
            take(std::mem::take(&mut entry), circumstances, &mut contents);
        } else if !unfolded.starts_with('#') {
            entry.add(line, &unfolded).map_err(|reason| Reject { line, user: None, reason })?;
        }
    }
    take(entry, circumstances, &mut contents);
    if contents.rows.is_empty() && contents.rejects.is_empty() {
        return Err(refused(
            "it has no entry of a token; search as the Directory Manager below cn=otp, all \
             attributes: others are not given the keys",
        ));
    }
    Ok(contents)
}

/// The lines with those that continue them, which begin with one space, and where they begin.
fn unfolded(text: &str) -> impl Iterator<Item = (usize, Zeroizing<String>)> {
    let mut lines = (1..).zip(text.lines()).peekable();
    std::iter::from_fn(move || {
        let (number, first) = lines.next()?;
        let mut more = Vec::new();
        while let Some((_, next)) = lines.next_if(|(_, next)| next.starts_with(' ')) {
            more.push(next.get(1..).unwrap_or_default());
        }
        let length = first.len() + more.iter().map(|next| next.len()).sum::<usize>();
        let mut line = Zeroizing::new(String::with_capacity(length));
        line.push_str(first);
        more.iter().for_each(|next| line.push_str(next));
        Some((number, line))
    })
}

/// The attributes of an entry, by their names in lower case.
#[derive(Default)]
struct Entry {
    line: usize,
    values: BTreeMap<String, Vec<Zeroizing<Vec<u8>>>>,
}

impl Entry {
    fn add(&mut self, line: usize, text: &str) -> Result<(), Refused> {
        let fault = || "it is no LDIF, as ldapsearch prints it".to_owned();
        let (name, value) = text.split_once(':').ok_or_else(fault)?;
        if self.values.is_empty() {
            self.line = line;
        }
        let value = match value.strip_prefix(':') {
            Some(encoded) => value::base64(encoded.as_bytes()).ok_or_else(fault)?,
            None if value.starts_with('<') => {
                return Err("a value stands in another file, which is never read".into());
            }
            None => Zeroizing::new(value.trim_start_matches(' ').as_bytes().to_vec()),
        };
        let name = name.split(';').next().unwrap_or_default().to_ascii_lowercase();
        self.values.entry(name).or_default().push(value);
        Ok(())
    }

    /// The only value of `ipatoken…`.
    fn bytes(&self, attribute: &str) -> Result<Option<&Zeroizing<Vec<u8>>>, Refused> {
        match self.values.get(&format!("{PREFIX}{attribute}")).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(format!("{PREFIX}{attribute} is given twice")),
        }
    }

    fn text(&self, attribute: &str) -> Result<Option<&str>, Refused> {
        let Some(bytes) = self.bytes(attribute)? else { return Ok(None) };
        let text =
            std::str::from_utf8(bytes).map_err(|_| format!("{PREFIX}{attribute} is no text"));
        text.map(|text| Some(text.trim()))
    }

    fn number(&self, attribute: &str) -> Result<Option<i64>, Refused> {
        let Some(text) = self.text(attribute)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("{PREFIX}{attribute} is not a number"))
    }

    fn moment(&self, attribute: &str) -> Result<Option<i64>, Refused> {
        let Some(text) = self.text(attribute)? else { return Ok(None) };
        let moment = generalized_time(text);
        moment.map(Some).ok_or_else(|| format!("{PREFIX}{attribute} is not a time"))
    }

    fn is(&self, class: &str) -> bool {
        let classes = self.values.get("objectclass").map(Vec::as_slice).unwrap_or_default();
        classes.iter().any(|value| value.eq_ignore_ascii_case(class.as_bytes()))
    }

    fn has(&self, attribute: &str) -> bool {
        self.values.contains_key(&format!("{PREFIX}{attribute}"))
    }

    /// By the owner's name, or that of the entry where it is a user.
    fn owner(&self) -> Option<String> {
        let name = |attribute: &str| {
            let value = self.values.get(attribute)?.first()?;
            std::str::from_utf8(value).ok()
        };
        name("ipatokenowner").and_then(value::owner).or_else(|| name("uid").and_then(value::name))
    }
}

fn take(entry: Entry, circumstances: &Circumstances, contents: &mut Contents) {
    let line = entry.line;
    let (user, reject) =
        (entry.owner(), |user, reason: &str| Reject { line, user, reason: reason.to_owned() });
    if entry.has("radiusconfiglink") || entry.is("ipatokenRadiusConfiguration") {
        let reason = "codes are checked by a RADIUS server there: there is no key to take over";
        contents.rejects.push(reject(user, reason));
    } else if entry.has("otpkey") || entry.is("ipaToken") {
        match row(&entry, circumstances) {
            Ok(row) => contents.rows.push(Row { user, ..row }),
            Err(reason) => contents.rejects.push(reject(user, &reason)),
        }
    }
}

fn row(entry: &Entry, circumstances: &Circumstances) -> Result<Row, Refused> {
    let mut warnings = Vec::new();
    let bytes = entry
        .bytes("otpkey")?
        .ok_or("the key is missing: search as the Directory Manager, others are not given it")?;
    let secret = key(Zeroizing::new(bytes.to_vec()), &mut warnings)?;
    let algorithm = entry.text("otpalgorithm")?.map(value::algorithm).transpose()?;
    let digits = entry
        .number("otpdigits")?
        .map_or(Ok(6), |number| value::digits(u64::try_from(number).unwrap_or_default()))?;
    let time = entry.is("ipatokenTOTP") || entry.has("totptimestep");
    let counter = entry.is("ipatokenHOTP") || entry.has("hotpcounter");
    let factor = match (time, counter) {
        (true, false) => {
            let step = entry.number("totptimestep")?.unwrap_or(30);
            value::period(u64::try_from(step).unwrap_or_default())?
        }
        (false, true) => Factor::Hotp,
        _ => return Err("it does not say whether its codes go by time or by counter".into()),
    };
    let algorithm = algorithm.unwrap_or(Algorithm::Sha1);
    let seed = Seed { secret, factor, algorithm, digits, warnings };
    let below = |attribute: &str, number: Option<i64>| {
        let number = number.map(|number| u64::try_from(number).ok().filter(|n| *n < u64::MAX));
        match number {
            None => Ok(0),
            Some(Some(number)) => Ok(number),
            Some(None) => Err(format!("{PREFIX}{attribute} is below 0")),
        }
    };
    let next = below("HOTPcounter", entry.number("hotpcounter")?)?;
    let mut row = seed.row(entry.line, next, circumstances.now_ms);
    if time {
        let seconds = entry.number("totpclockoffset")?.unwrap_or_default();
        let offset_ms = seconds.checked_mul(1000);
        row.offset_ms = offset_ms.ok_or("ipatokenTOTPclockOffset is out of range")?;
        let device_ms = circumstances.now_ms.saturating_add(row.offset_ms);
        let watermark = below("TOTPwatermark", entry.number("totpwatermark")?)?;
        row.next = value::untouched(factor, device_ms).unwrap_or_default().max(watermark);
    }
    row.label = entry.text("uniqueid")?.and_then(value::label);
    row.from_ms = entry.moment("notbefore")?;
    row.expires_ms = entry.moment("notafter")?;
    row.disabled = match entry.text("disabled")?.map(str::to_ascii_uppercase).as_deref() {
        None | Some("FALSE") => false,
        Some("TRUE") => true,
        Some(_) => return Err("ipatokenDisabled is neither TRUE nor FALSE".into()),
    };
    Ok(row)
}

/// A time of LDAP (RFC 4517 section 3.3.13), `20260131235959Z`, in Unix milliseconds. FreeIPA
/// writes no fractions and no zone but UTC.
fn generalized_time(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.len() == 14)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year: i16 = digits.get(..4)?.parse().ok()?;
    let part = |at: usize| digits.get(at..at + 2)?.parse::<i8>().ok();
    let (month, day, hour) = (part(4)?, part(6)?, part(8)?);
    let local = DateTime::new(year, month, day, hour, part(10)?, part(12)?, 0).ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::import::format_tests::{BASE64, read, reason, rows};

    const SUFFIX: &str = "cn=otp,dc=example,dc=com";

    /// The entry of a time-based token of alice's, and more attributes.
    pub(in crate::import) fn entry(more: &str) -> String {
        format!(
            "# extended LDIF\n#\n# LDAPv3\n\n# 5e2f, otp, example.com\n\
             dn: ipatokenuniqueid=5e2f,{SUFFIX}\nobjectClass: top\nobjectClass: ipatoken\n\
             objectClass: ipatokentotp\nipatokenUniqueID: 5e2f\n\
             ipatokenOwner: uid=alice,cn=users,cn=accoun\n ts,dc=example,dc=com\n\
             ipatokenOTPkey:: {}\n {}\n{more}\n# search result\nsearch: 2\nresult: 0 Success\n",
            &BASE64[..10],
            &BASE64[10..]
        )
    }

    fn counting(more: &str) -> String {
        entry(more).replace("ipatokentotp", "ipatokenhotp")
    }

    #[test]
    fn tokens_are_read_with_what_was_used() {
        let all = "ipatokenOTPalgorithm: sha512\nipatokenOTPdigits: 8\nipatokenTOTPtimeStep: 60\n\
                   ipatokenTOTPclockOffset: 120\nipatokenTOTPwatermark: 29922020\n\
                   ipatokenNotBefore: 20260101000000Z\nipatokenNotAfter: 20271231235959Z\n\
                   ipatokenDisabled: TRUE\nipatokenVendor: FreeIPA\n";
        assert_eq!(rows("freeipa", entry("")), ["6: alice (5e2f) T30 Sha1 6 59844054"]);
        assert_eq!(
            rows("freeipa", entry(all)),
            ["6: alice (5e2f) T60 Sha512 8 29922029 offset 120000 from 1767225600 until \
              1830297599 disabled"]
        );
        let ahead = "ipatokenTOTPwatermark: 59844060\nipatokenDisabled: FALSE\n";
        assert_eq!(rows("freeipa", entry(ahead)), ["6: alice (5e2f) T30 Sha1 6 59844060"]);
        let counter = "ipatokenHOTPcounter: 42\n";
        assert_eq!(rows("freeipa", counting(counter)), ["6: alice (5e2f) H Sha1 6 42"]);
        assert_eq!(rows("freeipa", counting("")), ["6: alice (5e2f) H Sha1 6 0"]);
    }

    #[test]
    fn keys_may_be_written_as_they_are_and_owners_in_every_way() {
        let plain = entry("").replace(
            &format!("ipatokenOTPkey:: {}\n {}", &BASE64[..10], &BASE64[10..]),
            "IPATOKENOTPKEY: 12345678901234567890",
        );
        assert_eq!(rows("freeipa", &plain), ["6: alice (5e2f) T30 Sha1 6 59844054"]);
        for (owner, user) in [
            ("UID=Bob,cn=users", "Bob"),
            ("uid=a\\,b\\2Bc\\5c,cn=users", "a,b+c\\"),
            ("uid=j\\c3\\bcrgen", "jürgen"),
            ("krbprincipalname=host/x", "-"),
            ("", "-"),
        ] {
            let file = plain.replace("uid=alice,cn=users,cn=accoun", owner);
            let file = file.replace("\n ts,dc=example,dc=com", "");
            assert_eq!(rows("freeipa", file), [format!("6: {user} (5e2f) T30 Sha1 6 59844054")]);
        }
    }

    #[test]
    fn entries_that_are_no_tokens_are_passed_over_and_radius_is_rejected() {
        let users = "dn: uid=bob,cn=users\nobjectClass: person\nuid: bob\n\n\
                     dn: uid=carol,cn=users\nuid: carol\n\
                     ipatokenRadiusConfigLink: cn=proxy,cn=radiusproxy\n\n";
        let contents = read("freeipa", format!("{users}{}", entry(""))).unwrap();
        assert_eq!(contents.rows.len(), 1);
        let [reject] = contents.rejects.as_slice() else { panic!("{contents:?}") };
        assert_eq!((reject.line, reject.user.as_deref()), (5, Some("carol")));
        assert!(reject.reason.contains("RADIUS"));
    }

    #[test]
    fn what_cannot_be_taken_over_is_rejected() {
        for (more, refusal) in [
            ("ipatokenOTPalgorithm: sha384\n", "\"sha384\""),
            ("ipatokenOTPdigits: 9\n", "9 digits"),
            ("ipatokenOTPdigits: x\n", "ipatokenotpdigits is not a number"),
            ("ipatokenOTPdigits: 6\nipatokenOTPdigits: 8\n", "given twice"),
            ("ipatokenTOTPtimeStep: 0\n", "time step"),
            ("ipatokenTOTPtimeStep: -5\n", "time step"),
            ("ipatokenTOTPwatermark: -1\n", "below 0"),
            ("ipatokenTOTPclockOffset: 9223372036854775807\n", "out of range"),
            ("ipatokenHOTPcounter: 1\n", "by time or by counter"),
            ("ipatokenNotAfter: 2026\n", "not a time"),
            ("ipatokenNotAfter: 20261332000000Z\n", "not a time"),
            ("ipatokenDisabled: maybe\n", "neither TRUE nor FALSE"),
        ] {
            let reason = reason("freeipa", entry(more));
            assert!(reason.starts_with("line 6: ") && reason.contains(refusal), "{reason}");
        }
        let hidden = entry("").replace("ipatokenOTPkey", "ipatokenModel");
        assert!(reason("freeipa", hidden).contains("Directory Manager"));
        for (file, refusal) in [
            ("dn: uid=bob\nuid: bob\n", "no entry of a token"),
            ("", "no entry of a token"),
            ("dn: x\nnonsense\n", "line 2: it is no LDIF"),
            ("dn: x\nipatokenOTPkey:: ***\n", "line 2: it is no LDIF"),
            ("dn: x\nipatokenOTPkey:< file:///etc/shadow\n", "line 2: a value stands in another"),
        ] {
            let reason = reason("freeipa", file);
            assert!(reason.contains(refusal), "{reason}");
        }
    }

    #[test]
    fn times_are_those_of_utc() {
        assert_eq!(generalized_time("19700101000000Z"), Some(0));
        assert_eq!(generalized_time("20240229120000Z"), Some(1_709_208_000_000));
        for text in
            ["", "Z", "20230229120000Z", "20240229120000", "2024022912000éZ", "-0240229120000Z"]
        {
            assert_eq!(generalized_time(text), None, "{text}");
        }
    }
}
