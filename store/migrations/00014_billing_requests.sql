-- Payments and invoices that somebody asks of billing through us: written down
-- before billing is told, and kept until it has answered.

-- +goose Up
CREATE TABLE billing_requests (
    id         text        PRIMARY KEY, -- from the caller's key; billing knows it by the same
    kind       text        NOT NULL CHECK (kind IN ('payment', 'invoice')),
    account    text        NOT NULL,    -- blind index of the account number
    asked_at   timestamptz NOT NULL,
    asked_by   text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    started    boolean     NOT NULL,    -- its workflow is known to be running
    tries      int         NOT NULL,
    settled_at timestamptz,
    body       bytea       NOT NULL,    -- what is asked, as sealed JSON
    answer     bytea                    -- billing's number or reason, as sealed JSON
);
-- The requests of an account, the last first.
CREATE INDEX billing_requests_by_account ON billing_requests (account, asked_at DESC, id DESC);
-- The lists of what waits, and the sweep that starts what a crash left unstarted.
CREATE INDEX billing_requests_by_state ON billing_requests (state, asked_at DESC, id DESC);
CREATE INDEX billing_requests_unstarted ON billing_requests (asked_at) WHERE NOT started;

-- +goose Down
DROP TABLE billing_requests;
