-- Version 4: looking in. Lists by everything that a list is filtered by, the latest first; numbers that need not be
-- counted; and who did what.

CREATE INDEX entry_list ON entry (
    state, channel, ifnull(reason, ''), origin, (transaction_id IS NOT NULL), received_at
);
DROP INDEX entry_origin;
CREATE INDEX refused_at ON refused (at, reason);
CREATE INDEX sweep_row_what ON sweep_row (sweep, what);

-- How many entries there are of what, of those that are done with, so that figures cost the same however many there are.
-- What is unfinished is counted by entry_due: it goes from state to state too often for this.
CREATE TABLE tally (
    -- accepted, parked, closed
    state TEXT NOT NULL,
    channel TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- whether WeChat Pay has confirmed a payment
    confirmed INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (state, channel, origin, confirmed)
) STRICT, WITHOUT ROWID;

-- What is done with is due at no time.
INSERT INTO tally (state, channel, origin, confirmed, entries)
SELECT state, channel, origin, transaction_id IS NOT NULL, count(*) FROM entry WHERE due_at IS NULL GROUP BY 1, 2, 3, 4;

CREATE TRIGGER entry_done_with AFTER UPDATE OF state, due_at, transaction_id ON entry
WHEN new.due_at IS NULL AND (old.due_at IS NOT NULL OR old.state <> new.state
    OR (old.transaction_id IS NULL) <> (new.transaction_id IS NULL)) BEGIN
    INSERT INTO tally (state, channel, origin, confirmed, entries)
    VALUES (new.state, new.channel, new.origin, new.transaction_id IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET entries = entries + 1;
END;

CREATE TRIGGER entry_taken_up AFTER UPDATE OF state, due_at, transaction_id ON entry
WHEN old.due_at IS NULL AND (new.due_at IS NOT NULL OR old.state <> new.state
    OR (old.transaction_id IS NULL) <> (new.transaction_id IS NULL)) BEGIN
    UPDATE tally SET entries = entries - 1
    WHERE state = old.state AND channel = old.channel AND origin = old.origin
        AND confirmed = (old.transaction_id IS NOT NULL);
END;

CREATE TRIGGER entry_came_done AFTER INSERT ON entry WHEN new.due_at IS NULL BEGIN
    INSERT INTO tally (state, channel, origin, confirmed, entries)
    VALUES (new.state, new.channel, new.origin, new.transaction_id IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET entries = entries + 1;
END;

CREATE TRIGGER entry_went AFTER DELETE ON entry WHEN old.due_at IS NULL BEGIN
    UPDATE tally SET entries = entries - 1
    WHERE state = old.state AND channel = old.channel AND origin = old.origin
        AND confirmed = (old.transaction_id IS NOT NULL);
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
