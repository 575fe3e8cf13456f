-- Leads, the applications that belong to them, and the register of mains.

-- +goose Up

-- A lead is a case before anybody applied. What an application is compared with
-- stands beside it: the project's code and the plot, which are public, and a
-- blind index of credit code and address. A lead that began before these columns
-- has them from its next save on.
ALTER TABLE cases ADD COLUMN lead boolean NOT NULL DEFAULT false;
ALTER TABLE cases ADD COLUMN project text NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN plot text NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN party_index text NOT NULL DEFAULT '';
-- The main that an assessment chose, and the demand that is promised of it.
ALTER TABLE cases ADD COLUMN main text NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN main_demand double precision NOT NULL DEFAULT 0;

-- Open leads are little among much.
CREATE INDEX cases_leads ON cases (received_at DESC, number DESC) WHERE lead;
CREATE INDEX cases_leads_by_project ON cases (project) WHERE lead AND project <> '';
CREATE INDEX cases_leads_by_plot ON cases (plot) WHERE lead AND plot <> '';
CREATE INDEX cases_leads_by_party ON cases (party_index) WHERE lead AND party_index <> '';
CREATE INDEX cases_by_main ON cases (main) WHERE main <> '';

-- An application that belongs to a lead is kept before the lead is told of it, as
-- a receipt is before its case is started: nothing that was accepted is lost.
CREATE TABLE applications (
    channel         text        NOT NULL,
    external_number text        NOT NULL CHECK (external_number <> ''),
    case_number     text        NOT NULL, -- the lead's
    received_at     timestamptz NOT NULL,
    state           text        NOT NULL CHECK (state IN ('received', 'applied', 'refused')),
    body            bytea       NOT NULL, -- the application and who brought it, as sealed JSON
    PRIMARY KEY (channel, external_number)
);
CREATE INDEX applications_received ON applications (received_at) WHERE state = 'received';

CREATE TABLE main_versions (
    n           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_key  text        NOT NULL UNIQUE,
    imported_at timestamptz NOT NULL,
    imported_by text        NOT NULL,
    file        text        NOT NULL,
    sha256      text        NOT NULL,
    utilities   text        NOT NULL, -- of which the file has mains, separated by commas
    partial     boolean     NOT NULL, -- it left mains alone that it does not name
    mains       int         NOT NULL,
    added       int         NOT NULL,
    changed     int         NOT NULL,
    removed     int         NOT NULL
);
CREATE TRIGGER main_versions_append_only BEFORE UPDATE OR DELETE ON main_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A main as it was from one version on, up to the one that changed or removed it.
CREATE TABLE mains (
    utility  text             NOT NULL,
    id       text             NOT NULL,
    since    bigint           NOT NULL REFERENCES main_versions (n),
    until    bigint           REFERENCES main_versions (n), -- null: it is so now
    district text             NOT NULL,
    state    text             NOT NULL,
    west     double precision NOT NULL, -- its bounds, in degrees
    south    double precision NOT NULL,
    east     double precision NOT NULL,
    north    double precision NOT NULL,
    body     jsonb            NOT NULL,
    PRIMARY KEY (utility, id, since)
);
CREATE UNIQUE INDEX mains_now ON mains (utility, id) WHERE until IS NULL;
-- What lies around a place. PostgreSQL's own boxes do, without an extension.
CREATE INDEX mains_by_place ON mains USING gist (box(point(west, south), point(east, north))) WHERE until IS NULL;

-- +goose Down
DROP TABLE mains, main_versions, applications;
DROP INDEX cases_by_main, cases_leads_by_party, cases_leads_by_plot, cases_leads_by_project, cases_leads;
ALTER TABLE cases DROP COLUMN lead, DROP COLUMN project, DROP COLUMN plot, DROP COLUMN party_index, DROP COLUMN main, DROP COLUMN main_demand;
