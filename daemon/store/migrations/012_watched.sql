-- One index for what is under way: a message on a modem stands at its end, where the next report to wait for goes in as well. An index of
-- open attempts beside it was a page more on the card with each message.
ALTER TABLE messages ADD COLUMN watched INTEGER GENERATED ALWAYS AS
    (CASE WHEN status = 1 THEN 9223372036854775807 ELSE report_until END) VIRTUAL;
CREATE INDEX messages_watched ON messages (watched, modem_index) WHERE watched IS NOT NULL;
DROP INDEX messages_reports;
DROP TRIGGER attempts_one_open;
DROP INDEX attempts_open;
CREATE TRIGGER attempts_one_open BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM messages m INDEXED BY messages_watched JOIN attempts a ON a.id = m.last_attempt
             WHERE m.watched = 9223372036854775807 AND m.modem_index = NEW.modem_index AND a.outcome IS NULL AND a.slot IS NULL)
BEGIN SELECT RAISE(ABORT, 'a submission of this modem is open'); END;
