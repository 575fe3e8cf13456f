-- The outbox: what became of each message on its way through each outlet, and
-- where mail reaches the staff.

-- +goose Up

ALTER TABLE staff ADD COLUMN email bytea; -- sealed

ALTER TABLE messages ADD COLUMN routed_at timestamptz;    -- null: nobody has decided yet which outlets carry it
ALTER TABLE messages ADD COLUMN abandoned_at timestamptz; -- the case decided otherwise after it had gone out
-- What was recorded before there were outlets is told to nobody afterwards.
UPDATE messages SET routed_at = at;
-- The router's queue: nearly always empty.
CREATE INDEX messages_unrouted ON messages (at, id) WHERE routed_at IS NULL;
-- The list is read newest first.
CREATE INDEX messages_by_time ON messages (at DESC, id DESC);

CREATE TABLE deliveries (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text        NOT NULL REFERENCES messages (id),
    outlet     text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'sent', 'moot', 'dead')),
    attempts   int         NOT NULL DEFAULT 0,
    made_at    timestamptz NOT NULL,
    -- When it is tried next. A deliverer that takes it moves this to the end of
    -- its lease: if it dies with it, another one finds it due again.
    next_at    timestamptz NOT NULL,
    first_at   timestamptz, -- when it was tried first
    settled_at timestamptz,
    sent       bytea,       -- what went out, to whom, and the answer: sealed, because a mail address is personal
    last_error text        NOT NULL DEFAULT '',
    CONSTRAINT deliveries_once UNIQUE (message_id, outlet)
);
-- What an outlet's deliverer asks for, all day: little among much.
CREATE INDEX deliveries_due ON deliveries (outlet, next_at) WHERE state = 'pending';
-- What a person must look at.
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

-- +goose Down
DROP TABLE deliveries;
DROP INDEX messages_by_time;
DROP INDEX messages_unrouted;
ALTER TABLE messages DROP COLUMN routed_at, DROP COLUMN abandoned_at;
ALTER TABLE staff DROP COLUMN email;
