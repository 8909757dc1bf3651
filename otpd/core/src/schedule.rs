//! Times of the week.

use core::{fmt, str::FromStr};

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Minutes of a week.
const WEEK: u16 = 7 * DAY;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A minute of the week in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeekMinute(u16);

impl WeekMinute {
    /// Of a day (0: Monday, to 6: Sunday) the minute from its midnight, 0 to 1439.
    #[must_use]
    pub fn new(day: u8, minute: u16) -> Option<Self> {
        (day < 7 && minute < DAY).then(|| Self(u16::from(day) * DAY + minute))
    }
}

impl fmt::Display for WeekMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, minute) = (self.0 / DAY, self.0 % DAY);
        let day = DAYS.get(usize::from(day)).copied().unwrap_or_default();
        write!(f, "{day} {:02}:{:02}", minute / 60, minute % 60)
    }
}

/// Days, hours or both: `Mon..Fri 08:00-18:00`, `Sat,Sun`, `22:00-06:00`. The end is not part of
/// it. What goes over midnight belongs to the day on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// As it was written.
    text: String,
    /// Half-open, in minutes of the week, ascending and apart.
    spans: Vec<(u16, u16)>,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not of the form.
    #[error(
        "allowed are days, hours or both, such as \"Mon..Fri 08:00-18:00\", \"Sat,Sun\" and \"22:00-06:00\""
    )]
    Form,
    /// The hours end when they begin.
    #[error("{0}-{0} is no time at all; the whole day is 00:00-24:00")]
    Empty(String),
}

impl Schedule {
    /// Whether the minute is one of it.
    #[must_use]
    pub fn contains(&self, minute: WeekMinute) -> bool {
        self.spans.iter().any(|(start, end)| (*start..*end).contains(&minute.0))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<_> = text.split_ascii_whitespace().collect();
        let is_hours = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        let every: Vec<u16> = (0..7).collect();
        let (days, (start, end)) = match words.as_slice() {
            [hours] if is_hours(hours) => (every, self::hours(hours)?),
            [days] => (self::days(days)?, (0, DAY)),
            [days, hours] => (self::days(days)?, self::hours(hours)?),
            _ => return Err(ScheduleError::Form),
        };
        let length = if start < end { end - start } else { DAY - start + end };
        let mut spans = Vec::new();
        for day in days {
            let from = day * DAY + start;
            let to = from + length;
            spans.push((from, to.min(WEEK)));
            if to > WEEK {
                spans.push((0, to - WEEK));
            }
        }
        Ok(Self { text: words.join(" "), spans: joined(spans) })
    }
}

/// `Mon..Fri,Sun`; a range may go over the end of the week.
fn days(text: &str) -> Result<Vec<u16>, ScheduleError> {
    let day = |name: &str| -> Result<u16, ScheduleError> {
        (0..7)
            .zip(DAYS)
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(day, _)| day)
            .ok_or(ScheduleError::Form)
    };
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        days.extend((0..7).map(|n| (first + n) % 7).take(usize::from((last + 7 - first) % 7) + 1));
    }
    Ok(days)
}

/// `08:00-18:00`, as minutes of a day; an end of 00:00 is midnight at the day's end.
fn hours(text: &str) -> Result<(u16, u16), ScheduleError> {
    let (start, end) = text.split_once('-').ok_or(ScheduleError::Form)?;
    let (from, to) = (clock(start)?, clock(end)?);
    if from == DAY {
        return Err(ScheduleError::Form);
    }
    if from == to { Err(ScheduleError::Empty(start.to_owned())) } else { Ok((from, to)) }
}

/// `HH:MM`, 00:00 to 24:00.
fn clock(text: &str) -> Result<u16, ScheduleError> {
    let two = |digits: &str| -> Option<u16> {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| plain)
    };
    let (hours, minutes) = text.split_once(':').ok_or(ScheduleError::Form)?;
    match (two(hours), two(minutes)) {
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => Ok(hours * 60 + minutes),
        (Some(24), Some(0)) => Ok(DAY),
        _ => Err(ScheduleError::Form),
    }
}

/// The same minutes, ascending and apart.
fn joined(mut spans: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    spans.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (start, end) in spans {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WeekMinute {
        let (day, clock_text) = text.split_once(' ').unwrap();
        let day = DAYS.iter().position(|name| *name == day).unwrap();
        WeekMinute::new(u8::try_from(day).unwrap(), clock(clock_text).unwrap()).unwrap()
    }

    #[test]
    fn when_it_is_and_when_not() {
        let table: [(&str, &[&str], &[&str]); 10] = [
            (
                "Mon..Fri 08:00-18:00",
                &["Mon 08:00", "Fri 17:59", "Wed 12:00"],
                &["Mon 07:59", "Fri 18:00", "Sat 12:00", "Sun 12:00"],
            ),
            ("Sat,Sun", &["Sat 00:00", "Sun 23:59"], &["Fri 23:59", "Mon 00:00"]),
            ("22:00-06:00", &["Mon 22:00", "Mon 05:59", "Sun 23:00"], &["Mon 06:00", "Sun 21:59"]),
            // Of the night to Saturday it has all, of that to Monday nothing.
            ("Fri 22:00-06:00", &["Fri 22:00", "Sat 05:59"], &["Fri 05:59", "Sat 22:00"]),
            ("Sun 22:00-06:00", &["Sun 22:00", "Mon 05:59"], &["Sun 05:59", "Mon 22:00"]),
            ("Sat..Mon 10:00-11:00", &["Sat 10:00", "Sun 10:30", "Mon 10:59"], &["Tue 10:30"]),
            ("fri..fri 00:00-24:00", &["Fri 00:00", "Fri 23:59"], &["Thu 23:59", "Sat 00:00"]),
            ("Tue 20:00-00:00", &["Tue 23:59"], &["Wed 00:00", "Tue 19:59"]),
            ("  Mon,Mon,Wed..Thu   09:30-09:31 ", &["Mon 09:30", "Thu 09:30"], &["Tue 09:30"]),
            ("Mon 12:00-11:59", &["Mon 12:00", "Tue 11:58"], &["Mon 11:59", "Tue 11:59"]),
        ];
        for (text, within, without) in table {
            let schedule: Schedule = text.parse().unwrap();
            for (minutes, expected) in [(within, true), (without, false)] {
                for minute in minutes {
                    assert_eq!(schedule.contains(at(minute)), expected, "{text}: {minute}");
                }
            }
        }
        assert_eq!("Mon  08:00-09:00".parse::<Schedule>().unwrap().to_string(), "Mon 08:00-09:00");
        assert_eq!(at("Sun 09:05").to_string(), "Sun 09:05");
        assert_eq!(WeekMinute::new(7, 0).or(WeekMinute::new(0, 1440)), None);
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            " ",
            "Monday",
            "Mo",
            "Mon-Fri",
            "Mon...Fri",
            "Mon..",
            "..Fri",
            "Mon,,Tue",
            "Mon,",
            "8:00-18:00",
            "08:00",
            "08:00-",
            "08:00-18:00 Mon",
            "Mon 08:00-25:00",
            "Mon 08:60-09:00",
            "Mon 24:00-06:00",
            "Mon 08:00-24:01",
            "Mon Tue 08:00-18:00",
            "08.00-18.00",
            "+8:00-09:00",
            "Mon 08:00 - 18:00",
            "08:00-18:00,20:00-22:00",
        ] {
            assert_eq!(text.parse::<Schedule>(), Err(ScheduleError::Form), "{text:?}");
        }
        let empty = "Mon 08:00-08:00".parse::<Schedule>().unwrap_err();
        assert_eq!(
            empty.to_string(),
            "08:00-08:00 is no time at all; the whole day is 00:00-24:00"
        );
    }
}
