-- Version 4: looking in. Lists by everything that a list is filtered by, the latest first; numbers that need not be
-- counted; and who did what.

CREATE INDEX entry_list ON entry (
    state, channel, ifnull(reason, ''), origin, (transaction_id IS NOT NULL), received_at
);
DROP INDEX entry_origin;
CREATE INDEX refused_at ON refused (at, reason);
CREATE INDEX sweep_row_what ON sweep_row (sweep, what);

-- How many entries there are of what, so that figures cost the same however many there are.
CREATE TABLE tally (
    state TEXT NOT NULL,
    channel TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- whether WeChat Pay has confirmed a payment
    confirmed INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (state, channel, origin, confirmed)
) STRICT, WITHOUT ROWID;

INSERT INTO tally (state, channel, origin, confirmed, entries)
SELECT state, channel, origin, transaction_id IS NOT NULL, count(*) FROM entry GROUP BY 1, 2, 3, 4;

CREATE TRIGGER entry_came AFTER INSERT ON entry BEGIN
    INSERT INTO tally (state, channel, origin, confirmed, entries)
    VALUES (new.state, new.channel, new.origin, new.transaction_id IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET entries = entries + 1;
END;

CREATE TRIGGER entry_went AFTER DELETE ON entry BEGIN
    UPDATE tally SET entries = entries - 1
    WHERE state = old.state AND channel = old.channel AND origin = old.origin
        AND confirmed = (old.transaction_id IS NOT NULL);
END;

CREATE TRIGGER entry_goes_on AFTER UPDATE OF state, transaction_id ON entry
WHEN old.state <> new.state OR (old.transaction_id IS NULL) <> (new.transaction_id IS NULL) BEGIN
    UPDATE tally SET entries = entries - 1
    WHERE state = old.state AND channel = old.channel AND origin = old.origin
        AND confirmed = (old.transaction_id IS NOT NULL);
    INSERT INTO tally (state, channel, origin, confirmed, entries)
    VALUES (new.state, new.channel, new.origin, new.transaction_id IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET entries = entries + 1;
END;

-- What people did.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- token, session:NAME, local (no token is configured), cli:USER, nobody (a wrong token), sighup, file (a reload)
    who TEXT NOT NULL,
    -- an address, cli, or the configuration's path
    came_from TEXT NOT NULL,
    -- redeliver, park, unpark, query, login, login-refused, logout, reload, sweep
    action TEXT NOT NULL,
    channel TEXT,
    "order" TEXT,
    -- their numbers, separated by blanks
    entries TEXT NOT NULL,
    outcome TEXT
) STRICT;
