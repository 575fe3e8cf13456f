-- What came with each Idempotency-Key; messages that a case took back; and
-- messages about work that changed hands.

-- +goose Up

-- A key that comes again with something else is refused. This is no record: what
-- was done under a key is known without it, and a key that is forgotten is
-- answered as its first call was. Unlogged: a write waits for one row more, and
-- not for one disk more. After a crash of PostgreSQL it is empty.
CREATE UNLOGGED TABLE idempotency_keys (
    key     text        PRIMARY KEY, -- digest of person, address and key
    content text        NOT NULL,    -- blind index of what came with it
    at      timestamptz NOT NULL     -- when it came last
);
CREATE INDEX idempotency_keys_old ON idempotency_keys USING brin (at);

-- The event from which on a message is about nothing any more; null: it is.
ALTER TABLE messages ADD COLUMN moot_since bigint;

-- What somebody is told of tasks that came to them is about no single case.
ALTER TABLE messages ALTER COLUMN case_number DROP NOT NULL;
ALTER TABLE handed_tasks ADD COLUMN told boolean NOT NULL DEFAULT false; -- whoever got it has a message
-- What changed hands before there were such messages is told to nobody afterwards.
UPDATE handed_tasks SET told = true WHERE to_person IS NOT NULL;

-- +goose Down
ALTER TABLE handed_tasks DROP COLUMN told;
DELETE FROM deliveries WHERE message_id IN (SELECT id FROM messages WHERE case_number IS NULL);
DELETE FROM messages WHERE case_number IS NULL;
ALTER TABLE messages ALTER COLUMN case_number SET NOT NULL;
ALTER TABLE messages DROP COLUMN moot_since;
DROP TABLE idempotency_keys;
