-- Who is not there, who left, and which tasks changed hands for it.

-- +goose Up

CREATE TABLE absences (
    id         text        PRIMARY KEY,
    person     text        NOT NULL REFERENCES staff (id),
    deputy     text        REFERENCES staff (id), -- null: the department takes over
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,
    reason     bytea       NOT NULL, -- sealed: why somebody is away is theirs
    entered_by text        NOT NULL,
    entered_at timestamptz NOT NULL,
    ended_at   timestamptz,          -- ended before to_at; not after from_at: cancelled
    ended_by   text        NOT NULL DEFAULT '',
    started    boolean     NOT NULL, -- its workflow is known to have been started
    CONSTRAINT absences_begin_before_they_end CHECK (from_at < to_at),
    CONSTRAINT absences_have_another_deputy CHECK (deputy <> person)
);
-- "Is this person there?", asked with every assignment.
CREATE INDEX absences_by_person ON absences (person, to_at);
CREATE INDEX absences_by_deputy ON absences (deputy) WHERE deputy IS NOT NULL;
CREATE INDEX absences_unstarted ON absences (entered_at) WHERE NOT started;

CREATE TABLE hand_overs (
    id           text        PRIMARY KEY,
    person       text        NOT NULL REFERENCES staff (id),
    to_person    text        REFERENCES staff (id), -- null: the departments
    reason       bytea       NOT NULL,              -- sealed
    leaving      boolean     NOT NULL,
    requested_by text        NOT NULL,
    requested_at timestamptz NOT NULL,
    started      boolean     NOT NULL,
    done_at      timestamptz
);
CREATE INDEX hand_overs_unstarted ON hand_overs (requested_at) WHERE NOT started;

-- The tasks that changed hands for a cause, each once.
CREATE TABLE handed_tasks (
    cause       text NOT NULL, -- an absence or a hand-over, such as "absence/tf-01-5d41402abc4b"
    task        text NOT NULL,
    case_number text NOT NULL,
    to_person   text,          -- null: about to move; empty: back to the department
    at          timestamptz,
    PRIMARY KEY (cause, task)
);

-- +goose Down
DROP TABLE handed_tasks, hand_overs, absences;
