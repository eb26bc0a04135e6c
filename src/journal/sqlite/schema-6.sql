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
