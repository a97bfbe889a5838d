-- Times are milliseconds since 1970 UTC. Enum columns hold the numbers of daemon/core/message.hpp.

-- One row a message, outbound and inbound. Its parts are in the row itself, so that a step of a submission touches one page.
CREATE TABLE messages (
    id             INTEGER PRIMARY KEY,
    key            TEXT,                                    -- the caller's; NULL: derived from the id
    direction      INTEGER NOT NULL CHECK (direction IN (0, 1)),
    class          INTEGER NOT NULL CHECK (class BETWEEN 0 AND 2),
    phone          TEXT    NOT NULL,
    content        TEXT    NOT NULL,
    encoding       INTEGER NOT NULL DEFAULT 0,
    segments       INTEGER NOT NULL DEFAULT 1,
    status         INTEGER NOT NULL CHECK (status BETWEEN 0 AND 9 OR status IN (20, 21)),
    delivery       INTEGER NOT NULL DEFAULT 0 CHECK (delivery BETWEEN 0 AND 4),
    ready          INTEGER NOT NULL DEFAULT 0,              -- 1: due, waits for a modem alone
    lane           INTEGER NOT NULL DEFAULT 0,              -- bit mask of the modems that may take it, 0 = any
    priority       REAL    NOT NULL DEFAULT 50,
    due_at         INTEGER NOT NULL,
    not_before     INTEGER NOT NULL,                        -- when it is looked at again
    expires_at     INTEGER,
    created_at     INTEGER NOT NULL,
    modem_index    INTEGER,
    iccid          TEXT,
    retry_count    INTEGER NOT NULL DEFAULT 0,
    attempts_used  INTEGER NOT NULL DEFAULT 0,              -- those that count against max_attempts
    sent_at        INTEGER,
    delivered_at   INTEGER,
    modem_time     INTEGER,
    report_until   INTEGER,                                 -- a report is waited for until then
    cost           REAL    NOT NULL DEFAULT 0,
    reason         TEXT,
    reason_detail  TEXT,
    parts          TEXT    NOT NULL DEFAULT '',             -- seq:status:tp_mr:modem:attempts, separated by ';'
    flags          INTEGER NOT NULL DEFAULT 0,              -- 1 report wanted, 2 flash, 4 on_unknown = resend, 8 pinned to a modem
    in_reply_to    INTEGER,
    scheduled_id   INTEGER,
    claim_epoch    INTEGER NOT NULL DEFAULT 0,
    lease_until    INTEGER,                                 -- a claimed row may be sent until then
    campaign       TEXT,
    last_attempt   INTEGER,                                 -- newest row of attempts; each names the one before it
    claimed_by     TEXT,                                    -- inbox: the bot that has it
    claimed_until  INTEGER
);
CREATE UNIQUE INDEX messages_key ON messages (key) WHERE key IS NOT NULL;
CREATE INDEX messages_ready ON messages (lane, priority DESC, due_at, id) WHERE status = 0 AND ready = 1;
CREATE INDEX messages_waiting ON messages (not_before) WHERE status = 0 AND ready = 0;
CREATE INDEX messages_reports ON messages (report_until) WHERE report_until IS NOT NULL;
CREATE INDEX messages_phone ON messages (phone, id);
CREATE INDEX messages_unread ON messages (id) WHERE status = 20;
CREATE INDEX messages_lease ON messages (lease_until) WHERE status = 0 AND lease_until IS NOT NULL;
CREATE INDEX messages_scheduled ON messages (scheduled_id) WHERE scheduled_id IS NOT NULL;

-- The journal: a row is committed before AT+CMGS is written, and gets its outcome with the result.
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    message_id  INTEGER NOT NULL,
    previous    INTEGER,                                    -- the attempt before it of the same message: a chain needs no index
    seq         INTEGER NOT NULL,
    modem_index INTEGER NOT NULL,
    iccid       TEXT,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     INTEGER,                                    -- driver::Ending; NULL while it is open
    tp_mr       INTEGER,
    reason      TEXT
);
CREATE INDEX attempts_open ON attempts (modem_index) WHERE outcome IS NULL;

-- Every SMS that arrived, as it came. Durable before the modem's copy is deleted.
CREATE TABLE incoming (
    id          INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL UNIQUE,                    -- of sender, service-centre time, part and text
    kind        INTEGER NOT NULL,                           -- 0 message, 1 status report
    modem_index INTEGER NOT NULL,
    iccid       TEXT    NOT NULL,
    hex         TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    sender      TEXT    NOT NULL DEFAULT '',
    ref         INTEGER,                                    -- concatenation: reference (bit 16 set for 8-bit ones), total, sequence
    total       INTEGER NOT NULL DEFAULT 1,
    seq         INTEGER NOT NULL DEFAULT 1,
    state       INTEGER NOT NULL DEFAULT 0,                 -- 0 waits for other parts or its message, 1 done, 2 undecodable
    message_id  INTEGER
);
CREATE INDEX incoming_open ON incoming (sender, ref) WHERE state = 0;
CREATE INDEX incoming_message ON incoming (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE opt_outs (
    phone  TEXT PRIMARY KEY,
    active INTEGER NOT NULL,
    reason TEXT NOT NULL,
    actor  TEXT NOT NULL,
    at     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE consents (
    phone  TEXT PRIMARY KEY,
    active INTEGER NOT NULL,
    source TEXT NOT NULL,
    shown  TEXT NOT NULL DEFAULT '',
    actor  TEXT NOT NULL,
    at     INTEGER NOT NULL
) WITHOUT ROWID;

-- Who changed what. Opt-outs and consents are proved from here, so rows are never changed or deleted.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- What Supabase must still be told. A row shares the transaction of the fact that it tells.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL,                              -- 0 report, 1 inbound
    event_id TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    dead     TEXT                                           -- why it was refused for good
);
CREATE INDEX outbox_dead ON outbox (id) WHERE dead IS NOT NULL;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- A PIN is tried once on a SIM, ever.
CREATE TABLE pins (
    iccid    TEXT NOT NULL,
    pin_hash TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (iccid, pin_hash)
) WITHOUT ROWID;

-- The SIM that was accepted in each modem.
CREATE TABLE sims (
    modem_index INTEGER PRIMARY KEY,
    iccid       TEXT NOT NULL,
    at          INTEGER NOT NULL
);
