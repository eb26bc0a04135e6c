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
