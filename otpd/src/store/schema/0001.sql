-- The store of otpd, version 1. Times are Unix milliseconds. Read it freely; a change made by hand
-- breaks a record's `mac` and the record is refused.

-- What holds for the store as a whole: always exactly one row.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store BLOB NOT NULL CHECK (length(store) = 16),   -- this store's identity, random
    created_ms INTEGER NOT NULL,
    checked_ms INTEGER NOT NULL,                      -- when a health check last wrote here
    key_check BLOB NOT NULL,                          -- tells a wrong key from a damaged store
    accounts INTEGER NOT NULL,                        -- how many accounts there are
    names BLOB NOT NULL CHECK (length(names) = 32),   -- keyed digest of whose accounts they are
    mac BLOB NOT NULL                                 -- over store, created_ms, accounts and names
) STRICT;

-- One row for each user. `mac` is over this row and all rows of the user in token and recovery.
CREATE TABLE account (
    user TEXT NOT NULL PRIMARY KEY,
    uid INTEGER,                                      -- the user id at enrolment
    failures INTEGER NOT NULL,                        -- consecutive
    locked_until_ms INTEGER,
    last_success_ms INTEGER,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX account_throttled ON account (failures, locked_until_ms)
    WHERE failures > 0 OR locked_until_ms IS NOT NULL;

CREATE TABLE token (
    id TEXT NOT NULL PRIMARY KEY,
    user TEXT NOT NULL REFERENCES account (user),
    position INTEGER NOT NULL,                        -- among the user's tokens, oldest first
    label TEXT NOT NULL,
    method TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('totp', 'hotp')),
    algorithm TEXT NOT NULL CHECK (algorithm IN ('sha1', 'sha256', 'sha512')),
    digits INTEGER NOT NULL,
    t0_ms INTEGER,                                    -- totp only
    period_ms INTEGER,                                -- totp only
    key_version INTEGER NOT NULL,                     -- of the key that `secret` is sealed with
    secret BLOB NOT NULL,                             -- nonce, ciphertext and tag
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'disabled')),
    until_ms INTEGER,                                 -- end of `pending` or of `disabled`
    reason TEXT,                                      -- of `disabled`
    next INTEGER NOT NULL,                            -- lowest step or counter still accepted
    offset_ms INTEGER NOT NULL,                       -- how far the device's clock is ahead
    created_ms INTEGER NOT NULL,
    last_used_ms INTEGER,
    expires_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_user ON token (user, position);

-- Digests of the recovery codes that are left.
CREATE TABLE recovery (
    user TEXT NOT NULL REFERENCES account (user),
    position INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (user, position)
) STRICT, WITHOUT ROWID;

-- The newest decisions; older ones are deleted as new ones arrive.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    result TEXT NOT NULL,
    user TEXT NOT NULL,
    service TEXT,
    source TEXT,
    tty TEXT,
    method TEXT,
    token TEXT,
    failures INTEGER,
    session TEXT,
    caller INTEGER,
    detail TEXT
) STRICT;
