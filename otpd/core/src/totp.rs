//! RFC 6238: the counter that belongs to a time.

/// The time step (RFC 6238 section 4.2) that `now_ms` lies in; all three in milliseconds, the
/// first two Unix times. `None` before `t0_ms` and for a period of 0.
#[must_use]
pub fn step(now_ms: i64, t0_ms: i64, period_ms: u64) -> Option<u64> {
    let elapsed = i128::from(now_ms).checked_sub(i128::from(t0_ms))?;
    u64::try_from(elapsed).ok()?.checked_div(period_ms)
}
