-- 100,000 connections over two years up to March 2026, one in twenty still
-- open, with 8 events, 16 tasks and deadlines, and 9 holdings each.
-- Made for measuring; no workflow wrote them.
SELECT setseed(0.5);
SET session_replication_role = replica; -- foreign keys would be asked row by row
CREATE TEMP TABLE drawn AS
SELECT i, 'W' || to_char(received, 'YYYYMMDD') || '-' || lpad(i::text, 6, '0') AS number, received, i % 20 = 0 AS open,
       (ARRAY['340202','340207','340209','340210','340281'])[1 + i % 5] AS district,
       (ARRAY['pre_service','joint_survey','permits','construction','acceptance','evaluation'])[1 + i % 6] AS stage
FROM (SELECT i, '2026-03-04 11:00+08'::timestamptz - (CASE WHEN i % 20 = 0 THEN random() * 20 ELSE 10 + random() * 700 END) * interval '1 day' AS received
      FROM generate_series(1, 100000) AS i) AS d;
BEGIN;
INSERT INTO cases (number, kind, parent, utility, lane, channel, external_number, district, status, stage, applicant, address, department, level,
    open_tasks, received_at, due_at, supply_at, ended_at, version, policy_version, phone_index, search, state, pauses)
SELECT number, 'connection', '', 'water', '101', 'wanshitong', i::text, district,
    CASE WHEN NOT open THEN 'closed' WHEN i % 200 = 0 THEN 'paused' ELSE 'open' END, stage, '单位', '地址', 'engineering', 0, CASE WHEN open THEN 2 ELSE 0 END,
    received, NULL, CASE WHEN open THEN NULL ELSE received + interval '7 days' END, CASE WHEN open THEN NULL ELSE received + interval '12 days' END,
    8, 'x', '', number, decode(repeat('00', 2500), 'hex'),
    CASE WHEN i % 200 = 0 THEN jsonb_build_array(jsonb_build_object('reason', 'customer_not_ready', 'from', received, 'planned_end', received + interval '9 days')) ELSE '[]' END
FROM drawn;
INSERT INTO events (case_number, n, at, kind, actor, stage, task, note_zh, note_en)
SELECT number, n, received + n * interval '9 hours', CASE WHEN n % 2 = 0 THEN 'stage_entered' ELSE 'task_completed' END, 'system', stage, '', '完成任务：联系客户', 'task completed'
FROM drawn, generate_series(1, 8) AS n;
COMMIT;
INSERT INTO tasks (id, case_number, kind, qualifier, round, stage, role, department, state, opened_at, assignee, assignee_name, done_at, done_by, outcome,
    remaining_seconds, stopped, provisional, since)
SELECT number || '-T' || n, number, CASE n WHEN 16 THEN 'callback' ELSE 'contact_customer' END, n::text, 1, stage, 'engineering',
    (ARRAY['taskforce','engineering','network','service_hall'])[1 + n % 4], CASE WHEN open AND n > 14 THEN 'open' ELSE 'done' END, received, '', '',
    CASE WHEN open AND n > 14 THEN NULL ELSE received + n * interval '15 hours' END, '', 'satisfied', 0, false, false, 1
FROM drawn, generate_series(1, 16) AS n;
INSERT INTO deadlines (case_number, id, limit_name, anchor, due_at, remaining_seconds, stopped, provisional, met_at, dropped_at, body, since)
SELECT number, CASE n WHEN 16 THEN 'lane' ELSE number || '-T' || n END, CASE n WHEN 16 THEN 'lane_101' ELSE (ARRAY['contact_customer','assess_network','enter_site','callback'])[1 + n % 4] END,
    received, due, 0, false, false, CASE WHEN open AND n > 14 THEN NULL ELSE due + (random() * 30 - 28) * interval '1 hour' END, NULL,
    jsonb_build_object('id', n, 'limit', 'x', 'budget', '1 working_day', 'due', jsonb_build_object('at', due), 'holds', '[]'::jsonb, 'calendar_version', 'cn-2026-1',
        'rungs', jsonb_build_array(
            jsonb_build_object('name', 'reminder', 'level', 0, 'before', '2 working_hours', 'at', due, 'fired_at', due),
            jsonb_build_object('name', 'breach', 'level', 1, 'to', 'taskforce_office', 'answer', '2 working_hours', 'at', due),
            jsonb_build_object('name', 'taskforce_lead', 'level', 2, 'to', 'taskforce_lead', 'after', '4 working_hours', 'at', due),
            jsonb_build_object('name', 'management', 'level', 3, 'to', 'management', 'after', '1 working_day', 'at', due))), 1
FROM (SELECT *, received + n * interval '16 hours' AS due FROM drawn, generate_series(1, 16) AS n) AS d;
INSERT INTO escalations (id, case_number, deadline, limit_name, rung, level, to_role, department, holder, district, fired_at, acknowledged_by, since, closed_at)
SELECT number || '-T' || n || '/breach', number, number || '-T' || n, 'contact_customer', 'breach', 1, 'taskforce_office', 'engineering', '', district,
    received, '', 1, CASE WHEN open AND n = 2 THEN NULL ELSE received END
FROM drawn, generate_series(1, 2) AS n;
INSERT INTO holdings (case_number, n, party, stopped, from_at, to_at, working_seconds, since)
SELECT number, n, (ARRAY['taskforce','network','taskforce','customer','taskforce','permit_authority','engineering','service_hall','engineering'])[n], n IN (4, 6),
    received + (n - 1) * interval '18 hours', CASE WHEN open AND n = 9 THEN NULL ELSE received + n * interval '18 hours' END, CASE WHEN open AND n = 9 THEN 0 ELSE 20000 END, 1
FROM drawn, generate_series(1, 9) AS n;
INSERT INTO touchpoints (case_number, n, zero, cost, note_zh, note_en, at, actor, since)
SELECT number, n, (ARRAY['no_visit','no_errand','no_fee'])[1 + n % 3], (i + n) % 5 = 0, '', '', received, 'x', 1
FROM drawn, generate_series(1, 4) AS n;
ANALYZE;
