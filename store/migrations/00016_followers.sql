-- Several platforms may follow one case, and some are told of all cases.

-- +goose Up

-- Who is told how a case comes on: a sender, under a number of its own.
CREATE TABLE followers (
    case_number   text        NOT NULL REFERENCES receipts (number),
    n             int         NOT NULL CHECK (n > 0),
    sender        text        NOT NULL,
    sender_number text        NOT NULL, -- the number under which the sender knows the case
    since         timestamptz NOT NULL, -- when the case became the sender's
    brought       boolean     NOT NULL, -- it asked for it; else it is told of all cases
    PRIMARY KEY (case_number, n),
    CONSTRAINT followers_once UNIQUE (case_number, sender, sender_number)
);
CREATE INDEX followers_by_number ON followers (sender_number, sender);

-- Senders that are told of all cases which are received from a moment on.
CREATE TABLE watchers (
    sender    text        PRIMARY KEY,
    since     timestamptz NOT NULL,
    utilities text        NOT NULL, -- separated by blanks; empty: all
    district  text        NOT NULL, -- empty: all
    ended_at  timestamptz           -- when it was not named any more
);

INSERT INTO followers (case_number, n, sender, sender_number, since, brought)
    SELECT number, 1, sender, sender_number, received_at, true FROM receipts WHERE sender <> '';

-- Processes of the version before run on while this is applied, and write down a
-- sender in the receipt: nothing else reads or writes these columns.
-- +goose StatementBegin
CREATE FUNCTION follow_as_noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO followers (case_number, n, sender, sender_number, since, brought)
        SELECT NEW.number, (SELECT coalesce(max(n), 0) + 1 FROM followers WHERE case_number = NEW.number), NEW.sender, NEW.sender_number, NEW.received_at, true
        ON CONFLICT (case_number, sender, sender_number) DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER receipts_followed AFTER UPDATE OF sender ON receipts FOR EACH ROW
    WHEN (OLD.sender = '' AND NEW.sender <> '') EXECUTE FUNCTION follow_as_noted();

DROP VIEW progress_lines;

-- Each follower is told by itself. That of a report which is there came first, as
-- did that of one which the version before makes.
ALTER TABLE progress_reports
    ADD COLUMN follower int NOT NULL DEFAULT 1,
    DROP CONSTRAINT progress_reports_in_order,
    DROP CONSTRAINT progress_reports_once;
ALTER TABLE progress_reports
    ADD CONSTRAINT progress_reports_in_order UNIQUE (case_number, follower, n),
    ADD CONSTRAINT progress_reports_once UNIQUE (case_number, follower, milestone, round),
    ADD CONSTRAINT progress_reports_follower FOREIGN KEY (case_number, follower) REFERENCES followers (case_number, n);
-- A report with what its follower and its case know of it.
CREATE VIEW progress_lines AS
    SELECT p.*, f.sender_number, coalesce(c.utility, '') AS utility,
        (SELECT min(e.at) FROM events e WHERE e.case_number = p.case_number AND e.kind = 'application_accepted') AS accepted_at
    FROM progress_reports p JOIN followers f ON f.case_number = p.case_number AND f.n = p.follower LEFT JOIN cases c ON c.number = p.case_number;

-- What a platform had asked for that joined a lead.
CREATE INDEX applications_by_case ON applications (case_number);

-- The message is a row of an exchange table that was written back as refused: it
-- is written back once more when the message is taken up after all. Whether what
-- is kept came from a table nobody wrote down; the adapter finds out.
ALTER TABLE inbox ADD COLUMN row_refused boolean NOT NULL DEFAULT false;
UPDATE inbox SET row_refused = true WHERE state IN ('kept', 'mended') AND mends = '';
CREATE INDEX inbox_row_refused ON inbox (sender, received_at) WHERE row_refused;
CREATE INDEX inbox_by_original ON inbox (mends) WHERE mends <> '';

-- +goose Down
DROP INDEX inbox_by_original, inbox_row_refused, applications_by_case;
ALTER TABLE inbox DROP COLUMN row_refused;
DROP VIEW progress_lines;
DELETE FROM progress_reports WHERE follower > 1;
ALTER TABLE progress_reports
    DROP CONSTRAINT progress_reports_follower,
    DROP CONSTRAINT progress_reports_once,
    DROP CONSTRAINT progress_reports_in_order,
    DROP COLUMN follower;
ALTER TABLE progress_reports
    ADD CONSTRAINT progress_reports_in_order UNIQUE (case_number, n),
    ADD CONSTRAINT progress_reports_once UNIQUE (case_number, milestone, round);
DROP TRIGGER receipts_followed ON receipts;
DROP FUNCTION follow_as_noted;
UPDATE receipts r SET sender = f.sender, sender_number = f.sender_number FROM followers f WHERE f.case_number = r.number AND f.n = 1;
CREATE VIEW progress_lines AS
    SELECT p.*, r.sender_number, coalesce(c.utility, '') AS utility
    FROM progress_reports p JOIN receipts r ON r.number = p.case_number LEFT JOIN cases c ON c.number = p.case_number;
DROP TABLE watchers, followers;
