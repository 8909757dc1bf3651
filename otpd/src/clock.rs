//! The only clock of the daemon: everything else is given the time.

use std::{fs::File, io::Read, path::Path};

use jiff::{Timestamp, tz::TimeZone};
use otp_core::schedule::WeekMinute;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The machine's time zone, as localtime(5) has it.
const ZONE: &str = "/etc/localtime";
/// Where all zones are.
const ZONES: &str = "/usr/share/zoneinfo";
/// More bytes than any zone has.
const LARGEST_ZONE: u64 = 1 << 20;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z; may jump either way when the system's clock is set.
    fn now_ms(&self) -> i64;
    /// Milliseconds since boot, suspend included; never goes back. For timers and lifetimes.
    fn monotonic_ms(&self) -> u64;
    /// What the clocks on the wall show then; `None` where the time zone cannot be told, which is
    /// logged.
    fn local_time(&self, now_ms: i64) -> Option<WeekMinute>;
}

/// The kernel's clocks, CLOCK_REALTIME and CLOCK_BOOTTIME, in the machine's time zone. That is read
/// from its file each time and never from the environment, so that a change counts at once; it is
/// UTC where there is no such file.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        milliseconds(clock_gettime(ClockId::Realtime))
    }

    fn monotonic_ms(&self) -> u64 {
        milliseconds(clock_gettime(ClockId::Boottime)).unsigned_abs()
    }

    fn local_time(&self, now_ms: i64) -> Option<WeekMinute> {
        match zone() {
            Ok(zone) => week_minute(&zone, now_ms),
            Err(error) => {
                log::error!("clock: {error}: policies that depend on the time are strict");
                None
            }
        }
    }
}

/// The machine's time zone; UTC where it has none.
///
/// # Errors
/// Why its file cannot be used.
pub fn zone() -> Result<TimeZone, String> {
    Ok(read_zone(Path::new(ZONE))?.unwrap_or(TimeZone::UTC))
}

/// The time zone of that name, such as `Europe/Berlin`.
///
/// # Errors
/// Where there is none, or why its file cannot be used.
pub fn zone_named(name: &str) -> Result<TimeZone, String> {
    let plain = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        !part.is_empty() && part.chars().all(allowed)
    };
    let unknown = || format!("{name:?} is no time zone of {ZONES}, such as Europe/Berlin");
    if !name.split('/').all(plain) {
        return Err(unknown());
    }
    read_zone(&Path::new(ZONES).join(name))?.ok_or_else(unknown)
}

fn read_zone(path: &Path) -> Result<Option<TimeZone>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(LARGEST_ZONE).read_to_end(&mut bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(error),
    }
    .map_err(|error| failed(&error))?;
    TimeZone::tzif("", &bytes).map(Some).map_err(|error| failed(&error))
}

/// The minute of the week in that zone.
fn week_minute(zone: &TimeZone, now_ms: i64) -> Option<WeekMinute> {
    let local = zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?);
    let day = u8::try_from(local.weekday().to_monday_zero_offset()).ok()?;
    let minute = u16::try_from(local.hour()).ok()? * 60 + u16::try_from(local.minute()).ok()?;
    WeekMinute::new(day, minute)
}

/// Rounds towards the past, so that a step never begins early.
fn milliseconds(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(test)]
pub(crate) use manual::ManualClock;

#[cfg(test)]
mod manual {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use super::{Clock, TimeZone, WeekMinute};

    /// A clock that stands still until it is moved, in UTC.
    #[derive(Debug, Default)]
    pub(crate) struct ManualClock {
        now_ms: AtomicI64,
        monotonic_ms: AtomicU64,
    }

    impl ManualClock {
        /// Stands at `now_ms`, 0 ms after boot.
        pub(crate) fn at(now_ms: i64) -> Self {
            Self { now_ms: AtomicI64::new(now_ms), monotonic_ms: AtomicU64::new(0) }
        }

        /// Lets time pass.
        pub(crate) fn advance(&self, by_ms: u64) {
            self.now_ms.fetch_add(by_ms.try_into().unwrap(), Ordering::SeqCst);
            self.monotonic_ms.fetch_add(by_ms, Ordering::SeqCst);
        }

        /// Sets the time of day, as an administrator or NTP does; the time since boot goes on.
        pub(crate) fn set(&self, now_ms: i64) {
            self.now_ms.store(now_ms, Ordering::SeqCst);
        }
    }

    impl Clock for ManualClock {
        fn now_ms(&self) -> i64 {
            self.now_ms.load(Ordering::SeqCst)
        }

        fn monotonic_ms(&self) -> u64 {
            self.monotonic_ms.load(Ordering::SeqCst)
        }

        fn local_time(&self, now_ms: i64) -> Option<WeekMinute> {
            super::week_minute(&TimeZone::UTC, now_ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_towards_the_past_and_saturates() {
        for (tv_sec, tv_nsec, expected) in [
            (0, 0, 0),
            (1, 999_999_999, 1_999),
            (-1, 999_999_999, -1),
            (-1, 1, -1_000),
            (20_000_000_000, 5_000_000, 20_000_000_000_005),
            (i64::MAX, 0, i64::MAX),
        ] {
            assert_eq!(milliseconds(Timespec { tv_sec, tv_nsec }), expected, "{tv_sec}.{tv_nsec}");
        }
    }

    #[test]
    fn the_system_clock_is_in_milliseconds_and_goes_on() {
        let before = SystemClock.monotonic_ms();
        assert!(SystemClock.now_ms() > 1_700_000_000_000, "later than November 2023");
        assert!(SystemClock.now_ms() < 100_000_000_000_000, "and not in microseconds");
        assert!(SystemClock.monotonic_ms() >= before);
    }

    /// Berlin in the nights in which its clocks change, and zones whose days begin elsewhere.
    #[test]
    fn local_time_follows_the_zone_over_its_changes() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        for (zone, instant, expected) in [
            (berlin, "2026-03-29T00:59:59Z", "Sun 01:59"),
            (berlin, "2026-03-29T01:00:00Z", "Sun 03:00"),
            (berlin, "2026-10-25T00:30:00Z", "Sun 02:30"),
            (berlin, "2026-10-25T01:30:00Z", "Sun 02:30"),
            (berlin, "2026-10-25T02:00:00Z", "Sun 03:00"),
            (berlin, "2026-07-31T22:00:00Z", "Sat 00:00"),
            (berlin, "2026-12-31T22:59:59Z", "Thu 23:59"),
            (berlin, "1969-12-31T23:30:00Z", "Thu 00:30"),
            ("<+0545>-5:45", "2026-01-04T18:15:00Z", "Mon 00:00"),
            ("HST10", "2026-01-05T09:59:00Z", "Sun 23:59"),
            ("UTC0", "2026-01-05T09:59:59.999Z", "Mon 09:59"),
        ] {
            let now: Timestamp = instant.parse().unwrap();
            let found = week_minute(&TimeZone::posix(zone).unwrap(), now.as_millisecond());
            assert_eq!(found.unwrap().to_string(), expected, "{zone} {instant}");
        }
        assert_eq!(week_minute(&TimeZone::UTC, i64::MAX), None);
        assert!(SystemClock.local_time(SystemClock.now_ms()).is_some());
    }

    #[test]
    fn setting_the_manual_clock_leaves_the_time_since_boot() {
        let clock = ManualClock::at(1_000);
        clock.advance(500);
        clock.set(-7);
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (-7, 500));
    }
}
