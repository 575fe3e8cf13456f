-- Joint requests whose parts are applications of leads.

-- +goose Up

-- The number that the customer of a joint request knows; empty for an
-- application that stands by itself.
ALTER TABLE applications ADD COLUMN joint text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE applications DROP COLUMN joint;
