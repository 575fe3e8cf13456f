-- A case and its records. Everything here is written by store.Save, in one
-- transaction a decision, and by nothing else.
--
-- Columns of type bytea are sealed (AES-256-GCM, package seal) because they may
-- hold personal data; each opens only for the row that it belongs to. Enumerations
-- that the process may yet extend (stages, task kinds, channels, rungs) are judged
-- by package casework; checked here are those on which an index or a constraint
-- of this file relies.
--
-- Where a table has a column since, it is the number of the event with which the
-- row was first recorded, or of the one that was to come next where nothing but
-- the row changed. If that event turns out never to have happened, the row goes
-- with it.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd

CREATE TABLE cases (
    number          text        PRIMARY KEY,
    kind            text        NOT NULL,
    parent          text        NOT NULL, -- the connection that an upgrade serves
    utility         text        NOT NULL,
    lane            text        NOT NULL,
    channel         text        NOT NULL,
    external_number text        NOT NULL,
    district        text        NOT NULL,
    status          text        NOT NULL CHECK (status IN ('open', 'paused', 'withdrawing', 'withdrawn', 'closed')),
    stage           text        NOT NULL,
    applicant       text        NOT NULL, -- a natural person's name is masked
    address         text        NOT NULL,
    department      text        NOT NULL, -- in charge
    level           int         NOT NULL, -- highest escalation of a live deadline
    open_tasks      int         NOT NULL,
    received_at     timestamptz NOT NULL,
    due_at          timestamptz,          -- earliest live deadline; overdue is never stored
    supply_at       timestamptz,
    ended_at        timestamptz,
    version         bigint      NOT NULL, -- number of the last event
    policy_version  text        NOT NULL,
    phone_index     text        NOT NULL, -- blind index, for finding a whole number
    search          text        NOT NULL, -- number, applicant and address in lower case
    state           bytea       NOT NULL  -- the whole case as sealed JSON
);

-- Sealed bytes don't compress: PostgreSQL shall not try at each save.
ALTER TABLE cases ALTER COLUMN state SET STORAGE EXTERNAL;

-- Every list of cases is read newest first; this serves those without a filter
-- and those whose filter few cases fail.
CREATE INDEX cases_by_received ON cases (received_at DESC, number DESC);
-- The daily lists: what is open in one's districts, newest first.
CREATE INDEX cases_by_status_district ON cases (status, district, received_at DESC, number DESC);
-- Supervision asks for what has escalated, which is little among much.
CREATE INDEX cases_by_level ON cases (level, received_at DESC) WHERE level > 0;
-- Overdue cases. Only a live deadline gives a due moment, so ended cases are not in it.
CREATE INDEX cases_by_due ON cases (due_at) WHERE due_at IS NOT NULL;
-- A caller is found by the whole phone number.
CREATE INDEX cases_by_phone ON cases (phone_index) WHERE phone_index <> '';
-- There is deliberately no trigram index on search: people look for two Chinese
-- characters more often than for three, and two make no trigram. The column is
-- scanned, within what the other filters leave.

CREATE TABLE events (
    case_number text        NOT NULL REFERENCES cases (number),
    n           bigint      NOT NULL CHECK (n > 0),
    previous    bigint      GENERATED ALWAYS AS (NULLIF(n - 1, 0)) STORED,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    actor       text        NOT NULL,
    stage       text        NOT NULL,
    task        text        NOT NULL,
    note_zh     text        NOT NULL,
    note_en     text        NOT NULL,
    data        bytea,
    -- The timeline is read in this order, so it needs no index of its own.
    PRIMARY KEY (case_number, n),
    -- An event is refused unless the one before it is there: a history has no gaps.
    CONSTRAINT events_without_gap FOREIGN KEY (case_number, previous) REFERENCES events (case_number, n)
);
CREATE TRIGGER events_append_only BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_never_emptied BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a workflow recorded and then forgot, because the task in which it had
-- decided failed: it decided anew, and nobody was ever told of these. They stay
-- as a proof of what was tried.
CREATE TABLE abandoned_events (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- a number may be abandoned more than once
    case_number  text        NOT NULL REFERENCES cases (number),
    n            bigint      NOT NULL,
    at           timestamptz NOT NULL,
    kind         text        NOT NULL,
    actor        text        NOT NULL,
    stage        text        NOT NULL,
    task         text        NOT NULL,
    note_zh      text        NOT NULL,
    note_en      text        NOT NULL,
    data         bytea,
    abandoned_at timestamptz NOT NULL,
    replaced_by  bigint      NOT NULL  -- the version of the case that took their place
);
-- The guard of events looks here for what it lets go.
CREATE INDEX abandoned_events_by_number ON abandoned_events (case_number, n);
CREATE TRIGGER abandoned_events_append_only BEFORE UPDATE OR DELETE ON abandoned_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER abandoned_events_never_emptied BEFORE TRUNCATE ON abandoned_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An event leaves the history only if it is kept there word for word, and, by
-- events_without_gap, only together with all that follow it.
-- +goose StatementBegin
CREATE FUNCTION refuse_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM abandoned_events AS kept
        WHERE kept.case_number = OLD.case_number AND kept.n = OLD.n AND kept.data IS NOT DISTINCT FROM OLD.data
          AND (kept.at, kept.kind, kept.actor, kept.stage, kept.task, kept.note_zh, kept.note_en)
            = (OLD.at, OLD.kind, OLD.actor, OLD.stage, OLD.task, OLD.note_zh, OLD.note_en)
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'table % is append-only: % is refused of what abandoned_events does not keep', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_never_lost BEFORE DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_loss();

-- A snapshot is refused unless its last event is recorded. Deferred, because
-- the case comes before its events within a transaction.
ALTER TABLE cases ADD CONSTRAINT cases_last_event FOREIGN KEY (number, version)
    REFERENCES events (case_number, n) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE tasks (
    id                text        PRIMARY KEY,
    case_number       text        NOT NULL REFERENCES cases (number),
    kind              text        NOT NULL,
    qualifier         text        NOT NULL,
    round             int         NOT NULL,
    stage             text        NOT NULL,
    role              text        NOT NULL,
    department        text        NOT NULL,
    state             text        NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    opened_at         timestamptz NOT NULL,
    assignee          text        NOT NULL,
    assignee_name     text        NOT NULL,
    assigned_at       timestamptz,
    done_at           timestamptz,
    done_by           text        NOT NULL,
    outcome           text        NOT NULL,
    input             bytea,
    due_at            timestamptz,          -- of the task's own limit, else of the lane's; null while the clock stands
    remaining_seconds bigint      NOT NULL, -- working time left while the clock stands
    stopped           boolean     NOT NULL,
    provisional       boolean     NOT NULL,
    since             bigint      NOT NULL
);
-- A case never has two live tasks that nobody could tell apart.
CREATE UNIQUE INDEX tasks_one_live ON tasks (case_number, kind, qualifier) WHERE state = 'open';
-- The page of a case shows all its tasks, ended ones too.
CREATE INDEX tasks_by_case ON tasks (case_number);
-- The work lists, in the order in which they are shown: mine, my department's,
-- and, for those who dispatch, everybody's.
CREATE INDEX tasks_open_by_assignee ON tasks (assignee, due_at, opened_at, id) WHERE state = 'open';
CREATE INDEX tasks_open_by_department ON tasks (department, due_at, opened_at, id) WHERE state = 'open';
CREATE INDEX tasks_open_by_due ON tasks (due_at, opened_at, id) WHERE state = 'open';

-- A task as lists show it. What it shows of the case is joined rather than
-- copied: an amended address must not leave old ones behind.
CREATE VIEW task_lines AS
SELECT tasks.id, tasks.case_number, tasks.kind, tasks.qualifier, tasks.round, tasks.stage, tasks.role, tasks.department,
       tasks.state, tasks.opened_at, tasks.assignee, tasks.assignee_name, tasks.assigned_at, tasks.done_at, tasks.done_by,
       tasks.outcome, tasks.input, tasks.due_at, tasks.remaining_seconds, tasks.stopped, tasks.provisional,
       cases.district, cases.applicant, cases.address
FROM tasks JOIN cases ON cases.number = tasks.case_number;

CREATE TABLE deadlines (
    case_number       text        NOT NULL REFERENCES cases (number),
    id                text        NOT NULL, -- the task's ID, or "lane"
    limit_name        text        NOT NULL,
    anchor            timestamptz NOT NULL,
    due_at            timestamptz,
    remaining_seconds bigint      NOT NULL,
    stopped           boolean     NOT NULL,
    provisional       boolean     NOT NULL,
    met_at            timestamptz,
    dropped_at        timestamptz,
    body              jsonb       NOT NULL, -- the whole deadline: budget, holds, rungs; no personal data
    since             bigint      NOT NULL,
    PRIMARY KEY (case_number, id)
);
-- Live deadlines by their due moment: what falls due next in the city, and what
-- a new calendar can move. Those that ended are many and never asked for so.
CREATE INDEX deadlines_live ON deadlines (due_at) WHERE met_at IS NULL AND dropped_at IS NULL;

CREATE TABLE escalations (
    id              text        PRIMARY KEY,
    case_number     text        NOT NULL REFERENCES cases (number),
    deadline        text        NOT NULL,
    limit_name      text        NOT NULL,
    rung            text        NOT NULL,
    level           int         NOT NULL,
    to_role         text        NOT NULL, -- empty: whoever held the task
    department      text        NOT NULL,
    holder          text        NOT NULL,
    district        text        NOT NULL,
    due_at          timestamptz,
    rung_at         timestamptz,
    fired_at        timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text        NOT NULL,
    note            bytea,
    since           bigint      NOT NULL
);
-- The list is read newest first.
CREATE INDEX escalations_by_fired ON escalations (fired_at DESC, id DESC);
-- What waits to be acknowledged is little among much, and asked for all day.
CREATE INDEX escalations_open ON escalations (fired_at DESC, id DESC) WHERE acknowledged_at IS NULL;
-- The page of a case.
CREATE INDEX escalations_by_case ON escalations (case_number);

CREATE TABLE touchpoints (
    case_number text        NOT NULL REFERENCES cases (number),
    n           int         NOT NULL CHECK (n > 0), -- counted within the case
    zero        text        NOT NULL,
    cost        boolean     NOT NULL,
    note_zh     text        NOT NULL,
    note_en     text        NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    since       bigint      NOT NULL,
    PRIMARY KEY (case_number, n)
);

CREATE TABLE documents (
    case_number text        NOT NULL REFERENCES cases (number),
    id          text        NOT NULL,
    kind        text        NOT NULL,
    media_type  text        NOT NULL,
    size        bigint      NOT NULL,
    sha256      text        NOT NULL,
    key         text        NOT NULL, -- where the blob store keeps it
    drafted     boolean     NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    since       bigint      NOT NULL,
    -- The title is in the sealed snapshot only: files are named after people.
    PRIMARY KEY (case_number, id)
);

-- +goose Down
ALTER TABLE cases DROP CONSTRAINT cases_last_event;
DROP VIEW task_lines;
DROP TABLE documents, touchpoints, escalations, deadlines, tasks, abandoned_events, events, cases;
DROP FUNCTION refuse_loss();
DROP FUNCTION refuse_change();
