-- What the supervisors' reports ask for, each in one statement.

-- +goose Up

-- The pauses that last, as [{"reason", "from", "planned_end"}]. Their evidence
-- stays in the sealed snapshot. A case that was paused before this column has
-- them from its next save on.
ALTER TABLE cases ADD COLUMN pauses jsonb NOT NULL DEFAULT '[]';

-- What fell due in a period: a deadline belongs to the day on which it is due;
-- one that ended while its clock stood, to the day on which it ended.
CREATE INDEX deadlines_by_day ON deadlines ((coalesce(due_at, met_at, dropped_at)));
-- Who holds the clocks now.
CREATE INDEX holdings_open ON holdings (case_number) INCLUDE (party, stopped, from_at) WHERE to_at IS NULL;
-- Since when a case is in its stage.
CREATE INDEX events_stage_entered ON events (case_number, at) WHERE kind = 'stage_entered';
-- A month's verdicts, and its connections.
CREATE INDEX tasks_callbacks ON tasks (done_at) WHERE kind = 'callback' AND state = 'done';
CREATE INDEX cases_by_supply ON cases (supply_at) WHERE supply_at IS NOT NULL;

-- +goose Down
DROP INDEX cases_by_supply, tasks_callbacks, events_stage_entered, holdings_open, deadlines_by_day;
ALTER TABLE cases DROP COLUMN pauses;
