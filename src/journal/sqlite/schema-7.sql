-- Version 7: whatever changes entries adds up the numbers of `tally` and `forgotten` itself, once for many.
DROP TRIGGER entry_done_with;
DROP TRIGGER entry_taken_up;
DROP TRIGGER entry_came_done;
DROP TRIGGER entry_went;
DROP TRIGGER entry_forgotten;
