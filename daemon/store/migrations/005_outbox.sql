-- What waits for Supabase is found without passing what waits for its other stream, or was refused for good.
CREATE INDEX outbox_open ON outbox (stream, id) WHERE dead IS NULL;
