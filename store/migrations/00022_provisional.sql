-- +goose Up
-- What counted through a year without notice is marked so wherever it shows:
-- in messages, and where an escalation says when it must be answered.
ALTER TABLE messages ADD COLUMN provisional boolean NOT NULL DEFAULT false;
ALTER TABLE escalations ADD COLUMN answer_provisional boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE escalations DROP COLUMN answer_provisional;
ALTER TABLE messages DROP COLUMN provisional;
