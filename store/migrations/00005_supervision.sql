-- What supervisors ask for: what became of each escalation, who held the clock,
-- what people were told, and the time that is left while a clock stands.

-- +goose Up

ALTER TABLE tasks ADD COLUMN anchor timestamptz; -- the event from which its limit counts
DROP VIEW task_lines;
CREATE VIEW task_lines AS
SELECT tasks.id, tasks.case_number, tasks.kind, tasks.qualifier, tasks.round, tasks.stage, tasks.role, tasks.department,
       tasks.state, tasks.opened_at, tasks.anchor, tasks.assignee, tasks.assignee_name, tasks.assigned_at, tasks.done_at, tasks.done_by,
       tasks.outcome, tasks.input, tasks.due_at, tasks.remaining_seconds, tasks.stopped, tasks.provisional,
       cases.district, cases.applicant, cases.address
FROM tasks JOIN cases ON cases.number = tasks.case_number;

-- Of the deadline that is due first; while all stand, of the one with the least time left.
ALTER TABLE cases ADD COLUMN remaining_seconds bigint NOT NULL DEFAULT 0;
ALTER TABLE cases ADD COLUMN stopped boolean NOT NULL DEFAULT false;
ALTER TABLE cases ADD COLUMN provisional boolean NOT NULL DEFAULT false;

ALTER TABLE escalations ADD COLUMN answer_due_at timestamptz;
ALTER TABLE escalations ADD COLUMN climbs jsonb NOT NULL DEFAULT '[]';
ALTER TABLE escalations ADD COLUMN answer text NOT NULL DEFAULT '';
ALTER TABLE escalations ADD COLUMN answered_at timestamptz;
ALTER TABLE escalations ADD COLUMN answered_by text NOT NULL DEFAULT '';
ALTER TABLE escalations ADD COLUMN answer_note bytea; -- sealed, like the note
ALTER TABLE escalations ADD COLUMN closed_at timestamptz;
ALTER TABLE escalations ADD COLUMN closed_by text NOT NULL DEFAULT '';
ALTER TABLE escalations ADD COLUMN closing text NOT NULL DEFAULT '';
-- Until now an escalation was over when it was acknowledged.
UPDATE escalations SET closed_at = acknowledged_at, closed_by = acknowledged_by, closing = 'person' WHERE acknowledged_at IS NOT NULL;
DROP INDEX escalations_open;
-- What waits for somebody is little among much, and asked for all day.
CREATE INDEX escalations_open ON escalations (fired_at DESC, id DESC) WHERE closed_at IS NULL;

CREATE TABLE holdings (
    case_number     text        NOT NULL REFERENCES cases (number),
    n               int         NOT NULL CHECK (n > 0), -- counted within the case
    party           text        NOT NULL,
    stopped         boolean     NOT NULL, -- the limit's clock stood
    from_at         timestamptz NOT NULL,
    to_at           timestamptz,          -- null while it lasts
    working_seconds bigint      NOT NULL, -- working time, once it has ended
    since           bigint      NOT NULL,
    PRIMARY KEY (case_number, n)
);
-- Sums by party over a month.
CREATE INDEX holdings_by_end ON holdings (to_at) INCLUDE (party, working_seconds);

CREATE TABLE messages (
    id          text        PRIMARY KEY, -- the same occasion has the same ID: it is told once
    case_number text        NOT NULL REFERENCES cases (number),
    kind        text        NOT NULL,
    escalation  text        NOT NULL,
    level       int         NOT NULL,
    top         boolean     NOT NULL,
    to_role     text        NOT NULL,
    person      text        NOT NULL,
    department  text        NOT NULL,
    district    text        NOT NULL,
    text_zh     text        NOT NULL,
    text_en     text        NOT NULL,
    due_at      timestamptz,
    at          timestamptz NOT NULL,
    since       bigint      NOT NULL
);
CREATE INDEX messages_by_case ON messages (case_number);

-- +goose Down
DROP TABLE messages, holdings;
DROP INDEX escalations_open;
CREATE INDEX escalations_open ON escalations (fired_at DESC, id DESC) WHERE acknowledged_at IS NULL;
ALTER TABLE escalations DROP COLUMN answer_due_at, DROP COLUMN climbs, DROP COLUMN answer, DROP COLUMN answered_at, DROP COLUMN answered_by,
    DROP COLUMN answer_note, DROP COLUMN closed_at, DROP COLUMN closed_by, DROP COLUMN closing;
ALTER TABLE cases DROP COLUMN remaining_seconds, DROP COLUMN stopped, DROP COLUMN provisional;
DROP VIEW task_lines;
ALTER TABLE tasks DROP COLUMN anchor;
CREATE VIEW task_lines AS
SELECT tasks.id, tasks.case_number, tasks.kind, tasks.qualifier, tasks.round, tasks.stage, tasks.role, tasks.department,
       tasks.state, tasks.opened_at, tasks.assignee, tasks.assignee_name, tasks.assigned_at, tasks.done_at, tasks.done_by,
       tasks.outcome, tasks.input, tasks.due_at, tasks.remaining_seconds, tasks.stopped, tasks.provisional,
       cases.district, cases.applicant, cases.address
FROM tasks JOIN cases ON cases.number = tasks.case_number;
