-- Who works here, and who looked at what is not for everyone.

-- +goose Up

CREATE TABLE staff (
    id            text    PRIMARY KEY,
    name          text    NOT NULL,
    department    text    NOT NULL,
    roles         jsonb   NOT NULL,
    districts     jsonb   NOT NULL,
    active        boolean NOT NULL,
    password_hash text    NOT NULL -- empty: cannot sign in with a password
);

CREATE TABLE audit (
    id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text        NOT NULL,
    what   text        NOT NULL,
    target text        NOT NULL,
    data   jsonb                -- which fields were shown, never their values: auditors read this without a key
);
-- "Who looked at this case?"
CREATE INDEX audit_by_target ON audit (target, at);
-- "What did this person look at?"
CREATE INDEX audit_by_actor ON audit (actor, at);
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_never_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE audit, staff;
