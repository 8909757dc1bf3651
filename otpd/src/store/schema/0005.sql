-- Version 5: stores that are restored and keys that are replaced; what other programs knew of a
-- user. An account's `mac` is over these columns where they are not as they are by default.

-- How a counter proves where it is, after a restore: NULL it need not; 0 two consecutive codes are
-- due; else the first one was given and the second has this counter.
ALTER TABLE token ADD COLUMN rejoin INTEGER;

-- A limit of this user's own: so many attempts in so many milliseconds; NULL where there is none.
ALTER TABLE account ADD COLUMN pace_attempts INTEGER;
ALTER TABLE account ADD COLUMN pace_interval_ms INTEGER;
ALTER TABLE account ADD COLUMN pace_at_ms INTEGER;   -- when all attempts are free again

-- Which key the store is sealed with: 1 for the first one, one more for each that replaced it.
ALTER TABLE meta ADD COLUMN key_version INTEGER NOT NULL DEFAULT 1;
-- The keys of digests whose plain text is not kept, sealed; NULL: derived from the store's key.
ALTER TABLE meta ADD COLUMN digest_keys BLOB;
