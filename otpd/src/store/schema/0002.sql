-- Version 2: codes that are delivered by SMS and e-mail.

-- What a token's type may be has grown; SQLite changes a CHECK by making the table anew.
ALTER TABLE token RENAME TO token_1;

CREATE TABLE token (
    id TEXT NOT NULL PRIMARY KEY,
    user TEXT NOT NULL REFERENCES account (user),
    position INTEGER NOT NULL,                        -- among the user's tokens, oldest first
    label TEXT NOT NULL,
    method TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('totp', 'hotp', 'sms', 'email')),
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

INSERT INTO token (id, user, position, label, method, type, algorithm, digits, t0_ms, period_ms,
    key_version, secret, state, until_ms, reason, next, offset_ms, created_ms, last_used_ms,
    expires_ms)
SELECT id, user, position, label, method, type, algorithm, digits, t0_ms, period_ms,
    key_version, secret, state, until_ms, reason, next, offset_ms, created_ms, last_used_ms,
    expires_ms
FROM token_1;

DROP TABLE token_1;

CREATE INDEX token_user ON token (user, position);

-- Where codes are delivered, sealed: nonce, ciphertext and tag; NULL where nothing is known.
ALTER TABLE account ADD COLUMN contacts BLOB;

-- Delivered codes that are not used yet. An account's `mac` is over these rows as well.
CREATE TABLE challenge (
    user TEXT NOT NULL REFERENCES account (user),
    position INTEGER NOT NULL,                        -- oldest first
    token TEXT NOT NULL,
    service TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32), -- keyed, of the code
    sent_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL,                           -- that are left
    PRIMARY KEY (user, position)
) STRICT, WITHOUT ROWID;

-- Messages of the last 24 hours: those that wait to be sent, and that the others were asked for.
-- The columns in clear are authenticated together with `payload`.
CREATE TABLE message (
    number INTEGER PRIMARY KEY,                       -- in the order in which they were queued
    id TEXT NOT NULL UNIQUE,
    user TEXT NOT NULL,                               -- outlives the account
    channel TEXT NOT NULL CHECK (channel IN ('sms', 'email')),
    recipient BLOB NOT NULL CHECK (length(recipient) = 32), -- keyed digest of channel and address
    time_ms INTEGER NOT NULL,                         -- asked for at
    until_ms INTEGER NOT NULL,                        -- worth nothing after this
    payload BLOB                                      -- nonce, ciphertext and tag; NULL: over
) STRICT;

CREATE INDEX message_user ON message (user, time_ms);
CREATE INDEX message_recipient ON message (recipient, time_ms);
CREATE INDEX message_channel ON message (channel, time_ms);
