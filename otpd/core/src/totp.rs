//! RFC 6238: the counter that belongs to a time.

/// The time step (RFC 6238 section 4.2) that `now_ms` lies in; all three in milliseconds, the
/// first two Unix times. `None` before `t0_ms` and for a period of 0.
#[must_use]
pub fn step(now_ms: i64, t0_ms: i64, period_ms: u64) -> Option<u64> {
    let elapsed = i128::from(now_ms).checked_sub(i128::from(t0_ms))?;
    u64::try_from(elapsed).ok()?.checked_div(period_ms)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        hotp,
        secret::Secret,
        token::Algorithm::{self, Sha1, Sha256, Sha512},
    };

    #[test]
    fn g02_rfc_6238_appendix_b() {
        let table = [
            (59, [(Sha1, "94287082"), (Sha256, "46119246"), (Sha512, "90693936")]),
            (1_111_111_109, [(Sha1, "07081804"), (Sha256, "68084774"), (Sha512, "25091201")]),
            (1_111_111_111, [(Sha1, "14050471"), (Sha256, "67062674"), (Sha512, "99943326")]),
            (1_234_567_890, [(Sha1, "89005924"), (Sha256, "91819424"), (Sha512, "93441116")]),
            (2_000_000_000, [(Sha1, "69279037"), (Sha256, "90698825"), (Sha512, "38618901")]),
            (20_000_000_000, [(Sha1, "65353130"), (Sha256, "77737706"), (Sha512, "47863826")]),
        ];
        for (second, codes) in table {
            let step = step(second * 1000, 0, 30_000).unwrap();
            for (algorithm, code) in codes {
                let value = hotp::value(&seed(algorithm), algorithm, step, 8);
                assert_eq!(value.expose(), code.as_bytes(), "{algorithm:?} at {second}");
            }
        }
    }

    /// "1234567890" again and again, as long as the hash.
    fn seed(algorithm: Algorithm) -> Secret {
        let length = match algorithm {
            Sha1 => 20,
            Sha256 => 32,
            Sha512 => 64,
        };
        let bytes = b"1234567890".iter().copied().cycle().take(length);
        Secret::new(Zeroizing::new(bytes.collect())).unwrap()
    }

    #[test]
    fn u09_steps_are_whole_periods_since_t0() {
        let beyond_2038 = 4_294_967_296_000;
        for (now_ms, t0_ms, period_ms, expected) in [
            (0, 0, 30_000, Some(0)),
            (29_999, 0, 30_000, Some(0)),
            (30_000, 0, 30_000, Some(1)),
            (59_000, 0, 30_000, Some(1)),
            (-1, 0, 30_000, None),
            (999, 1_000, 30_000, None),
            (1_000, 1_000, 30_000, Some(0)),
            (31_000, 1_000, 30_000, Some(1)),
            (0, -60_000, 30_000, Some(2)),
            (7, 0, 1, Some(7)),
            (30_000, 0, 0, None),
            (beyond_2038, 0, 30_000, Some(143_165_576)),
            (beyond_2038, 0, 100, Some(42_949_672_960)),
            (i64::MAX, i64::MIN, 1, Some(u64::MAX)),
            (i64::MIN, i64::MAX, 1, None),
            (i64::MAX, 0, u64::MAX, Some(0)),
        ] {
            assert_eq!(step(now_ms, t0_ms, period_ms), expected, "{now_ms} {t0_ms} {period_ms}");
        }
    }
}
