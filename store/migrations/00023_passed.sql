-- Who follows a case that is passed on to another utility or service follows the
-- case that goes on; who joined a lead that would not have it, the case of its own.

-- +goose Up

-- The case from which it goes on; empty where it does from none.
ALTER TABLE receipts ADD COLUMN passed_from text NOT NULL DEFAULT '';

-- The case that the follower followed until then, under the same number; and when
-- its application became a request of its own: it is told no more of this case.
ALTER TABLE followers
    ADD COLUMN before  text NOT NULL DEFAULT '',
    ADD COLUMN left_at timestamptz;

-- The cases that a follower was told of before, the last of them first.
-- +goose StatementBegin
CREATE FUNCTION followed_before(number text, follower int) RETURNS TABLE (case_number text, n int) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE earlier AS (
        SELECT e.case_number, e.n, e.before, e.sender, e.sender_number
        FROM followers f JOIN followers e ON e.case_number = f.before AND e.sender = f.sender AND e.sender_number = f.sender_number
        WHERE f.case_number = number AND f.n = follower
        UNION ALL
        SELECT e.case_number, e.n, e.before, e.sender, e.sender_number
        FROM earlier f JOIN followers e ON e.case_number = f.before AND e.sender = f.sender AND e.sender_number = f.sender_number)
    SELECT case_number, n FROM earlier
$$;
-- +goose StatementEnd

-- Those who follow a case follow the one that goes on from it.
-- +goose StatementBegin
CREATE FUNCTION follow_on(earlier text, number text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO followers (case_number, n, sender, sender_number, since, brought, before)
        SELECT number, (SELECT coalesce(max(n), 0) FROM followers WHERE case_number = number) + row_number() OVER (ORDER BY f.n),
            f.sender, f.sender_number, f.since, true, earlier
        FROM followers f WHERE f.case_number = earlier AND f.brought AND f.left_at IS NULL
        ON CONFLICT (case_number, sender, sender_number) DO NOTHING
$$;
-- +goose StatementEnd

-- What was passed on before.
UPDATE receipts r SET passed_from = c.number FROM cases c
    WHERE r.external_number = 'passed/' || c.number AND c.status IN ('passing_on', 'passed_on')
        AND r.channel = (SELECT a.channel FROM receipts a WHERE a.number = c.number);
CREATE UNIQUE INDEX receipts_passed_on ON receipts (passed_from) WHERE passed_from <> '';
-- +goose StatementBegin
DO $$
DECLARE passed record;
BEGIN
    FOR passed IN -- each behind the one that it goes on from
        WITH RECURSIVE passes AS (
            SELECT r.number, r.passed_from, 1 AS depth FROM receipts r JOIN receipts a ON a.number = r.passed_from WHERE r.passed_from <> '' AND a.passed_from = ''
            UNION ALL
            SELECT r.number, r.passed_from, p.depth + 1 FROM passes p JOIN receipts r ON r.passed_from = p.number WHERE r.passed_from <> '')
        SELECT number, passed_from FROM passes ORDER BY depth, number
    LOOP
        PERFORM follow_on(passed.passed_from, passed.number);
        UPDATE receipts SET progress_due = true WHERE number = passed.number AND EXISTS (SELECT FROM followers WHERE case_number = passed.number);
    END LOOP;
END $$;
-- +goose StatementEnd

-- Processes of the version before run on while this is applied, and write down
-- what is passed on without saying so here.
-- +goose StatementBegin
CREATE FUNCTION passed_as_noted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE earlier text := substr(NEW.external_number, 8);
BEGIN
    UPDATE receipts SET passed_from = earlier WHERE number = NEW.number
        AND EXISTS (SELECT FROM cases c WHERE c.number = earlier AND c.status = 'passing_on') AND channel = (SELECT a.channel FROM receipts a WHERE a.number = earlier);
    IF FOUND THEN
        PERFORM follow_on(earlier, NEW.number);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER receipts_passed AFTER INSERT ON receipts FOR EACH ROW
    WHEN (NEW.passed_from = '' AND starts_with(NEW.external_number, 'passed/')) EXECUTE FUNCTION passed_as_noted();

-- +goose Down
DROP TRIGGER receipts_passed ON receipts;
DROP FUNCTION passed_as_noted, follow_on, followed_before;
DELETE FROM progress_reports p USING followers f WHERE f.case_number = p.case_number AND f.n = p.follower AND f.before <> '';
DELETE FROM followers WHERE before <> '';
ALTER TABLE followers DROP COLUMN left_at, DROP COLUMN before;
DROP INDEX receipts_passed_on;
ALTER TABLE receipts DROP COLUMN passed_from;
