-- Requests for several utilities at once, and what is passed on to others.

-- +goose Up

-- The last part of a joint request's number.
CREATE SEQUENCE joint_numbers;

-- The number that the customer of a joint request knows; empty for a request
-- that stands by itself.
ALTER TABLE receipts ADD COLUMN joint text NOT NULL DEFAULT '';
CREATE INDEX receipts_by_joint ON receipts (joint) WHERE joint <> '';

-- +goose Down
DROP INDEX receipts_by_joint;
ALTER TABLE receipts DROP COLUMN joint;
DROP SEQUENCE joint_numbers;
