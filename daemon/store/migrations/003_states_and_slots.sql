-- journal = "modem": a part that goes out by AT+CMGW and AT+CMSS, and the slot that holds it until it is known to be empty again.
ALTER TABLE attempts ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN imei TEXT NOT NULL DEFAULT '';     -- whose memory "ME" is; "SM" is that of the ICCID
ALTER TABLE attempts ADD COLUMN pdu_hash INTEGER;                  -- of the octets that a modem leaves as they are
ALTER TABLE attempts ADD COLUMN slot_memory TEXT;
ALTER TABLE attempts ADD COLUMN slot INTEGER;                      -- -1: written perhaps, its place unknown
CREATE INDEX attempts_slots ON attempts (slot_memory) WHERE slot IS NOT NULL;

-- Which status may follow which (CONTRACT part 4): daemon/dispatch/states.cpp holds the same table, and a test compares them.
CREATE TABLE message_steps (
    old INTEGER NOT NULL,
    new INTEGER NOT NULL,
    PRIMARY KEY (old, new)
) WITHOUT ROWID;
INSERT INTO message_steps (old, new) VALUES
    (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (0, 8), (0, 9),  -- queued
    (1, 0), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 9),  -- sending
    (2, 3), (2, 4),  -- sent
    (4, 0), (4, 2), (4, 3),  -- undelivered
    (5, 0), (5, 2), (5, 3), (5, 4),  -- failed
    (6, 0), (6, 2), (6, 3), (6, 4),  -- expired
    (7, 0), (7, 2), (7, 3), (7, 4),  -- cancelled
    (8, 0), (8, 2), (8, 3), (8, 4),  -- suppressed
    (9, 0), (9, 2), (9, 3), (9, 4),  -- unknown
    (20, 21);  -- unread
CREATE TRIGGER messages_step BEFORE UPDATE OF status ON messages
WHEN NEW.status <> OLD.status AND NOT EXISTS (SELECT 1 FROM message_steps WHERE old = OLD.status AND new = NEW.status)
BEGIN SELECT RAISE(ABORT, 'no such step of a message'); END;
-- A final state is corrected by evidence once (flag 16). Back to the queue is a new round, and another matter.
CREATE TRIGGER messages_corrected_once BEFORE UPDATE OF status ON messages
WHEN NEW.status <> OLD.status AND NEW.status BETWEEN 2 AND 4
    AND (OLD.status BETWEEN 3 AND 8 OR (OLD.status IN (2, 9) AND OLD.delivery <> 1))
    AND ((OLD.flags & 16) <> 0 OR (NEW.flags & 16) = 0)
BEGIN SELECT RAISE(ABORT, 'a final state is corrected once'); END;
CREATE TRIGGER messages_delivery BEFORE UPDATE OF status, delivery ON messages
WHEN (NEW.status <> OLD.status OR NEW.delivery <> OLD.delivery)
    AND ((NEW.status = 3 AND NEW.delivery <> 2) OR (NEW.status = 4 AND NEW.delivery <> 3))
BEGIN SELECT RAISE(ABORT, 'status and delivery differ'); END;
-- At most one outcome a modem that a crash can leave open; what lies in a modem's own storage tells its outcome itself.
CREATE TRIGGER attempts_one_open BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM attempts WHERE modem_index = NEW.modem_index AND outcome IS NULL AND slot IS NULL)
BEGIN SELECT RAISE(ABORT, 'a submission of this modem is open'); END;
-- An outcome is never forgotten.
CREATE TRIGGER attempts_outcome BEFORE UPDATE OF outcome ON attempts
WHEN OLD.outcome IS NOT NULL AND (NEW.outcome IS NULL OR (NEW.outcome <> OLD.outcome AND NOT (OLD.outcome = 2 AND NEW.outcome = 0)))
BEGIN SELECT RAISE(ABORT, 'an outcome is corrected from ambiguous to accepted alone'); END;
