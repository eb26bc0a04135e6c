-- Version 5: what happened in each minute, how many entries there were in all, and no end of wrong tokens.

-- The callbacks that ended in a minute of the last day. Numbers are separated by blanks.
CREATE TABLE minute (
    -- when it began
    at INTEGER PRIMARY KEY,
    -- forwarded, refused, pending, parked, absorbed
    outcomes TEXT NOT NULL,
    -- paid, pending, unpaid, refunded, contradicted, unknown, none
    verdicts TEXT NOT NULL,
    -- by duration: up to 0.1 ms, 0.15, 0.2, 0.3, 0.5, 0.7, 1 and so on to 10 s, and longer
    latencies TEXT NOT NULL
) STRICT;

-- Of wrong tokens the latest are kept.
CREATE INDEX audit_refused ON audit (id) WHERE action = 'login-refused';

-- Entries that were removed: those that were ever taken in are these and those that are there.
CREATE TABLE forgotten (id INTEGER PRIMARY KEY CHECK (id = 1), entries INTEGER NOT NULL) STRICT;
INSERT INTO forgotten (id, entries) SELECT
    1, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0) - (SELECT count(*) FROM entry);
CREATE TRIGGER entry_forgotten AFTER DELETE ON entry BEGIN UPDATE forgotten SET entries = entries + 1; END;
