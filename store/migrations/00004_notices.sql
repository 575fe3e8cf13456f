-- The State Council's notices on public holidays, version by version. Deadlines
-- record the version by which they were worked out, so no version ever changes.

-- +goose Up

CREATE TABLE notices (
    version     text        PRIMARY KEY,
    n           bigint      GENERATED ALWAYS AS IDENTITY UNIQUE, -- the highest is in force
    imported_at timestamptz NOT NULL,
    imported_by text        NOT NULL
);

CREATE TABLE notice_days (
    version text NOT NULL REFERENCES notices (version),
    date    date NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('holiday', 'workday')),
    name    text NOT NULL,
    notice  text NOT NULL,
    PRIMARY KEY (version, date)
);

CREATE TRIGGER notices_append_only BEFORE UPDATE OR DELETE ON notices
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notices_never_emptied BEFORE TRUNCATE ON notices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_days_append_only BEFORE UPDATE OR DELETE ON notice_days
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_days_never_emptied BEFORE TRUNCATE ON notice_days
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE notice_days, notices;
