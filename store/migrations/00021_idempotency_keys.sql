-- What came with each Idempotency-Key, so that a key that comes again with
-- something else is refused. It is no record: what was done under a key is known
-- without it, and a key that is forgotten is answered as its first call was.

-- +goose Up

-- Unlogged: a write waits for one row more, and not for one disk more. After a
-- crash of PostgreSQL it is empty.
CREATE UNLOGGED TABLE idempotency_keys (
    key     text        PRIMARY KEY, -- digest of person, address and key
    content text        NOT NULL,    -- blind index of what came with it
    at      timestamptz NOT NULL     -- when it came last
);
CREATE INDEX idempotency_keys_old ON idempotency_keys USING brin (at);

-- +goose Down
DROP TABLE idempotency_keys;
