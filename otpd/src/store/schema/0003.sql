-- Version 3: secrets that are shown to one session, once. An account's `mac` is over these columns
-- where they are not as they are by default.

ALTER TABLE token ADD COLUMN share TEXT NOT NULL DEFAULT 'released'
    CHECK (share IN ('released', 'created', 'showing', 'shared'));
ALTER TABLE token ADD COLUMN share_by TEXT;          -- of `showing`: the session
ALTER TABLE token ADD COLUMN share_since_ms INTEGER; -- of `showing`
ALTER TABLE token ADD COLUMN share_until_ms INTEGER; -- of `showing`
ALTER TABLE token ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0; -- codes

CREATE INDEX token_showing ON token (share) WHERE share = 'showing';
