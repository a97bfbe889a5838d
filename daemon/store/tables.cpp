#include "daemon/store/tables.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

#include "daemon/store/messages.hpp"

namespace conductor::store {
namespace {

#define ATTEMPT_COLUMNS                                                                                                         \
    "id, message_id, seq, modem_index, iccid, started_at, ended_at, outcome, tp_mr, reason, previous, stored, imei, pdu_hash, " \
    "slot_memory, slot"
#define INCOMING_COLUMNS "id, fingerprint, kind, modem_index, iccid, hex, received_at, sender, ref, total, seq, state, message_id"

AttemptRow read_attempt(const Rows& q) {
    return {.id = q.i64(0),
            .message = MessageId{q.i64(1)},
            .seq = q.i32(2),
            .modem_index = q.i32(3),
            .iccid = q.text(4),
            .started_at = q.time(5),
            .ended_at = q.opt_time(6),
            .outcome = q.opt_i32(7),
            .tp_mr = q.opt_i32(8),
            .reason = q.opt_text(9),
            .previous = q.opt_i64(10),
            .stored = q.flag(11),
            .imei = q.text(12),
            .pdu_hash = q.opt_i64(13),
            .slot_memory = q.opt_text(14),
            .slot = q.opt_i32(15)};
}

IncomingRow read_incoming(const Rows& q) {
    IncomingRow row{.id = q.i64(0),
                    .fingerprint = q.i64(1),
                    .kind = q.i32(2),
                    .modem_index = q.i32(3),
                    .iccid = q.text(4),
                    .hex = q.text(5),
                    .received_at = q.time(6),
                    .sender = q.text(7),
                    .ref = q.opt_i32(8),
                    .total = q.i32(9),
                    .seq = q.i32(10),
                    .state = q.i32(11),
                    .message = {}};
    if (const auto id = q.opt_i64(12)) row.message = MessageId{*id};
    return row;
}

template <class Row, Row (*Read)(const Rows&)>
std::vector<Row> collect(Rows rows) {
    std::vector<Row> out;
    while (rows.next()) out.push_back(Read(rows));
    return out;
}
constexpr auto attempts = collect<AttemptRow, read_attempt>;
constexpr auto incoming = collect<IncomingRow, read_incoming>;

}  // namespace

std::int64_t open_attempt(Tx& tx, const AttemptRow& r) {
    tx.run(
        "INSERT INTO attempts (message_id, seq, modem_index, iccid, started_at, previous, stored, imei, pdu_hash, slot_memory)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        r.message, r.seq, r.modem_index, r.iccid, r.started_at, r.previous, r.stored, r.imei, r.pdu_hash, r.slot_memory);
    return tx.last_id();
}

void set_slot(Tx& tx, std::int64_t id, std::string_view memory, int slot) {
    tx.run("UPDATE attempts SET slot_memory = ?, slot = ? WHERE id = ?", memory, slot, id);
}

void clear_slot(Tx& tx, std::int64_t id) {
    tx.run("UPDATE attempts SET slot = NULL WHERE id = ?", id);
}

void not_stored(Tx& tx, std::int64_t id) {
    tx.run("UPDATE attempts SET stored = 0, slot_memory = NULL, slot = NULL WHERE id = ?", id);
}

std::vector<AttemptRow> attempts_in(Tx& tx, std::string_view memory, std::string_view owner) {
    return attempts(tx.query("SELECT " ATTEMPT_COLUMNS
                             " FROM attempts INDEXED BY attempts_slots WHERE slot IS NOT NULL AND slot_memory = ?1"
                             " AND CASE slot_memory WHEN 'SM' THEN iccid ELSE imei END = ?2 ORDER BY id DESC",
                             memory, owner));
}

bool accepted_since(Tx& tx, const AttemptRow& attempt) {
    Rows q = tx.query("SELECT 1 FROM attempts WHERE id > ? AND outcome = 0 AND modem_index = ? AND imei = ? AND iccid = ? LIMIT 1",
                      attempt.id, attempt.modem_index, attempt.imei, attempt.iccid);
    return q.next();
}

void close_attempt(Tx& tx, std::int64_t id, WallTime at, int outcome, std::optional<int> tp_mr, std::string_view reason) {
    tx.run("UPDATE attempts SET ended_at = ?, outcome = ?, tp_mr = ?, reason = ? WHERE id = ?", at, outcome, tp_mr,
           reason.empty() ? std::nullopt : std::optional{reason}, id);
}

void name_attempt(Tx& tx, std::int64_t id, int tp_mr) {
    tx.run("UPDATE attempts SET tp_mr = ? WHERE id = ?", tp_mr, id);
}

std::optional<AttemptRow> find_attempt(Tx& tx, std::int64_t id) {
    Rows q = tx.query("SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE id = ?", id);
    return q.next() ? std::optional{read_attempt(q)} : std::nullopt;
}

std::vector<AttemptRow> open_attempts(Tx& tx) {
    return attempts(
        tx.query("WITH RECURSIVE chain(id) AS (SELECT last_attempt FROM messages INDEXED BY messages_watched WHERE watched = ?"
                 " UNION SELECT a.previous FROM chain JOIN attempts a ON a.id = chain.id WHERE a.previous IS NOT NULL)"
                 " SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE outcome IS NULL AND id IN"
                 " (SELECT id FROM chain UNION SELECT id FROM attempts INDEXED BY attempts_slots WHERE slot IS NOT NULL) ORDER BY id",
                 watched_on_modem));
}

std::vector<AttemptRow> attempt_chain(Tx& tx, std::optional<std::int64_t> last) {
    std::vector<AttemptRow> chain;
    for (auto id = last; id;) {
        auto row = find_attempt(tx, *id);
        if (!row) break;
        id = row->previous;
        chain.insert(chain.begin(), std::move(*row));
    }
    return chain;
}

std::vector<AttemptRow> attempts_since(Tx& tx, WallTime since, int limit) {
    std::vector<AttemptRow> out;
    for (Rows q = tx.query("SELECT " ATTEMPT_COLUMNS " FROM attempts ORDER BY id DESC LIMIT ?", limit); q.next();) {
        if (q.time(5) < since) break;
        out.push_back(read_attempt(q));
    }
    return out;
}

std::vector<AttemptRow> attempts_to(Tx& tx, std::string_view phone, WallTime since, int messages) {
    std::vector<std::int64_t> last;
    for (Rows q = tx.query("SELECT last_attempt FROM messages WHERE phone = ? AND last_attempt IS NOT NULL ORDER BY id DESC LIMIT ?", phone,
                           messages);
         q.next();)
        last.push_back(q.i64(0));
    std::vector<AttemptRow> out;
    for (const auto id : last)
        for (AttemptRow& a : attempt_chain(tx, id))
            if (a.started_at >= since) out.push_back(std::move(a));
    std::ranges::sort(out, std::ranges::greater{}, &AttemptRow::id);
    return out;
}

PartsOfSims parts_of_sims(Tx& tx, WallTime now, std::chrono::milliseconds reach, int most, std::int64_t after) {
    PartsOfSims parts{.sims = {}, .newest = after};
    if (most <= 0) return parts;
    constexpr int not_sent = 3;  // driver::Ending
    std::optional<WallTime> newest;
    for (Rows q = tx.query("SELECT started_at, iccid, id, outcome IS ? FROM attempts WHERE id > ? ORDER BY id DESC", not_sent, after);
         q.next();) {
        if (!newest) {
            newest = q.time(0);
            parts.newest = q.i64(2);
        }
        if (q.time(0) < std::min(now, *newest) - reach) break;
        if (q.flag(3)) continue;
        auto& times = parts.sims[q.text(1)];
        if (times.size() < static_cast<std::size_t>(most)) times.push_back(q.time(0));
    }
    return parts;
}

bool insert_incoming(Tx& tx, IncomingRow& r) {
    const auto changed = tx.run(
        "INSERT INTO incoming (fingerprint, kind, modem_index, iccid, hex, received_at, sender, ref, total, seq, state, message_id)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (fingerprint) DO NOTHING",
        r.fingerprint, r.kind, r.modem_index, r.iccid, r.hex, r.received_at, r.sender, r.ref, r.total, r.seq, r.state, r.message);
    if (changed == 0) return false;
    r.id = tx.last_id();
    return true;
}

std::optional<std::string> incoming_octets(Tx& tx, std::int64_t fingerprint) {
    Rows q = tx.query("SELECT hex FROM incoming WHERE fingerprint = ?", fingerprint);
    return q.next() ? std::optional{q.text(0)} : std::nullopt;
}

std::vector<IncomingRow> open_parts(Tx& tx, std::string_view sender, int ref) {
    return incoming(tx.query(
        "SELECT " INCOMING_COLUMNS " FROM incoming WHERE state = 0 AND kind = 0 AND sender = ? AND ref = ? ORDER BY id", sender, ref));
}

std::vector<IncomingRow> stale_parts(Tx& tx, WallTime before, int limit) {
    return incoming(tx.query("SELECT " INCOMING_COLUMNS
                             " FROM incoming INDEXED BY incoming_parts WHERE state = 0 AND kind = 0 AND received_at < ?"
                             " ORDER BY received_at, id LIMIT ?",
                             before, limit));
}

void finish_incoming(Tx& tx, std::int64_t id, int state, std::optional<MessageId> message) {
    tx.run("UPDATE incoming SET state = ?, message_id = ? WHERE id = ?", state, message ? std::optional{message->value} : std::nullopt, id);
}

std::vector<IncomingRow> unmatched_reports(Tx& tx, std::string_view sender, int limit) {
    return incoming(tx.query(
        "SELECT " INCOMING_COLUMNS " FROM incoming WHERE state = 0 AND kind = 1 AND sender = ? ORDER BY id DESC LIMIT ?", sender, limit));
}

bool any_unmatched_report(Tx& tx, std::string_view sender) {
    return tx.query("SELECT 1 FROM incoming WHERE state = 0 AND kind = 1 AND sender = ? LIMIT 1", sender).next();
}

std::vector<IncomingRow> matched_reports(Tx& tx, std::string_view iccid, int limit) {
    // no subquery: SQLite would read and sort all of what it yields
    return incoming(tx.query("SELECT " INCOMING_COLUMNS " FROM incoming WHERE id > (SELECT max(id) FROM incoming) - 1000 AND kind = 1"
                             " AND state = 1 AND iccid = ? AND message_id IS NOT NULL ORDER BY id DESC LIMIT ?",
                             iccid, limit));
}

std::optional<OptOutRow> find_opt_out(Tx& tx, std::string_view phone) {
    Rows q = tx.query("SELECT phone, active, reason, actor, at FROM opt_outs WHERE phone = ?", phone);
    if (!q.next()) return std::nullopt;
    return OptOutRow{q.text(0), q.flag(1), q.text(2), q.text(3), q.time(4)};
}

std::vector<OptOutRow> all_opt_outs(Tx& tx) {
    std::vector<OptOutRow> out;
    for (Rows q = tx.query("SELECT phone, active, reason, actor, at FROM opt_outs WHERE active = 1 ORDER BY at DESC"); q.next();)
        out.push_back({q.text(0), q.flag(1), q.text(2), q.text(3), q.time(4)});
    return out;
}

namespace {

/// "<number> <active> <time>", appended and durable. Where the disk refuses that, it refuses the commit as well.
void keep_opt_out(const std::string& file, const OptOutRow& r) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    const std::string line = fmt::format("\n{} {} {}\n", r.phone, int{r.active}, to_ms(r.at));  // behind a line that was cut off, too
    if (::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size())) ::fdatasync(fd);
    ::close(fd);
}

}  // namespace

std::vector<OptOutRow> kept_opt_outs(const std::string& file) {
    std::map<std::string, OptOutRow> last;
    std::ifstream in{file};
    for (std::string line; std::getline(in, line);) {
        const auto first = line.find(' '), second = line.find(' ', first + 1);
        if (first == line.npos || second != first + 2) continue;
        std::int64_t at = 0;
        if (std::from_chars(line.data() + second + 1, line.data() + line.size(), at).ec != std::errc{}) continue;
        OptOutRow row{
            .phone = line.substr(0, first), .active = line[first + 1] == '1', .reason = "stop", .actor = "restored", .at = from_ms(at)};
        last[row.phone] = std::move(row);
    }
    std::vector<OptOutRow> rows;
    for (auto& [phone, row] : last) rows.push_back(std::move(row));
    return rows;
}

int take_back_opt_outs(Tx& tx, const std::vector<OptOutRow>& kept) {
    int taken = 0;
    for (const auto& row : kept) {
        if (!row.active) continue;
        const auto known = find_opt_out(tx, row.phone);
        if (known && (known->active || known->at >= row.at)) continue;
        set_opt_out(tx, row);
        ++taken;
    }
    return taken;
}

void set_opt_out(Tx& tx, const OptOutRow& r) {
    if (!tx.opt_outs_file().empty()) keep_opt_out(tx.opt_outs_file(), r);
    tx.run(
        "INSERT INTO opt_outs (phone, active, reason, actor, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (phone) DO UPDATE SET active = excluded.active, reason = excluded.reason, actor = excluded.actor, at = excluded.at",
        r.phone, r.active, r.reason, r.actor, r.at);
    audit(tx, r.at, r.actor, r.active ? "opt-out" : "opt-in", r.phone, r.reason);
}

std::optional<ConsentRow> find_consent(Tx& tx, std::string_view phone) {
    Rows q = tx.query("SELECT phone, active, source, shown, actor, at FROM consents WHERE phone = ?", phone);
    if (!q.next()) return std::nullopt;
    return ConsentRow{q.text(0), q.flag(1), q.text(2), q.text(3), q.text(4), q.time(5)};
}

void set_consent(Tx& tx, const ConsentRow& r) {
    tx.run(
        "INSERT INTO consents (phone, active, source, shown, actor, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (phone) DO UPDATE SET active = excluded.active, source = excluded.source, shown = excluded.shown,"
        " actor = excluded.actor, at = excluded.at",
        r.phone, r.active, r.source, r.shown, r.actor, r.at);
    audit(tx, r.at, r.actor, r.active ? "consent" : "consent-revoked", r.phone, r.source + (r.shown.empty() ? "" : ": " + r.shown));
}

void audit(Tx& tx, WallTime at, std::string_view actor, std::string_view action, std::string_view target, std::string_view detail) {
    tx.run("INSERT INTO audit (at, actor, action, target, detail) VALUES (?, ?, ?, ?, ?)", at, actor, action, target, detail);
}

void push_outbox(Tx& tx, Stream stream, std::string_view event_id, std::string_view body) {
    tx.run("INSERT INTO outbox (stream, event_id, body) VALUES (?, ?, ?)", stream, event_id, body);
}

std::vector<OutboxRow> peek_outbox(Tx& tx, Stream stream, int limit, std::size_t bytes) {
    std::vector<OutboxRow> out;
    std::size_t total = 0;
    for (Rows q = tx.query("SELECT id, event_id, body FROM outbox INDEXED BY outbox_open WHERE stream = ? AND dead IS NULL"
                           " ORDER BY id LIMIT ?",
                           stream, limit);
         q.next();) {
        out.push_back({q.i64(0), q.text(1), q.text(2)});
        total += out.back().body.size();
        if (total > bytes) break;
    }
    return out;
}

void drop_outbox(Tx& tx, std::int64_t id) {
    tx.run("DELETE FROM outbox WHERE id = ?", id);
}
void bury_outbox(Tx& tx, std::int64_t id, std::string_view why) {
    tx.run("UPDATE outbox SET dead = ? WHERE id = ?", why, id);
}

OutboxCount count_outbox(Tx& tx) {
    Rows q = tx.query(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox INDEXED BY outbox_open WHERE dead IS NULL LIMIT ?1)),"
        " (SELECT count(*) FROM outbox INDEXED BY outbox_dead WHERE dead IS NOT NULL)",
        OutboxCount::most);
    if (!q.next()) return {};
    return {.waiting = q.i64(0), .dead = q.i64(1)};
}

std::int64_t forget_dead_outbox(Tx& tx, std::int64_t kept, int limit) {
    return tx.run(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_dead WHERE dead IS NOT NULL"
        " ORDER BY id DESC LIMIT ?2 OFFSET ?1)",
        kept, limit);
}

std::optional<WallTime> newest_time(Tx& tx) {
    Rows q = tx.query(
        "SELECT max(t) FROM (SELECT (SELECT created_at FROM messages ORDER BY id DESC LIMIT 1) AS t"
        " UNION ALL SELECT (SELECT max(started_at, ifnull(ended_at, 0)) FROM attempts ORDER BY id DESC LIMIT 1)"
        " UNION ALL SELECT (SELECT received_at FROM incoming ORDER BY id DESC LIMIT 1)"
        " UNION ALL SELECT (SELECT at FROM audit ORDER BY id DESC LIMIT 1))");
    return q.next() ? q.opt_time(0) : std::nullopt;
}

std::optional<std::string> get_setting(Tx& tx, std::string_view name) {
    Rows q = tx.query("SELECT value FROM settings WHERE name = ?", name);
    return q.next() ? std::optional{q.text(0)} : std::nullopt;
}

void set_setting(Tx& tx, std::string_view name, std::string_view value) {
    tx.run("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value);
}

std::optional<PinOutcome> pin_try(Tx& tx, std::string_view sim, std::string_view pin_hash) {
    Rows q = tx.query("SELECT outcome FROM pins WHERE iccid = ? AND pin_hash = ?", sim, pin_hash);
    return q.next() ? std::optional{static_cast<PinOutcome>(q.i64(0))} : std::nullopt;
}

void set_pin_try(Tx& tx, std::string_view sim, std::string_view pin_hash, WallTime at) {
    tx.run(
        "INSERT INTO pins (iccid, pin_hash, at, outcome) VALUES (?, ?, ?, 0) ON CONFLICT (iccid, pin_hash) DO UPDATE SET "
        "at = excluded.at, outcome = 0",
        sim, pin_hash, at);
}

void set_pin_outcome(Tx& tx, std::string_view sim, std::string_view pin_hash, PinOutcome outcome) {
    tx.run("UPDATE pins SET outcome = ? WHERE iccid = ? AND pin_hash = ?", static_cast<int>(outcome), sim, pin_hash);
}

void forget_pin_try(Tx& tx, std::string_view sim, std::string_view pin_hash) {
    tx.run("DELETE FROM pins WHERE iccid = ? AND pin_hash = ?", sim, pin_hash);
}

bool any_pin_try(Tx& tx, std::string_view sim) {
    return tx.query("SELECT 1 FROM pins WHERE iccid = ? LIMIT 1", sim).next();
}

std::optional<std::string> sim_of(Tx& tx, ModemIndex modem) {
    Rows q = tx.query("SELECT iccid FROM sims WHERE modem_index = ?", modem);
    return q.next() ? std::optional{q.text(0)} : std::nullopt;
}

void set_sim(Tx& tx, ModemIndex modem, std::string_view iccid, WallTime at) {
    tx.run(
        "INSERT INTO sims (modem_index, iccid, at) VALUES (?, ?, ?) ON CONFLICT (modem_index) DO UPDATE SET iccid = excluded.iccid, at = "
        "excluded.at",
        modem, iccid, at);
}

#undef ATTEMPT_COLUMNS
#undef INCOMING_COLUMNS

}  // namespace conductor::store
