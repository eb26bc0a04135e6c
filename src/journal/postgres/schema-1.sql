-- Layout 1. The schema is always written out.
--
-- Every table that orders are in leads with `bucket`, the first byte of SHA-256 of the order id, so that all of an order stands
-- together and no statement on the way of a callback needs more than one. Times are milliseconds since 1970 by the database's
-- clock. Whoever holds something is an incarnation of a replica; what it holds is free when that one does not live.

-- Which layout this is, and the oldest one whose programs work with it; its one row is also the lock of who leads it on.
CREATE TABLE ~meta (
    id smallint PRIMARY KEY CHECK (id = 1),
    layout integer NOT NULL,
    works_with integer NOT NULL,
    made_at bigint NOT NULL,
    -- what codes of configurations are keyed by
    config_key bytea NOT NULL
);

-- The incarnations that live, and those that are gone for a day at most.
CREATE TABLE ~replica (
    incarnation bigint PRIMARY KEY,
    -- a small number that no other has that lives, which stands in the numbers of its entries
    slot smallint NOT NULL UNIQUE,
    name text NOT NULL,
    host text NOT NULL,
    process bigint NOT NULL,
    version text NOT NULL,
    generation bigint NOT NULL,
    config text NOT NULL,
    since bigint NOT NULL,
    seen_at bigint NOT NULL,
    -- until when it lives if nothing more is heard of it
    alive_until bigint NOT NULL,
    -- queries a second that it wanted lately, as JSON: {"MCH_ID": 12.5}
    wanted text NOT NULL,
    held bigint NOT NULL,
    clock_skew_ms bigint NOT NULL
);

-- What exactly one does at a time.
CREATE TABLE ~duty (
    name text PRIMARY KEY,
    holder bigint NOT NULL,
    since bigint NOT NULL
);

-- One claim on one route.
CREATE TABLE ~entry (
    bucket smallint NOT NULL,
    -- milliseconds since 2020, bucket, slot, count
    id bigint NOT NULL,
    key bytea NOT NULL,
    delivery uuid NOT NULL,
    request_id uuid NOT NULL,
    route text NOT NULL,
    channel text COLLATE "C" NOT NULL,
    "order" text COLLATE "C" NOT NULL,
    out_trade_no text COLLATE "C" NOT NULL,
    claimed_transaction_id text,
    claimed_total_fee bigint,
    claimed_fee_type text,
    -- callback; or sweep, pending for one that never called back
    origin text COLLATE "C" NOT NULL,
    -- when the order was made or paid, as the one that named it says
    created_at bigint,
    received_at bigint NOT NULL,
    -- asking, delivering, accepted, parked, closed
    state text COLLATE "C" NOT NULL,
    since bigint NOT NULL,
    -- why it is in this state; empty before anything is known
    reason text COLLATE "C" NOT NULL DEFAULT '',
    -- set while it is asking or delivering
    due_at bigint,
    -- who works on it
    holder bigint,
    -- how much speaks for it, as in SQLite's file
    rank smallint NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    asked_for boolean NOT NULL DEFAULT false,
    overrides smallint NOT NULL DEFAULT 0,
    -- the payment, once confirmed
    transaction_id text COLLATE "C",
    total_fee bigint,
    fee_type text,
    paid_at bigint,
    trade_state text,
    verified_at bigint,
    confirmed_at bigint,
    -- what the order cost by a source when another amount was paid
    expected_fee bigint,
    expected_source text,
    expected_at bigint,
    -- bytes of its request as it stands here; 0 where there is none
    bytes bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (bucket, "order", key),
    UNIQUE (bucket, id)
);

-- Not by bucket, since what is due is looked for over all of them, off the way of a callback.
CREATE INDEX entry_due ON ~entry (state, channel, origin, rank, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX entry_held ON ~entry (holder) WHERE holder IS NOT NULL;
CREATE INDEX entry_done ON ~entry (state, (bytes > 0), since) WHERE due_at IS NULL;
CREATE INDEX entry_unconfirmed ON ~entry (state, id, bytes) WHERE transaction_id IS NULL AND origin = 'callback';
-- The payment itself is included so that entries are counted in the index alone.
CREATE INDEX entry_list ON ~entry (state, channel, reason, origin, (transaction_id IS NOT NULL), received_at, id)
    INCLUDE (transaction_id);
CREATE INDEX entry_found ON ~entry (origin) WHERE origin <> 'callback';
CREATE INDEX entry_id ON ~entry (id);
CREATE INDEX entry_order ON ~entry ("order", id);
CREATE INDEX entry_out_trade_no ON ~entry (out_trade_no, id);
CREATE INDEX entry_transaction ON ~entry (transaction_id, id) WHERE transaction_id IS NOT NULL;
CREATE INDEX entry_request ON ~entry (request_id);
CREATE INDEX entry_delivery ON ~entry (delivery);

-- The request of an entry, to be sent again.
CREATE TABLE ~request (
    bucket smallint NOT NULL,
    entry bigint NOT NULL,
    peer text NOT NULL,
    tls boolean NOT NULL,
    method text NOT NULL,
    target text NOT NULL,
    headers bytea NOT NULL,
    body bytea NOT NULL,
    -- the body's length, where it stands deflated (RFC 1951)
    inflated bigint,
    PRIMARY KEY (bucket, entry)
);

-- An order on a route: what X-Tollgate-Delivery names.
CREATE TABLE ~delivery (
    bucket smallint NOT NULL,
    id uuid NOT NULL,
    "order" text COLLATE "C" NOT NULL,
    -- the highest number that was given to an attempt
    attempts bigint NOT NULL,
    -- the operation that gave that number, so that it is not done twice
    op bigint,
    -- who sends it now, where only one may, and the operation that began that turn
    sender bigint,
    turn bigint,
    accepted_at bigint,
    transaction_id text,
    answer_status integer,
    answer_headers bytea,
    answer_body bytea,
    PRIMARY KEY (bucket, id)
);

CREATE INDEX delivery_answer ON ~delivery (accepted_at) WHERE answer_headers IS NOT NULL;
CREATE INDEX delivery_sender ON ~delivery (sender) WHERE sender IS NOT NULL;

-- Every sending of a delivery, as far as each is worth a line.
CREATE TABLE ~attempt (
    bucket smallint NOT NULL,
    entry bigint NOT NULL,
    -- the operation that began it; ascending with time
    id bigint NOT NULL,
    attempt bigint NOT NULL,
    origin text NOT NULL,
    -- the name of the replica that sent it; none for one that was copied from a file
    replica text,
    began_at bigint NOT NULL,
    ended_at bigint,
    status integer,
    accepted boolean NOT NULL DEFAULT false,
    reason text,
    PRIMARY KEY (bucket, entry, id)
);

-- What happened to an entry besides.
CREATE TABLE ~event (
    bucket smallint NOT NULL,
    entry bigint NOT NULL,
    -- ascending with time
    id bigint NOT NULL,
    at bigint NOT NULL,
    -- found, again, asked-for, unparked, flagged
    what text NOT NULL,
    reason text,
    request_id uuid,
    replica text,
    PRIMARY KEY (bucket, entry, id)
);

CREATE INDEX event_request ON ~event (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX event_flagged ON ~event (reason) WHERE what = 'flagged';

-- Callbacks that were refused before they were taken in; nothing of their content.
CREATE TABLE ~refused (
    id bigint PRIMARY KEY,
    request_id uuid NOT NULL,
    at bigint NOT NULL,
    route text,
    channel text,
    "order" text,
    reason text NOT NULL,
    detail text
);

CREATE INDEX refused_at ON ~refused (at, reason);
CREATE INDEX refused_request ON ~refused (request_id);
CREATE INDEX refused_order ON ~refused ("order") WHERE "order" IS NOT NULL;

-- Which order a payment is for; its bucket is that of the payment's number. It outlives the entry.
CREATE TABLE ~payment_owner (
    bucket smallint NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    out_trade_no text COLLATE "C" NOT NULL,
    "order" text NOT NULL,
    bound_at bigint NOT NULL,
    PRIMARY KEY (bucket, transaction_id)
);

CREATE INDEX payment_owner_number ON ~payment_owner (out_trade_no, channel);
CREATE INDEX payment_owner_bound ON ~payment_owner (bound_at);

-- What sources of pending orders said; its bucket is that of out_trade_no, since a source may list it for another order than a
-- callback names.
CREATE TABLE ~listed (
    bucket smallint NOT NULL,
    channel text NOT NULL,
    out_trade_no text NOT NULL,
    source text NOT NULL,
    "order" text NOT NULL,
    total_fee bigint,
    listed_at bigint NOT NULL,
    gone_at bigint,
    PRIMARY KEY (bucket, channel, out_trade_no, source)
);

CREATE INDEX listed_source ON ~listed (source);
CREATE INDEX listed_gone ON ~listed (gone_at) WHERE gone_at IS NOT NULL;

-- How the sources of pending orders are.
CREATE TABLE ~source (
    name text PRIMARY KEY,
    read_at bigint,
    failed_at bigint,
    failures bigint NOT NULL DEFAULT 0,
    problem text,
    orders bigint NOT NULL DEFAULT 0,
    malformed bigint NOT NULL DEFAULT 0
);

-- One comparison of a merchant's bill of one day with what the upstream accepted.
CREATE TABLE ~sweep (
    -- 1, 2, 3 ..., since people name it
    id bigint PRIMARY KEY,
    -- what wanted it, so that it is not wanted twice
    op uuid NOT NULL UNIQUE,
    mch_id text NOT NULL,
    -- 2026-11-22, in Beijing
    bill_date text NOT NULL,
    -- separated by blanks
    channels text NOT NULL,
    -- the Beijing day whose schedule wanted it; none if an operator did
    due_on text,
    dry_run boolean NOT NULL,
    asked_at bigint NOT NULL,
    -- asked, running, done, failed
    state text NOT NULL DEFAULT 'asked',
    again_at bigint,
    began_at bigint,
    ended_at bigint,
    problem text,
    rows bigint NOT NULL DEFAULT 0,
    paid bigint NOT NULL DEFAULT 0,
    refunds bigint NOT NULL DEFAULT 0,
    others bigint NOT NULL DEFAULT 0,
    malformed bigint NOT NULL DEFAULT 0,
    not_ours bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    under_way bigint NOT NULL DEFAULT 0,
    parked bigint NOT NULL DEFAULT 0,
    unknown bigint NOT NULL DEFAULT 0,
    found bigint NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX sweep_due ON ~sweep (mch_id, bill_date, due_on, dry_run) WHERE due_on IS NOT NULL;

-- The rows of the bill behind a sweep's numbers, but for those that were accepted before.
CREATE TABLE ~sweep_row (
    sweep bigint NOT NULL,
    line bigint NOT NULL,
    -- found, under-way, parked, unknown-order, not-ours (the first of them only), malformed
    what text NOT NULL,
    channel text,
    "order" text,
    out_trade_no text,
    transaction_id text,
    total_fee bigint,
    fee_type text,
    refunded boolean NOT NULL DEFAULT false,
    entry bigint,
    detail text,
    PRIMARY KEY (sweep, line)
);

CREATE INDEX sweep_row_what ON ~sweep_row (sweep, what);
CREATE INDEX sweep_row_payment ON ~sweep_row (transaction_id) WHERE transaction_id IS NOT NULL;

-- What people did.
CREATE TABLE ~audit (
    id bigint PRIMARY KEY,
    at bigint NOT NULL,
    who text NOT NULL,
    came_from text NOT NULL,
    action text NOT NULL,
    channel text,
    "order" text,
    -- their numbers, separated by blanks
    entries text NOT NULL,
    outcome text,
    because text,
    replica text
);

CREATE INDEX audit_at ON ~audit (at);
CREATE INDEX audit_action ON ~audit (action, id);

-- The callbacks that ended in a minute of the last day in one replica. Numbers are separated by blanks.
CREATE TABLE ~minute (
    at bigint NOT NULL,
    incarnation bigint NOT NULL,
    -- what added to it last, so that it is not added twice
    op bigint NOT NULL,
    outcomes text NOT NULL,
    verdicts text NOT NULL,
    latencies text NOT NULL,
    PRIMARY KEY (at, incarnation)
);

-- Entries that one replica removed. Those that were ever taken in are these and those that are there.
CREATE TABLE ~forgotten (
    incarnation bigint PRIMARY KEY,
    entries bigint NOT NULL
);

-- How far the journal's time has come: when a gate was last known to work on it.
CREATE TABLE ~clock (
    id smallint PRIMARY KEY CHECK (id = 1),
    latest_at bigint NOT NULL
);

-- From when to when no gate worked on it: time that was not spent. Only the latest are kept.
CREATE TABLE ~clock_step (
    old_at bigint PRIMARY KEY,
    new_at bigint NOT NULL
);

-- Written to find out whether the database writes.
CREATE TABLE ~probe (
    incarnation bigint PRIMARY KEY,
    at bigint NOT NULL
);
