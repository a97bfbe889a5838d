-- The order of the queue, where a recipient is, what is known of him, and sets of messages that go out one after the other.
ALTER TABLE messages ADD COLUMN twin INTEGER NOT NULL DEFAULT 0;  -- hash of the text, to find duplicates; 0: made before this, -1: inbound
ALTER TABLE messages ADD COLUMN state TEXT;                       -- of the recipient's address
ALTER TABLE messages ADD COLUMN time_zone TEXT;                   -- of the recipient's address
ALTER TABLE messages ADD COLUMN known TEXT;                       -- what the priority was made of; NULL: it was named by the caller
ALTER TABLE messages ADD COLUMN set_name TEXT;                    -- messages of a set (bubbles) to one number keep their order
ALTER TABLE messages ADD COLUMN after_id INTEGER;                 -- the message of the set that goes before this one
-- Lower goes first. Time counts against priority, so nobody waits for ever: 100 points are worth 4 hours, a class 24 hours; a due time in
-- the past wins 4 hours at most. What follows in a set that has begun goes before everything. The same numbers stand in daemon/analytics/priority.hpp.
ALTER TABLE messages ADD COLUMN rank INTEGER GENERATED ALWAYS AS
    (max(due_at, created_at - 14400000) - class * 86400000 - CAST(priority * 144000 AS INTEGER) - (after_id IS NOT NULL) * 8640000000) VIRTUAL;
UPDATE messages SET twin = -1 WHERE direction = 1;

DROP INDEX messages_ready;
CREATE INDEX messages_ready ON messages (lane, class, rank, id) WHERE status = 0 AND ready = 1;
-- Something of it was tried: what a pause of the queue lets through when it has begun.
CREATE INDEX messages_tried ON messages (rank, id) WHERE status = 0 AND ready = 1 AND last_attempt IS NOT NULL;
DROP INDEX messages_phone;
CREATE INDEX messages_phone ON messages (phone, twin, id);
-- What a number was sent, however much is queued for it.
CREATE INDEX messages_sent_to ON messages (phone, id) WHERE last_attempt IS NOT NULL;
CREATE INDEX messages_sets ON messages (phone, set_name, id) WHERE set_name IS NOT NULL;
CREATE INDEX messages_after ON messages (after_id) WHERE after_id IS NOT NULL;
