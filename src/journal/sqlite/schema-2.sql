-- Version 2: the ledger, in words and times that people read.

CREATE VIEW ledger AS
SELECT
    entry."order",
    entry.channel,
    entry.route,
    entry.state,
    entry.reason,
    entry.transaction_id,
    entry.total_fee,
    entry.fee_type,
    entry.trade_state,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry.received_at / 1000, 'unixepoch') AS received_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry.paid_at / 1000, 'unixepoch') AS paid_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry.due_at / 1000, 'unixepoch') AS due_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', delivery.accepted_at / 1000, 'unixepoch') AS accepted_at,
    coalesce(delivery.attempts, 0) AS attempts,
    entry.request_id
FROM entry
LEFT JOIN delivery ON delivery.id = entry.delivery;
