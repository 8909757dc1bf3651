//! Lengths of time as people write them: `"30s"`, `"30000ms"`, `"2h"`.

/// One second in milliseconds.
pub(super) const SECOND: u64 = 1000;
/// One minute in milliseconds.
pub(super) const MINUTE: u64 = 60 * SECOND;
/// One hour in milliseconds.
pub(super) const HOUR: u64 = 60 * MINUTE;
/// One day in milliseconds.
pub(super) const DAY: u64 = 24 * HOUR;

/// Longest first.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

/// Milliseconds of a whole number with its unit; nothing else, above all no bare number.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*length)
}

/// The shortest exact way to write it.
pub(super) fn spell(milliseconds: u64) -> String {
    let exact =
        UNITS.iter().find(|(_, length)| milliseconds > 0 && milliseconds.is_multiple_of(*length));
    exact.map_or_else(
        || format!("{milliseconds}ms"),
        |(unit, length)| format!("{}{unit}", milliseconds / length),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_whole_number_with_its_unit_and_nothing_else() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("30000ms", Some(30_000)),
            ("2h", Some(7_200_000)),
            ("15m", Some(900_000)),
            ("7d", Some(604_800_000)),
            ("0ms", Some(0)),
            ("0030s", Some(30_000)),
            ("18446744073709551615ms", Some(u64::MAX)),
            ("18446744073709551616ms", None),
            ("18446744073709551615s", None),
            ("30", None),
            ("", None),
            ("s", None),
            ("-30s", None),
            ("+30s", None),
            ("1.5s", None),
            ("30 s", None),
            (" 30s", None),
            ("30s ", None),
            ("30S", None),
            ("30sec", None),
            ("1h30m", None),
            ("٣s", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn spells_what_it_reads() {
        for (milliseconds, text) in [
            (0, "0ms"),
            (1, "1ms"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (DAY, "1d"),
            (2 * HOUR, "2h"),
        ] {
            assert_eq!(spell(milliseconds), text);
            assert_eq!(parse(text), Some(milliseconds));
        }
    }
}
