-- Work lists put first what is most urgent: the earlier of a task's own due
-- moment and, where supply-on waits for the task, the lane's.

-- +goose Up
ALTER TABLE tasks ADD COLUMN urgent_at timestamptz;                -- null while its clocks stand, as due_at
ALTER TABLE tasks ADD COLUMN urgent_by text NOT NULL DEFAULT ''; -- the limit that says so; empty once the task has ended

UPDATE tasks SET urgent_at = due_at;
UPDATE tasks SET urgent_by = d.limit_name
FROM deadlines d
WHERE tasks.state = 'open' AND tasks.due_at IS NOT NULL AND d.case_number = tasks.case_number AND d.id IN (tasks.id, 'lane')
  AND d.due_at = tasks.due_at AND d.met_at IS NULL AND d.dropped_at IS NULL
  AND (d.id = tasks.id OR NOT EXISTS (
    SELECT FROM deadlines own WHERE own.case_number = tasks.case_number AND own.id = tasks.id AND own.due_at IS NOT NULL));
-- The lane's clock, where it runs out earlier than the task's own.
UPDATE tasks SET urgent_at = lane.due_at, urgent_by = lane.limit_name
FROM deadlines lane
WHERE tasks.state = 'open' AND lane.case_number = tasks.case_number AND lane.id = 'lane'
  AND lane.met_at IS NULL AND lane.dropped_at IS NULL AND lane.due_at < coalesce(tasks.due_at, 'infinity')
  AND tasks.kind NOT IN ('hand_over_permit', 'accept_transfer', 'review_pause', 'complete_entry', 'accept_meter', 'open_account',
    'enrol_reading', 'issue_card', 'confirm_part', 'callback', 'rectify', 'home_visit');

DROP INDEX tasks_open_by_assignee, tasks_open_by_department, tasks_open_by_due;
CREATE INDEX tasks_open_by_assignee ON tasks (assignee, urgent_at, opened_at, id) WHERE state = 'open';
CREATE INDEX tasks_open_by_department ON tasks (department, urgent_at, opened_at, id) WHERE state = 'open';
CREATE INDEX tasks_open_by_urgency ON tasks (urgent_at, opened_at, id) WHERE state = 'open';

DROP VIEW task_lines;
CREATE VIEW task_lines AS
SELECT tasks.id, tasks.case_number, tasks.kind, tasks.qualifier, tasks.round, tasks.stage, tasks.role, tasks.department,
       tasks.state, tasks.opened_at, tasks.anchor, tasks.assignee, tasks.assignee_name, tasks.assigned_at, tasks.done_at, tasks.done_by,
       tasks.outcome, tasks.input, tasks.due_at, tasks.remaining_seconds, tasks.stopped, tasks.provisional, tasks.urgent_at, tasks.urgent_by,
       cases.district, cases.applicant, cases.address
FROM tasks JOIN cases ON cases.number = tasks.case_number;

-- +goose Down
DROP VIEW task_lines;
CREATE VIEW task_lines AS
SELECT tasks.id, tasks.case_number, tasks.kind, tasks.qualifier, tasks.round, tasks.stage, tasks.role, tasks.department,
       tasks.state, tasks.opened_at, tasks.anchor, tasks.assignee, tasks.assignee_name, tasks.assigned_at, tasks.done_at, tasks.done_by,
       tasks.outcome, tasks.input, tasks.due_at, tasks.remaining_seconds, tasks.stopped, tasks.provisional,
       cases.district, cases.applicant, cases.address
FROM tasks JOIN cases ON cases.number = tasks.case_number;
DROP INDEX tasks_open_by_assignee, tasks_open_by_department, tasks_open_by_urgency;
ALTER TABLE tasks DROP COLUMN urgent_at, DROP COLUMN urgent_by;
CREATE INDEX tasks_open_by_assignee ON tasks (assignee, due_at, opened_at, id) WHERE state = 'open';
CREATE INDEX tasks_open_by_department ON tasks (department, due_at, opened_at, id) WHERE state = 'open';
CREATE INDEX tasks_open_by_due ON tasks (due_at, opened_at, id) WHERE state = 'open';
