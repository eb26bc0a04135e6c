-- Version 1. Times are milliseconds since 1970, UTC. docs/operating.md has queries for people.

-- One claim on one route.
CREATE TABLE entry (
    -- never given twice, since what is in memory names an entry by it
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- a digest of route and claim
    key BLOB NOT NULL,
    delivery TEXT NOT NULL,
    request_id TEXT NOT NULL,
    route TEXT NOT NULL,
    channel TEXT NOT NULL,
    "order" TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    claimed_transaction_id TEXT,
    claimed_total_fee INTEGER,
    claimed_fee_type TEXT,
    received_at INTEGER NOT NULL,
    -- asking, delivering, accepted, parked, closed
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    reason TEXT,
    -- set while it is asking or delivering
    due_at INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    -- whether an operator asked for it
    asked_for INTEGER NOT NULL DEFAULT 0,
    -- the payment, once WeChat Pay confirmed it
    transaction_id TEXT,
    total_fee INTEGER,
    fee_type TEXT,
    paid_at INTEGER,
    trade_state TEXT,
    verified_at INTEGER
) STRICT;

CREATE INDEX entry_due ON entry (state, channel, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX entry_done ON entry (state, since) WHERE due_at IS NULL;
CREATE INDEX entry_unconfirmed ON entry (state, id) WHERE transaction_id IS NULL;
-- By the order first, since neighbours in time are neighbours there, and so share pages.
CREATE UNIQUE INDEX entry_order ON entry ("order", key);
CREATE INDEX entry_out_trade_no ON entry (out_trade_no) WHERE out_trade_no <> "order";
CREATE INDEX entry_transaction ON entry (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX entry_request ON entry (request_id);

-- The request of an entry, to be sent again. It is removed soon after nothing will come of the entry.
CREATE TABLE request (
    entry INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    tls INTEGER NOT NULL,
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    headers BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- An order on a route: what X-Tollgate-Delivery names.
CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    "order" TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    accepted_at INTEGER,
    transaction_id TEXT,
    answer_status INTEGER,
    answer_headers BLOB,
    answer_body BLOB
) STRICT, WITHOUT ROWID;

-- Every sending of a delivery, as far as each is worth a line.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL,
    -- X-Tollgate-Attempt; one that the upstream did not see is counted again
    attempt INTEGER NOT NULL,
    origin TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    status INTEGER,
    accepted INTEGER NOT NULL DEFAULT 0,
    reason TEXT
) STRICT;

CREATE INDEX attempt_entry ON attempt (entry, attempt);

-- What happened to an entry besides.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- found, again, asked-for
    what TEXT NOT NULL,
    reason TEXT,
    request_id TEXT
) STRICT;

CREATE INDEX event_entry ON event (entry, id);
CREATE INDEX event_request ON event (request_id) WHERE request_id IS NOT NULL;

-- The latest callbacks that were refused before they were taken in; nothing of their content.
CREATE TABLE refused (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    route TEXT,
    channel TEXT,
    "order" TEXT,
    reason TEXT NOT NULL,
    detail TEXT
) STRICT;

CREATE INDEX refused_request ON refused (request_id);
CREATE INDEX refused_order ON refused ("order") WHERE "order" IS NOT NULL;

-- Written to find out whether the disk works.
CREATE TABLE probe (id INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
