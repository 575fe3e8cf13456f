-- What platforms sent us, whole, and what they are told of it.

-- +goose Up

-- Which sender brought a request, and the number under which it knows it.
ALTER TABLE receipts
    ADD COLUMN sender        text    NOT NULL DEFAULT '',
    ADD COLUMN sender_number text    NOT NULL DEFAULT '',
    -- The case has reached something since its reports of progress were worked out.
    ADD COLUMN progress_due  boolean NOT NULL DEFAULT false;
CREATE INDEX receipts_by_sender ON receipts (sender_number, sender) WHERE sender <> '';
-- What the reporter asks for, all day: little among much.
CREATE INDEX receipts_progress_due ON receipts (number) WHERE progress_due;

CREATE TABLE inbox (
    id           text        PRIMARY KEY,
    sender       text        NOT NULL,
    kind         text        NOT NULL,
    content_type text        NOT NULL,
    content      text        NOT NULL, -- blind index of kind and body: tells two messages apart
    body         bytea       NOT NULL, -- what was sent, sealed
    encrypted    boolean     NOT NULL,
    received_at  timestamptz NOT NULL,
    state        text        NOT NULL CHECK (state IN ('received', 'taken_up', 'kept', 'mended', 'ignored')),
    numbers      text        NOT NULL DEFAULT '', -- of the cases that came of it, separated by blanks
    fault        bytea,                           -- why it is kept, sealed: a reason may repeat what was sent
    attempts     int         NOT NULL DEFAULT 0,
    -- When it is taken up next. Who takes it moves this to the end of a lease:
    -- if that process dies, another finds the message due again.
    next_at      timestamptz,
    mends        text        NOT NULL DEFAULT '', -- the message of which this is the corrected copy
    note         bytea,                           -- what was corrected, or why it is ignored, sealed
    by_whom      text        NOT NULL DEFAULT '',
    settled_at   timestamptz,
    -- However often a message is sent, it is kept once; so is a correction.
    CONSTRAINT inbox_once UNIQUE (sender, content, mends)
);
CREATE INDEX inbox_due ON inbox (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX inbox_by_time ON inbox (received_at DESC, id DESC);
-- What a person must look at.
CREATE INDEX inbox_kept ON inbox (received_at DESC, id DESC) WHERE state = 'kept';

-- What was sent is never changed; what became of it may be.
-- +goose StatementBegin
CREATE FUNCTION keep_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.sender, OLD.kind, OLD.content_type, OLD.content, OLD.body, OLD.encrypted, OLD.received_at, OLD.mends)
        IS DISTINCT FROM (NEW.id, NEW.sender, NEW.kind, NEW.content_type, NEW.content, NEW.body, NEW.encrypted, NEW.received_at, NEW.mends) THEN
        RAISE EXCEPTION 'what a sender sent is never changed';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER inbox_unchanged BEFORE UPDATE ON inbox FOR EACH ROW EXECUTE FUNCTION keep_message();

CREATE TABLE inbox_items (
    sender     text        NOT NULL,
    sort       text        NOT NULL,
    key        text        NOT NULL,
    message_id text        NOT NULL REFERENCES inbox (id),
    external   text        NOT NULL,
    numbers    text        NOT NULL,
    at         timestamptz NOT NULL,
    -- However often a thing is asked for, it is taken up once.
    PRIMARY KEY (sender, sort, key)
);
CREATE INDEX inbox_items_by_external ON inbox_items (external) WHERE external <> '';

-- Proofs that were accepted, for as long as the sender's clock would let them
-- pass once more.
CREATE TABLE used_proofs (
    sender     text        NOT NULL,
    proof      text        NOT NULL, -- the nonce, or the signature where there is none
    content    text        NOT NULL, -- blind index of what came with it
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (sender, proof)
);
CREATE INDEX used_proofs_expired ON used_proofs (expires_at);

CREATE TABLE progress_reports (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_number  text        NOT NULL REFERENCES receipts (number),
    sender       text        NOT NULL,
    n            int         NOT NULL CHECK (n > 0),
    milestone    text        NOT NULL,
    round        int         NOT NULL,
    event_n      bigint      NOT NULL, -- the event that marks it
    event_kind   text        NOT NULL,
    at           timestamptz NOT NULL,
    department   text        NOT NULL,
    note_zh      text        NOT NULL,
    note_en      text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('pending', 'sent', 'untold')),
    made_at      timestamptz NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL, -- a lease, like that of deliveries
    first_at     timestamptz,
    settled_at   timestamptz,
    abandoned_at timestamptz, -- the case decided otherwise after it had gone out
    sent         bytea,       -- what went out and the answer, sealed
    last_error   text        NOT NULL DEFAULT '',
    CONSTRAINT progress_reports_in_order UNIQUE (case_number, n),
    CONSTRAINT progress_reports_once UNIQUE (case_number, milestone, round)
);
CREATE INDEX progress_reports_due ON progress_reports (sender, next_at) WHERE state = 'pending';
CREATE INDEX progress_reports_waiting ON progress_reports (made_at) WHERE state = 'pending';
-- A report with what its receipt and its case know of it.
CREATE VIEW progress_lines AS
    SELECT p.*, r.sender_number, coalesce(c.utility, '') AS utility
    FROM progress_reports p JOIN receipts r ON r.number = p.case_number LEFT JOIN cases c ON c.number = p.case_number;

-- +goose Down
DROP VIEW progress_lines;
DROP TABLE progress_reports, used_proofs, inbox_items, inbox;
DROP FUNCTION keep_message;
DROP INDEX receipts_progress_due, receipts_by_sender;
ALTER TABLE receipts DROP COLUMN sender, DROP COLUMN sender_number, DROP COLUMN progress_due;
