//! Points in time as they are typed and shown. The daemon's unit is the Unix millisecond.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use crate::failure::Failure;

/// A time as it was typed: RFC 3339, a day (its first moment here), or a distance from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Timestamp),
    Day(civil::Date),
    Distance(SignedDuration),
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(distance) = distance(text) {
            return Ok(Self::Distance(distance));
        }
        if text.contains(['T', 't'])
            && let Ok(at) = text.parse()
        {
            return Ok(Self::At(at));
        }
        if text.len() == "YYYY-MM-DD".len()
            && let Ok(day) = text.parse()
        {
            return Ok(Self::Day(day));
        }
        Err(
            "allowed are RFC 3339 (2026-01-31T08:00:00Z), a day (2026-01-31) or a distance (90s, 30m, 2h, 7d)",
        )
    }
}

/// `90s`, `30m`, `2h`, `7d`: digits and one unit.
fn distance(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| digits)?;
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

/// A length of time in milliseconds, as it was typed: `90s`, `30m`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u64);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ms = distance(text).and_then(|span| u64::try_from(span.as_millis()).ok());
        ms.map(Self).ok_or("allowed are 90s, 30m, 2h and 7d")
    }
}

impl When {
    /// The Unix millisecond that is meant where a distance counts forward; refuses the past.
    pub(crate) fn ahead(self, option: &str, zone: &TimeZone) -> Result<i64, Failure> {
        let now = now();
        self.point(zone, |distance| now.checked_add(distance).ok())
            .filter(|at| *at > now)
            .map(Timestamp::as_millisecond)
            .ok_or_else(|| Failure::usage(format!("{option}: the time must lie ahead")))
    }

    /// The Unix millisecond that is meant, past or future, where a distance counts forward.
    pub(crate) fn at(self, option: &str, zone: &TimeZone) -> Result<i64, Failure> {
        self.point(zone, |distance| now().checked_add(distance).ok())
            .map(Timestamp::as_millisecond)
            .ok_or_else(|| Failure::usage(format!("{option}: the time is too far ahead")))
    }

    /// The Unix millisecond that is meant where a distance counts back.
    pub(crate) fn ago(self, option: &str, zone: &TimeZone) -> Result<i64, Failure> {
        self.point(zone, |distance| now().checked_sub(distance).ok())
            .map(Timestamp::as_millisecond)
            .ok_or_else(|| Failure::usage(format!("{option}: the time is too far back")))
    }

    fn point(
        self,
        zone: &TimeZone,
        from_now: impl FnOnce(SignedDuration) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Day(day) => day.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp()),
            Self::Distance(distance) => from_now(distance),
        }
    }
}

/// The one clock of this program: for distances that were typed, never for a decision.
fn now() -> Timestamp {
    Timestamp::now()
}

/// A length of time as the configuration has it, in the largest unit that is exact.
pub(crate) fn length(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let exact = units.into_iter().find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit));
    exact.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}

/// RFC 3339 in UTC, for documents.
pub(crate) fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// ISO 8601 in local time, to the second and with its offset.
pub(crate) fn local(ms: i64, zone: &TimeZone) -> String {
    format(ms, zone, "%Y-%m-%dT%H:%M:%S%:z")
}

/// Local time to the minute, for columns.
pub(crate) fn brief(ms: i64, zone: &TimeZone) -> String {
    format(ms, zone, "%Y-%m-%d %H:%M")
}

fn format(ms: i64, zone: &TimeZone, pattern: &str) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| ms.to_string(),
        |at| at.to_zoned(zone.clone()).strftime(pattern).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    #[test]
    fn what_can_be_typed() {
        let at = |text: &str| When::At(text.parse().unwrap());
        let distance = |seconds| When::Distance(SignedDuration::from_secs(seconds));
        for (text, meant) in [
            ("90s", Some(distance(90))),
            ("30m", Some(distance(1_800))),
            ("2h", Some(distance(7_200))),
            ("7d", Some(distance(604_800))),
            ("0s", Some(distance(0))),
            ("2026-01-31", Some(When::Day(civil::date(2026, 1, 31)))),
            ("2026-01-31T08:00:00Z", Some(at("2026-01-31T08:00:00Z"))),
            ("2026-01-31t09:00:00+01:00", Some(at("2026-01-31T08:00:00Z"))),
            ("2099-12-31T23:59:59.5Z", Some(at("2099-12-31T23:59:59.5Z"))),
            ("", None),
            ("h", None),
            ("2", None),
            ("2x", None),
            ("-2h", None),
            ("+2h", None),
            ("2 h", None),
            ("2.5h", None),
            ("9223372036854775807d", None),
            ("99999999999999999999s", None),
            ("ä", None),
            ("2026-02-30", None),
            ("2026-13-01", None),
            ("2026-1-1", None),
            ("2026-01-31T08:00:00", None),
            ("2026-01-31 08:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(text.parse().ok(), meant, "{text:?}");
        }
    }

    #[test]
    fn a_distance_counts_forward_or_back_and_the_past_is_refused_where_it_makes_no_sense() {
        let hour: When = "1h".parse().unwrap();
        let zone = TimeZone::UTC;
        // In this order: the clock may go on between the two.
        let ago = hour.ago("--since", &zone).unwrap();
        let between = hour.ahead("--until", &zone).unwrap() - ago;
        assert!((7_200_000..7_260_000).contains(&between), "{between}");
        let past: When = "2001-01-01T00:00:00Z".parse().unwrap();
        assert!(past.ahead("--until", &zone).unwrap_err().message.contains("--until"));
        assert_eq!(past.ago("--since", &zone).unwrap(), 978_307_200_000);
        let never: When = "9999999999999d".parse().unwrap_or(hour);
        assert!(never.ahead("--until", &zone).is_err() && never.ago("--since", &zone).is_err());
        assert_eq!(past.at("--at", &zone).unwrap(), 978_307_200_000);
        assert!(hour.at("--at", &zone).unwrap() > hour.ago("--since", &zone).unwrap());
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let day: When = "2026-01-31".parse().unwrap();
        let ms = day.ago("--since", &berlin()).unwrap();
        assert_eq!(rfc3339(ms), "2026-01-30T23:00:00Z");
    }

    #[test]
    fn how_times_are_shown() {
        let winter = 1_767_225_599_000;
        assert_eq!(rfc3339(winter), "2025-12-31T23:59:59Z");
        assert_eq!(local(winter, &berlin()), "2026-01-01T00:59:59+01:00");
        assert_eq!(brief(winter, &berlin()), "2026-01-01 00:59");
        let lengths = [28_800_000, 90_000, 86_400_000, 1_500].map(length);
        assert_eq!(lengths, ["8h", "90s", "1d", "1500ms"]);
        assert_eq!(rfc3339(i64::MAX), i64::MAX.to_string());
        assert_eq!(local(i64::MIN, &berlin()), i64::MIN.to_string());
    }
}
