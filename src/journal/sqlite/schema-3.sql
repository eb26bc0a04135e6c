-- Version 3: orders that were found without a callback, and where they were found.

-- callback; or sweep, pending for one that never called back
ALTER TABLE entry ADD COLUMN origin TEXT NOT NULL DEFAULT 'callback';
-- when the order was paid (sweep) or made (pending), as the one that named it says
ALTER TABLE entry ADD COLUMN created_at INTEGER;
-- when its payment was confirmed the first time
ALTER TABLE entry ADD COLUMN confirmed_at INTEGER;
UPDATE entry SET confirmed_at = verified_at;

DROP INDEX entry_due;
CREATE INDEX entry_due ON entry (state, channel, origin, due_at) WHERE due_at IS NOT NULL;
-- Only callbacks can be made up by anybody.
DROP INDEX entry_unconfirmed;
CREATE INDEX entry_unconfirmed ON entry (state, id) WHERE transaction_id IS NULL AND origin = 'callback';
CREATE INDEX entry_origin ON entry (origin) WHERE origin <> 'callback';
CREATE INDEX event_flagged ON event (reason) WHERE what = 'flagged';

-- One comparison of a merchant's bill of one day with what the upstream accepted.
CREATE TABLE sweep (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mch_id TEXT NOT NULL,
    -- 2026-11-22, in Beijing
    bill_date TEXT NOT NULL,
    -- separated by blanks
    channels TEXT NOT NULL,
    -- the Beijing day whose schedule wanted it; none if an operator did
    due_on TEXT,
    dry_run INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    -- asked, running, done, failed
    state TEXT NOT NULL DEFAULT 'asked',
    -- not before
    again_at INTEGER,
    began_at INTEGER,
    ended_at INTEGER,
    -- what is in its way, or was odd about the bill
    problem TEXT,
    -- of the bill: all its rows; payments; refunds; neither; unreadable
    rows INTEGER NOT NULL DEFAULT 0,
    paid INTEGER NOT NULL DEFAULT 0,
    refunds INTEGER NOT NULL DEFAULT 0,
    others INTEGER NOT NULL DEFAULT 0,
    malformed INTEGER NOT NULL DEFAULT 0,
    -- of the payments: of no channel that is swept; accepted before; on their way; looked at by nobody yet; found
    not_ours INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    under_way INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    -- its number is not the order's id, and nobody has said which order it is
    unknown INTEGER NOT NULL DEFAULT 0,
    found INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX sweep_due ON sweep (mch_id, bill_date, due_on) WHERE due_on IS NOT NULL;
CREATE INDEX sweep_next ON sweep (state, again_at) WHERE state IN ('asked', 'running');

-- The rows of the bill behind a sweep's numbers, but for those that were accepted before, which entry has.
CREATE TABLE sweep_row (
    sweep INTEGER NOT NULL,
    -- in the bill, from 1
    line INTEGER NOT NULL,
    -- found, under-way, parked, unknown-order, not-ours (the first of them only), malformed
    what TEXT NOT NULL,
    channel TEXT,
    "order" TEXT,
    out_trade_no TEXT,
    transaction_id TEXT,
    total_fee INTEGER,
    fee_type TEXT,
    -- whether the same bill has a refund of it
    refunded INTEGER NOT NULL DEFAULT 0,
    entry INTEGER,
    detail TEXT,
    PRIMARY KEY (sweep, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX sweep_row_payment ON sweep_row (transaction_id) WHERE transaction_id IS NOT NULL;

-- What a source of pending orders said of an order the last time.
CREATE TABLE listed (
    source TEXT NOT NULL,
    channel TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    "order" TEXT NOT NULL,
    -- the expected amount, in fen
    total_fee INTEGER,
    listed_at INTEGER NOT NULL,
    -- when it was not listed any more
    gone_at INTEGER,
    PRIMARY KEY (channel, out_trade_no, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX listed_gone ON listed (gone_at) WHERE gone_at IS NOT NULL;

-- How the sources of pending orders are.
CREATE TABLE source (
    name TEXT PRIMARY KEY,
    -- the last time it could be read, and could not
    read_at INTEGER,
    failed_at INTEGER,
    -- failures since it could be read
    failures INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    orders INTEGER NOT NULL DEFAULT 0,
    malformed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

DROP VIEW ledger;
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
    strftime('%Y-%m-%dT%H:%M:%SZ', delivery.accepted_at / 1000, 'unixepoch') AS accepted_at,
    coalesce(delivery.attempts, 0) AS attempts,
    entry.request_id
FROM entry
LEFT JOIN delivery ON delivery.id = entry.delivery;
