//! What a backup cannot know: which codes were accepted after it was made. An account that comes
//! from one is made such that none of them is accepted again.

use crate::{
    account::Account,
    client::Client,
    share::Share,
    token::{Factor, Rejoin, Token},
    totp,
    window::{MOST_LOOK_AHEAD, MOST_STEPS, Windows},
};

/// Makes an account that was read from a backup fit for use at `now_ms` (Unix milliseconds).
/// `windows` are those of a method; for a method that is unknown here the widest count.
///
/// A time-based token is accepted from the first step on that no window can have reached yet, by
/// the clock of the device. A counter skips as many codes as one login could, and then two
/// consecutive ones are due ([`Rejoin`]). Secrets that were not told when they were made count as
/// shown, since they may have been since: they are replaced before anybody sees them. Delivered and
/// issued codes and remembered clients go, and so do recovery codes unless `keep_recovery`, which
/// makes those that were used after the backup good again. Failures, locks, registered clients,
/// contacts and all else stay. Doing it twice is as safe as once.
pub fn restored(
    account: &mut Account,
    windows: &dyn Fn(&str) -> Option<Windows>,
    keep_recovery: bool,
    now_ms: i64,
) {
    const WIDEST: Windows =
        Windows { before: MOST_STEPS, after: MOST_STEPS, look_ahead: MOST_LOOK_AHEAD };
    for token in &mut account.tokens {
        let windows = windows(&token.method).unwrap_or(WIDEST);
        skip(token, windows, now_ms);
        withhold(token, now_ms);
    }
    account.challenges.clear();
    account.issued.clear();
    account.clients.retain(Client::registered);
    if !keep_recovery {
        account.recovery.clear();
    }
}

/// Takes over what the store that is replaced still knows of the user, after [`restored`]: the
/// watermarks of the same secrets, which never fall, and which of the recovery codes are left. What
/// was added or taken away since the backup stays as the backup has it.
pub fn overtaken(account: &mut Account, replaced: &Account) {
    for token in &mut account.tokens {
        let same = |old: &&Token| old.id == token.id && old.secret == token.secret;
        if let Some(old) = replaced.tokens.iter().find(same) {
            token.raise(old.next);
        }
    }
    account.recovery.retain(|digest| replaced.recovery.contains(digest));
}

/// Moves the watermark past all that may have been accepted.
fn skip(token: &mut Token, windows: Windows, now_ms: i64) {
    match token.factor {
        Factor::Totp { t0_ms, period_ms } => {
            let device_ms = now_ms.saturating_add(token.offset_ms);
            let after = u64::from(windows.after.min(MOST_STEPS));
            if let Some(step) = totp::step(device_ms, t0_ms, period_ms) {
                token.raise(step.saturating_add(after).saturating_add(1));
            }
        }
        Factor::Hotp => {
            let look_ahead = u64::from(windows.look_ahead.min(MOST_LOOK_AHEAD));
            token.raise(token.next.saturating_add(look_ahead).saturating_add(1));
            token.rejoin = Rejoin::Due;
        }
        Factor::OutOfBand(_) => {}
    }
}

/// Lets the secret of a token that waits to be shown, or is being shown, count as shown to somebody
/// whose time is over.
fn withhold(token: &mut Token, now_ms: i64) {
    if matches!(token.share, Share::Created | Share::Showing { .. }) {
        token.share = Share::Showing { by: String::new(), since_ms: now_ms, until_ms: i64::MIN };
    }
}
