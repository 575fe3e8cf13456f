-- A payment is kept once by the number of whoever took the money, under whatever
-- key it is reported, unless billing refused it.

-- +goose Up
ALTER TABLE billing_requests ADD COLUMN payment text NOT NULL DEFAULT ''; -- blind index of account, way and number; empty: no payment, or refused
CREATE UNIQUE INDEX billing_requests_payment ON billing_requests (payment) WHERE payment <> '';

-- +goose Down
DROP INDEX billing_requests_payment;
ALTER TABLE billing_requests DROP COLUMN payment;
