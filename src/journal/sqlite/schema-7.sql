-- Version 7: whatever changes entries adds up the numbers of `tally` and `forgotten` itself, once for many.
DROP TRIGGER entry_done_with;
DROP TRIGGER entry_taken_up;
DROP TRIGGER entry_came_done;
DROP TRIGGER entry_went;
DROP TRIGGER entry_forgotten;

-- Two indexes instead of four, one for those with a request and those without: what may give way, and what is forgotten.
DROP INDEX entry_unconfirmed;
DROP INDEX entry_unconfirmed_bytes;
-- Origin and payment are there to be counted by the index alone.
CREATE INDEX entry_unconfirmed ON entry (state, (bytes > 0), id, bytes, origin, transaction_id)
    WHERE transaction_id IS NULL AND origin = 'callback';
DROP INDEX entry_done;
DROP INDEX entry_content;
CREATE INDEX entry_done ON entry (state, (bytes > 0), since) WHERE due_at IS NULL;

-- A callback that was accepted at once, by the first attempt of the only entry of its order, says so in its entry: when the
-- attempt began and ended, and the status. All others have rows, of which the views are made that people read.
DROP VIEW ledger;
ALTER TABLE delivery RENAME TO delivery_row;
ALTER TABLE attempt RENAME TO attempt_row;
ALTER TABLE entry ADD COLUMN first_began_at INTEGER;
ALTER TABLE entry ADD COLUMN first_ended_at INTEGER;
ALTER TABLE entry ADD COLUMN first_status INTEGER;
-- By time, so that it grows at its end; the deliveries in it are looked through.
CREATE INDEX entry_first ON entry (first_began_at, delivery) WHERE first_began_at IS NOT NULL;

CREATE VIEW delivery AS
SELECT id, "order", attempts, accepted_at, transaction_id, answer_status, answer_headers, answer_body FROM delivery_row
UNION ALL
SELECT delivery, "order", 1, first_ended_at, transaction_id, first_status, NULL, NULL FROM entry
WHERE first_began_at IS NOT NULL;

CREATE VIEW attempt AS
SELECT id, entry, attempt, origin, began_at, ended_at, status, accepted, reason FROM attempt_row
UNION ALL
SELECT NULL, id, 1, 'callback', first_began_at, first_ended_at, first_status, 1, NULL FROM entry
WHERE first_began_at IS NOT NULL;

CREATE VIEW ledger AS
SELECT
    entry."order",
    entry.channel,
    entry.route,
    entry.origin,
    entry.state,
    entry.reason,
    entry.transaction_id,
    entry.total_fee,
    entry.fee_type,
    entry.trade_state,
    (SELECT group_concat(DISTINCT event.reason) FROM event
     WHERE event.entry = entry.id AND event.what = 'flagged') AS flags,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry.received_at / 1000, 'unixepoch') AS received_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry.paid_at / 1000, 'unixepoch') AS paid_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry.due_at / 1000, 'unixepoch') AS due_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', ifnull(delivery_row.accepted_at, entry.first_ended_at) / 1000, 'unixepoch') AS accepted_at,
    coalesce(delivery_row.attempts, entry.first_began_at IS NOT NULL) AS attempts,
    entry.request_id
FROM entry
LEFT JOIN delivery_row ON delivery_row.id = entry.delivery;
