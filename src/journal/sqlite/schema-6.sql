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
