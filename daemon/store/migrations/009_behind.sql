-- What waits behind another message to its number, to be looked at as soon as that one is settled.
CREATE INDEX messages_behind ON messages (phone, class, id) WHERE status = 0 AND ready = 0 AND reason = 'recipient-order';
