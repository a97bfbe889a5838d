-- ready = 2: held, because this database may be an older copy (daemon/store/witness.hpp). Such a row is in none of the queue's indexes.
CREATE INDEX messages_held ON messages (id) WHERE status = 0 AND ready = 2;
