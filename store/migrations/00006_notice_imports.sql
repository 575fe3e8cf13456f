-- What is known of an import of holidays beside the days themselves: where they
-- came from, and how far the cases have been told.

-- +goose Up

CREATE TABLE notice_imports (
    version    text        PRIMARY KEY REFERENCES notices (version),
    import_key text        NOT NULL, -- however often an import is asked for, it is done once
    based_on   text        NOT NULL, -- the version that it changed; empty if there was none
    file       text        NOT NULL,
    source     text        NOT NULL,
    amended    boolean     NOT NULL,
    told       int         NOT NULL DEFAULT 0,
    told_at    timestamptz,          -- when every case had been looked at once
    remaining  int         NOT NULL DEFAULT 0,
    settled_at timestamptz,          -- when it was confirmed that nothing is left to tell
    CONSTRAINT notice_imports_once UNIQUE (import_key)
);
-- The sweep that goes on where a crash ended an import: nearly always empty.
CREATE INDEX notice_imports_unsettled ON notice_imports (version) WHERE settled_at IS NULL;

-- A version as lists show it. The table that came with the program has no import.
CREATE VIEW notice_versions AS
SELECT notices.version, notices.n, notices.imported_at, notices.imported_by,
       (SELECT count(*) FROM notice_days WHERE notice_days.version = notices.version) AS days,
       -- A notice reaches into the December before, which is no sign of that year's own.
       COALESCE((SELECT string_agg(year, ' ' ORDER BY year) FROM (
           SELECT DISTINCT to_char(date, 'YYYY') AS year FROM notice_days
           WHERE notice_days.version = notices.version AND extract(month FROM date) < 12) AS years), '') AS years,
       COALESCE(imported.based_on, '') AS based_on, COALESCE(imported.file, '') AS file, COALESCE(imported.source, '') AS source,
       COALESCE(imported.amended, false) AS amended, COALESCE(imported.told, 0) AS told, imported.told_at,
       COALESCE(imported.remaining, 0) AS remaining, imported.settled_at, imported.version IS NOT NULL AS imported
FROM notices LEFT JOIN notice_imports AS imported ON imported.version = notices.version;

-- What counted through a year without notice is marked so wherever it shows.
ALTER TABLE escalations ADD COLUMN provisional boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE escalations DROP COLUMN provisional;
DROP VIEW notice_versions;
DROP TABLE notice_imports;
