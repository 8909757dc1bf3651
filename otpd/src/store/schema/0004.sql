-- Version 4: codes that administrators issue, and the register of clients.

-- Whether the user may issue codes to others.
ALTER TABLE account ADD COLUMN administrator INTEGER NOT NULL DEFAULT 0
    CHECK (administrator IN (0, 1));

CREATE INDEX account_administrator ON account (user) WHERE administrator = 1;

-- Issued codes, for a day after their end too. An account's `mac` is over these rows as well.
CREATE TABLE issued (
    user TEXT NOT NULL REFERENCES account (user),
    position INTEGER NOT NULL,                        -- oldest first
    id TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32), -- keyed, of the code
    digits INTEGER NOT NULL,
    code BLOB,                                        -- nonce, ciphertext and tag; NULL: not kept
    issued_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    uses_left INTEGER NOT NULL,
    service TEXT,                                     -- NULL: all
    reach TEXT NOT NULL CHECK (reach IN ('local', 'remote', 'both')),
    reason TEXT NOT NULL,
    issued_by INTEGER NOT NULL,                       -- a user id
    client TEXT,                                      -- the client that it enrols
    PRIMARY KEY (user, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX issued_id ON issued (id);
CREATE INDEX issued_kept ON issued (expires_ms) WHERE code IS NOT NULL;

-- Clients that are registered, and those that are remembered until a time (`until_ms`). An
-- account's `mac` is over these rows as well.
CREATE TABLE client (
    user TEXT NOT NULL REFERENCES account (user),
    position INTEGER NOT NULL,                        -- oldest first
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    identity TEXT,                                    -- NULL: not bound yet
    enabling TEXT NOT NULL,                           -- always, disabled or a schedule
    push INTEGER NOT NULL CHECK (push IN (0, 1)),
    created_ms INTEGER NOT NULL,
    last_ms INTEGER,
    last_source TEXT,
    service TEXT,                                     -- remembered at, with the next two
    address TEXT,
    until_ms INTEGER,
    PRIMARY KEY (user, position),
    CHECK ((until_ms IS NULL) = (service IS NULL) AND (until_ms IS NULL) = (address IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX client_id ON client (id);
CREATE INDEX client_registered ON client (user) WHERE until_ms IS NULL;
