-- What a pause of the queue lets through: messages of which parts are out, or may be (flag 256), however many others were tried before.
UPDATE messages SET flags = flags | 256 WHERE status IN (0, 1) AND segments > 1 AND last_attempt IS NOT NULL;
DROP INDEX messages_tried;
CREATE INDEX messages_begun ON messages (rank, id) WHERE status = 0 AND ready = 1 AND (flags & 256) <> 0;
