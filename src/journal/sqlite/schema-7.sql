-- Version 7: whatever changes entries adds up the numbers of `tally` and `forgotten` itself, once for many.
DROP TRIGGER entry_done_with;
DROP TRIGGER entry_taken_up;
DROP TRIGGER entry_came_done;
DROP TRIGGER entry_went;
DROP TRIGGER entry_forgotten;

-- Two indexes instead of four, one for those with a request and those without: what may give way, and what is forgotten.
DROP INDEX entry_unconfirmed;
DROP INDEX entry_unconfirmed_bytes;
-- Origin and payment are there to be counted by the index alone.
CREATE INDEX entry_unconfirmed ON entry (state, (bytes > 0), id, bytes, origin, transaction_id)
    WHERE transaction_id IS NULL AND origin = 'callback';
DROP INDEX entry_done;
DROP INDEX entry_content;
CREATE INDEX entry_done ON entry (state, (bytes > 0), since) WHERE due_at IS NULL;
