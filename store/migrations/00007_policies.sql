-- The policy, version by version. Cases keep the terms of their version, so no
-- version ever changes.

-- +goose Up

CREATE TABLE policies (
    version      text        PRIMARY KEY,
    n            bigint      GENERATED ALWAYS AS IDENTITY UNIQUE, -- the highest serves new cases
    name         text        NOT NULL,
    text         text        NOT NULL, -- the file
    published_at timestamptz NOT NULL,
    published_by text        NOT NULL
);

CREATE TRIGGER policies_append_only BEFORE UPDATE OR DELETE ON policies
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policies_never_emptied BEFORE TRUNCATE ON policies
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Which running cases have which version.
CREATE INDEX cases_by_policy ON cases (policy_version, received_at DESC, number DESC) WHERE ended_at IS NULL;

-- +goose Down
DROP INDEX cases_by_policy;
DROP TABLE policies;
