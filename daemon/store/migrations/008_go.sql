-- ready = 3: due, and waits for the go of Supabase (gw_begin_v1). Flags: 32 it has it under this claim, 64 it may go while nobody can be asked.
ALTER TABLE messages ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;  -- of a claimed row, as it was read
CREATE INDEX messages_go ON messages (lane, class, rank, id) WHERE status = 0 AND ready = 3;
-- Claimed rows that have their go: as many as there are modems.
CREATE INDEX messages_ahead ON messages (id) WHERE status = 0 AND ready = 1 AND claim_epoch > 0;
UPDATE messages SET ready = 0 WHERE status = 0 AND ready = 1 AND scheduled_id IS NOT NULL AND claim_epoch > 0;
