-- Requests for several utilities at once, and what is passed on to others.

-- +goose Up

-- The last part of a joint request's number.
CREATE SEQUENCE joint_numbers;

-- The number that the customer of a joint request knows; empty for a request
-- that stands by itself.
ALTER TABLE receipts ADD COLUMN joint text NOT NULL DEFAULT '';
CREATE INDEX receipts_by_joint ON receipts (joint) WHERE joint <> '';

-- Requests that belong to another company or service: taken in all the same,
-- and handed over by a person.
CREATE SEQUENCE forwarding_numbers;
CREATE TABLE forwardings (
    n               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number          text        NOT NULL UNIQUE,
    channel         text        NOT NULL,
    external_number text        NOT NULL CHECK (external_number <> ''),
    received_at     timestamptz NOT NULL,
    state           text        NOT NULL CHECK (state IN ('waiting', 'handed_over')),
    body            bytea       NOT NULL, -- the request, who brought it and where it went, as sealed JSON
    CONSTRAINT forwardings_accepted_once UNIQUE (channel, external_number)
);
-- The list of those that wait is short.
CREATE INDEX forwardings_waiting ON forwardings (n) WHERE state = 'waiting';

-- A case may be passed on inside: to the other utility, or to another service.
ALTER TABLE cases DROP CONSTRAINT cases_status_check;
ALTER TABLE cases ADD CONSTRAINT cases_status_check
    CHECK (status IN ('open', 'paused', 'withdrawing', 'withdrawn', 'closed', 'passing_on', 'passed_on'));

-- +goose Down
ALTER TABLE cases DROP CONSTRAINT cases_status_check;
ALTER TABLE cases ADD CONSTRAINT cases_status_check
    CHECK (status IN ('open', 'paused', 'withdrawing', 'withdrawn', 'closed'));
DROP TABLE forwardings;
DROP SEQUENCE forwarding_numbers;
DROP INDEX receipts_by_joint;
ALTER TABLE receipts DROP COLUMN joint;
DROP SEQUENCE joint_numbers;
