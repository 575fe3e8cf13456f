-- What arrives before there is a case.

-- +goose Up

-- The last part of case numbers, for both utilities and all days: a number once
-- given is never given again, and a gap in them means nothing.
CREATE SEQUENCE case_numbers;

CREATE TABLE receipts (
    number          text        PRIMARY KEY,
    channel         text        NOT NULL,
    external_number text        NOT NULL CHECK (external_number <> ''),
    received_at     timestamptz NOT NULL,
    started         boolean     NOT NULL,
    body            bytea       NOT NULL, -- the request and who brought it, as sealed JSON
    -- However often a request is sent, it is accepted once.
    CONSTRAINT receipts_accepted_once UNIQUE (channel, external_number)
);
-- The sweep that starts what a crash left unstarted: nearly always empty.
CREATE INDEX receipts_unstarted ON receipts (received_at) WHERE NOT started;

CREATE TABLE kept_rows (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list      text        NOT NULL,
    line      int         NOT NULL,
    number    text        NOT NULL,
    body      bytea       NOT NULL, -- the cells and what is wrong with them, as sealed JSON
    kept_at   timestamptz NOT NULL,
    kept_by   text        NOT NULL,
    mended_at timestamptz, -- a later sending of the list had this line right, or wrong in another way
    content   text        NOT NULL, -- blind index of the cells: tells two sendings of a line apart
    -- A list that is sent again as it was keeps each of its rows once.
    CONSTRAINT kept_rows_once UNIQUE (list, line, content)
);

-- +goose Down
DROP TABLE kept_rows, receipts;
DROP SEQUENCE case_numbers;
