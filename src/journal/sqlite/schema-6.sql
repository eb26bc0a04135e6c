-- Version 6: whose payment it is, what an operator overrode, since when the gate is there, and bounds by bytes.

-- Which order a payment is for: the first whose number it was confirmed as. It outlives the entry.
CREATE TABLE payment_owner (
    transaction_id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    "order" TEXT NOT NULL,
    bound_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_owner_number ON payment_owner (out_trade_no, channel);
CREATE INDEX payment_owner_bound ON payment_owner (bound_at);

-- How much speaks for it that an entry's order is one, so that made-up callbacks hold up no others: 0 WeChat Pay knows it, or
-- it looks like what was confirmed; 1 nothing is known; 2 and 3 the same two, once WeChat Pay said that there is no such order.
-- Of what is delivered: 4 it was brought forward since its own timer tried it, 5 a person asked for it.
ALTER TABLE entry ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
UPDATE entry SET rank = 2 WHERE due_at IS NOT NULL AND reason = 'order-not-found' AND origin = 'callback';

DROP INDEX entry_due;
CREATE INDEX entry_due ON entry (state, channel, origin, rank, due_at) WHERE due_at IS NOT NULL;

-- Since when there is a journal, and how far its time has come.
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- when it was made; an older file was there when it took in its oldest entry. None while no clock is to be believed
    made_at INTEGER,
    -- the latest time at which a gate is known to have had it
    latest_at INTEGER
) STRICT;
INSERT INTO clock (id, made_at) SELECT 1, min(received_at) FROM entry;

-- When the clock was set, or no gate ran: time that was not spent. Only the latest are kept.
CREATE TABLE clock_step (
    id INTEGER PRIMARY KEY,
    old_at INTEGER NOT NULL,
    new_at INTEGER NOT NULL
) STRICT;

-- A schedule may want a day compared for one channel, and delivered for another.
DROP INDEX sweep_due;
CREATE UNIQUE INDEX sweep_due ON sweep (mch_id, bill_date, due_on, dry_run) WHERE due_on IS NOT NULL;

-- Bytes of an entry's request, head and body, as they stand in the table request; 0 where there is none.
ALTER TABLE entry ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
-- The body's length, where it stands deflated (RFC 1951).
ALTER TABLE request ADD COLUMN inflated INTEGER;
UPDATE entry SET bytes = (SELECT octet_length(target) + octet_length(headers) + octet_length(body) FROM request
    WHERE request.entry = entry.id) WHERE id IN (SELECT entry FROM request);
CREATE INDEX entry_unconfirmed_bytes ON entry (state, id, bytes)
    WHERE transaction_id IS NULL AND origin = 'callback' AND bytes > 0;
-- What has a request that goes after a time.
CREATE INDEX entry_content ON entry (state, since) WHERE due_at IS NULL AND bytes > 0;
CREATE INDEX delivery_answer ON delivery (accepted_at) WHERE answer_headers IS NOT NULL;

-- What a person decided of an order that is to be sent again (bits: 1 amount, 2 accepted, 4 second-payment), until it was; and
-- what the order costs, noted when another amount was paid, with whoever said so and since when.
ALTER TABLE entry ADD COLUMN overrides INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN expected_fee INTEGER;
ALTER TABLE entry ADD COLUMN expected_source TEXT;
ALTER TABLE entry ADD COLUMN expected_at INTEGER;
-- What waits for that decision, and was parked before this was noted.
UPDATE entry SET (expected_fee, expected_source, expected_at) = (
    SELECT total_fee, source, listed_at FROM listed
    WHERE listed.channel = entry.channel AND listed.out_trade_no = entry.out_trade_no AND listed.total_fee NOT NULL
    ORDER BY gone_at IS NOT NULL, listed_at LIMIT 1)
WHERE reason = 'expected-amount-differs';
-- Why somebody did it.
ALTER TABLE audit ADD COLUMN because TEXT;
