-- Joint requests whose parts are applications of leads.

-- +goose Up

-- The number that the customer of a joint request knows; empty for an
-- application that stands by itself.
ALTER TABLE applications ADD COLUMN joint text NOT NULL DEFAULT '';
-- Whether an application is under way for a lead.
CREATE INDEX applications_by_case ON applications (case_number) WHERE state <> 'refused';

-- +goose Down
DROP INDEX applications_by_case;
ALTER TABLE applications DROP COLUMN joint;
