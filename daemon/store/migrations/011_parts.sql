-- Parts that wait for the rest of their message, by age. Reports that match nothing wait in the same state, thousands of them.
CREATE INDEX incoming_parts ON incoming (received_at) WHERE state = 0 AND kind = 0;
