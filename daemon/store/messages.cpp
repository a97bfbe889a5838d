#include "daemon/store/messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace conductor::store {
namespace {

#define MESSAGE_COLUMNS                                                                                                               \
    "id, key, direction, class, phone, content, encoding, segments, status, delivery, ready, lane, priority, due_at, not_before, "    \
    "expires_at, created_at, modem_index, iccid, retry_count, attempts_used, sent_at, delivered_at, modem_time, report_until, "       \
    "cost, reason, reason_detail, parts, flags, in_reply_to, scheduled_id, claim_epoch, campaign, last_attempt, lease_until, state, " \
    "time_zone, "                                                                                                                     \
    "known, set_name, after_id, revision"

constexpr std::int64_t flag_report = 1, flag_flash = 2, flag_resend = 4, flag_pinned = 8, flag_corrected = 16, flag_begun = 32,
                       flag_offline_ok = 64, flag_ages = 128, flag_parts_out = 256;
constexpr int single_table_at = 12, locking_table_at = 16;                // in flags, four bits each
constexpr int ready_no = 0, ready_yes = 1, ready_held = 2, ready_go = 3;  // column ready

int ready_of(const MessageRow& r) {
    if (r.held && r.status == MessageStatus::queued) return ready_held;
    if (!r.ready) return ready_no;
    return r.needs_go() && r.status == MessageStatus::queued ? ready_go : ready_yes;
}

std::int64_t flags_of(const MessageRow& r) {
    return (r.report_wanted ? flag_report : 0) | (r.flash ? flag_flash : 0) | (r.on_unknown == OnUnknown::resend ? flag_resend : 0) |
           (r.pinned ? flag_pinned : 0) | (r.corrected ? flag_corrected : 0) | (r.begun ? flag_begun : 0) |
           (r.offline_ok ? flag_offline_ok : 0) | (r.ages ? flag_ages : 0) |
           (std::ranges::any_of(r.parts, [](const Part& p) { return p.status != PartStatus::waiting; }) ? flag_parts_out : 0) |
           std::int64_t{r.single_table & 15} << single_table_at | std::int64_t{r.locking_table & 15} << locking_table_at;
}

MessageRow read(const Rows& q) {
    MessageRow r;
    int c = 0;
    r.id = MessageId{q.i64(c++)};
    if (auto key = q.opt_text(c++)) {
        r.key = *key;
        r.keyed = true;
    }
    r.direction = q.as<Direction>(c++);
    r.message_class = q.as<MessageClass>(c++);
    r.phone_number = q.text(c++);
    r.content = q.text(c++);
    r.encoding = q.as<Encoding>(c++);
    r.segments = q.i32(c++);
    r.status = q.as<MessageStatus>(c++);
    r.delivery_status = q.as<DeliveryStatus>(c++);
    const auto ready = q.i64(c++);
    r.ready = ready == ready_yes || ready == ready_go;
    r.held = ready == ready_held;
    r.lane = static_cast<std::uint64_t>(q.i64(c++));
    r.priority = q.real(c++);
    r.due_at = q.time(c++);
    r.not_before = q.time(c++);
    r.expires_at = q.opt_time(c++);
    r.timestamp = q.time(c++);
    r.modem_index = q.opt_i32(c++);
    r.iccid = q.opt_text(c++);
    r.retry_count = q.i32(c++);
    r.attempts_used = q.i32(c++);
    r.sent_at = q.opt_time(c++);
    r.delivered_at = q.opt_time(c++);
    r.modem_timestamp = q.opt_time(c++);
    r.report_until = q.opt_time(c++);
    r.cost = q.real(c++);
    r.reason = q.opt_text(c++);
    r.reason_text = q.opt_text(c++);
    r.parts = unpack_parts(q.text(c++));
    const auto flags = q.i64(c++);
    r.report_wanted = (flags & flag_report) != 0;
    r.flash = (flags & flag_flash) != 0;
    r.pinned = (flags & flag_pinned) != 0;
    r.corrected = (flags & flag_corrected) != 0;
    r.begun = (flags & flag_begun) != 0;
    r.offline_ok = (flags & flag_offline_ok) != 0;
    r.ages = (flags & flag_ages) != 0;
    r.single_table = static_cast<std::uint8_t>(flags >> single_table_at & 15);
    r.locking_table = static_cast<std::uint8_t>(flags >> locking_table_at & 15);
    r.on_unknown = (flags & flag_resend) ? OnUnknown::resend : OnUnknown::hold;
    if (const auto reply = q.opt_i64(c++)) r.in_reply_to = MessageId{*reply};
    r.scheduled_message_id = q.opt_i64(c++);
    r.claim_epoch = q.i64(c++);
    r.campaign_name = q.opt_text(c++);
    r.last_attempt = q.opt_i64(c++);
    r.lease_until = q.opt_time(c++);
    r.state = q.opt_text(c++);
    r.time_zone = q.opt_text(c++);
    r.known = q.opt_text(c++);
    r.set_name = q.opt_text(c++);
    if (const auto after = q.opt_i64(c++)) r.after = MessageId{*after};
    r.revision = q.i64(c++);
    r.stored_status = r.status;
    r.stored_delivery = r.delivery_status;
    r.stored_seldom = r.seldom();
    if (r.status == MessageStatus::queued) r.next_attempt_at = r.not_before;
    return r;
}

std::vector<MessageRow> read_all(Rows rows) {
    std::vector<MessageRow> out;
    while (rows.next()) out.push_back(read(rows));
    return out;
}

std::optional<MessageRow> read_one(Rows rows) {
    if (!rows.next()) return std::nullopt;
    return read(rows);
}

constexpr std::int64_t inbound_twin = -1, unhashed_twin = 0;

/// FNV-1a, 31 bits, never one of the two above: it keeps the index small, the text itself is compared afterwards.
std::int64_t twin_of(std::string_view content) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : content) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return 1 + static_cast<std::int64_t>((hash ^ hash >> 32) & 0x7fffffff);
}

}  // namespace

std::string pack_parts(const std::vector<Part>& parts) {
    std::string out;
    for (const Part& p : parts)
        out += fmt::format("{}{}:{}:{}:{}:{}", out.empty() ? "" : ";", p.seq, static_cast<int>(p.status), p.tp_mr.value_or(-1),
                           p.modem_index.value_or(-1), p.attempts);
    return out;
}

std::vector<Part> unpack_parts(std::string_view text) {
    std::vector<Part> parts;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        int field[5] = {0, 0, -1, -1, 0};
        for (int& value : field) {
            at = std::from_chars(at, end, value).ptr;
            if (at < end) ++at;  // ':' or ';'
        }
        Part part{.seq = field[0], .status = static_cast<PartStatus>(field[1]), .tp_mr = {}, .modem_index = {}, .attempts = field[4]};
        if (field[2] >= 0) part.tp_mr = field[2];
        if (field[3] >= 0) part.modem_index = field[3];
        parts.push_back(part);
    }
    return parts;
}

void insert(Tx& tx, MessageRow& r) {
    const auto reply = r.in_reply_to ? std::optional{r.in_reply_to->value} : std::nullopt;
    tx.run(
        "INSERT INTO messages (key, direction, class, phone, content, encoding, segments, status, delivery, ready, lane, priority, due_at,"
        " not_before, expires_at, created_at, modem_index, iccid, modem_time, reason, reason_detail, parts, flags, in_reply_to,"
        " scheduled_id, claim_epoch, campaign, lease_until, twin, state, time_zone, known, set_name, after_id, revision, room)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,CASE WHEN ? THEN zeroblob(48) END)",
        r.keyed ? std::optional{r.key} : std::nullopt, r.direction, r.message_class, r.phone_number, r.content, r.encoding, r.segments,
        r.status, r.delivery_status, ready_of(r), r.lane, r.priority, r.due_at.value_or(r.timestamp), r.not_before, r.expires_at,
        r.timestamp, r.modem_index, r.iccid, r.modem_timestamp, r.reason, r.reason_text, pack_parts(r.parts), flags_of(r), reply,
        r.scheduled_message_id, r.claim_epoch, r.campaign_name, r.lease_until,
        r.direction == Direction::inbound ? inbound_twin : twin_of(r.content), r.state, r.time_zone, r.known, r.set_name, r.after,
        r.revision, r.status == MessageStatus::queued);
    r.id = MessageId{tx.last_id()};
}

std::optional<MessageRow> find(Tx& tx, MessageId id) {
    return read_one(tx.query("SELECT " MESSAGE_COLUMNS " FROM messages WHERE id = ?", id));
}

std::optional<MessageRow> find_by_key(Tx& tx, std::string_view key) {
    return read_one(tx.query("SELECT " MESSAGE_COLUMNS " FROM messages WHERE key = ?", key));
}

std::optional<MessageRow> find_by_scheduled(Tx& tx, std::int64_t scheduled_id) {
    return read_one(tx.query("SELECT " MESSAGE_COLUMNS " FROM messages WHERE scheduled_id = ? ORDER BY id DESC LIMIT 1", scheduled_id));
}

std::vector<MessageRow> leases_ending(Tx& tx, WallTime before, int limit) {
    return read_all(
        tx.query("SELECT " MESSAGE_COLUMNS
                 " FROM messages INDEXED BY messages_lease WHERE status = 0 AND lease_until IS NOT NULL AND lease_until < ? LIMIT ?",
                 before, limit));
}

void set_last_attempt(Tx& tx, MessageId id, std::int64_t attempt) {
    tx.run("UPDATE messages SET last_attempt = ? WHERE id = ?", attempt, id);
}

void update(Tx& tx, MessageRow& r) {
    tx.run(
        "UPDATE messages SET status=?, delivery=?, ready=?, not_before=?, modem_index=?, iccid=?, retry_count=?, attempts_used=?, "
        "sent_at=?,"
        " delivered_at=?, cost=?, reason=?, reason_detail=?, parts=?, flags=?, room = CASE WHEN ? THEN room END WHERE id=?",
        r.status, r.delivery_status, ready_of(r), r.not_before, r.modem_index, r.iccid, r.retry_count, r.attempts_used, r.sent_at,
        r.delivered_at, r.cost, r.reason, r.reason_text, pack_parts(r.parts), flags_of(r), r.status == MessageStatus::queued, r.id);
    if (r.stored_seldom == r.seldom()) return;
    tx.run("UPDATE messages SET lane=?, expires_at=?, report_until=?, claim_epoch=?, lease_until=?, due_at=?, revision=? WHERE id=?",
           r.lane, r.expires_at, r.report_until, r.claim_epoch, r.lease_until, r.due_at.value_or(r.timestamp), r.revision, r.id);
    r.stored_seldom = r.seldom();
}

std::vector<MessageRow> list(Tx& tx, const Filter& f) {
    const auto before = f.before ? f.before->value : INT64_MAX;
    if (f.phone)
        return read_all(
            tx.query("SELECT " MESSAGE_COLUMNS
                     " FROM messages WHERE phone = ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR direction = ?4)"
                     " ORDER BY id DESC LIMIT ?5",
                     *f.phone, before, f.status, f.direction, f.limit));
    if (f.status == MessageStatus::unread && f.direction.value_or(Direction::inbound) == Direction::inbound)
        return read_all(
            tx.query("SELECT " MESSAGE_COLUMNS
                     " FROM messages INDEXED BY messages_unread WHERE status = 20 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3",
                     before, f.down_to, f.limit));
    return read_all(tx.query("SELECT " MESSAGE_COLUMNS
                             " FROM messages WHERE id < ?1 AND id > ?2 AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR direction = ?4)"
                             " ORDER BY id DESC LIMIT ?5",
                             before, f.down_to, f.status, f.direction, f.limit));
}

std::optional<MessageRow> inbound_of(Tx& tx, std::string_view phone, WallTime at) {
    return read_one(tx.query("SELECT " MESSAGE_COLUMNS
                             " FROM (SELECT * FROM messages INDEXED BY messages_phone WHERE phone = ? AND twin = -1"
                             " ORDER BY id DESC LIMIT 100) WHERE created_at = ? ORDER BY id DESC LIMIT 1",
                             phone, at));
}

Listed list_some(Tx& tx, Filter filter, std::int64_t examined) {
    const bool by_index = filter.phone || filter.status == MessageStatus::unread || (!filter.status && !filter.direction);
    if (by_index) return {list(tx, filter), std::nullopt};
    if (!filter.before) {
        Rows q = tx.query("SELECT ifnull(max(id), 0) + 1 FROM messages");
        filter.before = MessageId{q.next() ? q.i64(0) : 0};
    }
    filter.down_to = std::max<std::int64_t>(filter.before->value - 1 - examined, 0);
    Listed listed{list(tx, filter), std::nullopt};
    if (filter.down_to > 0) listed.go_on = MessageId{filter.down_to + 1};
    return listed;
}

std::int64_t promote(Tx& tx, WallTime now, int limit) {
    const auto first = next_waiting(tx);  // a look costs a tenth of an update that finds nothing
    if (!first || *first > now) return 0;
    return tx.run(
        "UPDATE messages SET ready = CASE WHEN scheduled_id IS NOT NULL AND claim_epoch > 0 AND (flags & 32) = 0 THEN 3 ELSE 1 END"
        " WHERE id IN (SELECT id FROM messages INDEXED BY messages_waiting"
        " WHERE status = 0 AND ready = 0 AND not_before <= ? ORDER BY not_before LIMIT ?)",
        now, limit);
}

int ready_before(Tx& tx, const MessageRow& row, int most) {
    int before = 0;
    for (const auto& queue : ready_queues(tx)) {
        if (queue.lane != 0 && row.lane != 0 && (queue.lane & row.lane) == 0) continue;
        Rows q = tx.query(
            "SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1 AND lane = ?1"
            " AND class = ?2 AND (rank, id) < (SELECT rank, id FROM messages WHERE id = ?3) LIMIT ?4)",
            queue.lane, queue.message_class, row.id, most - before);
        if (q.next()) before += q.i32(0);
        if (before >= most) break;
    }
    return before;
}

const char* first_ready_sql(Gate gate) {
    switch (gate) {
        case Gate::open:
            return "SELECT id, rank FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1 AND lane = ?"
                   " AND class = ? ORDER BY rank, id LIMIT ?";
        case Gate::go:
            return "SELECT id, rank FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3 AND lane = ?"
                   " AND class = ? ORDER BY rank, id LIMIT ?";
        case Gate::go_offline:
            return "SELECT id, rank FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3 AND lane = ?"
                   " AND class = ? AND (flags & 64) <> 0 ORDER BY rank, id LIMIT ?";
    }
    return "";
}

std::vector<ReadyQueue> ready_queues(Tx& tx, Gate gate) {
    // One step of the index per queue, however many rows each has: SQLite begins a range of a row value at its first equal row, so the
    // values end behind all ranks there are.
    const char* const next =
        gate == Gate::open
            ? "SELECT lane, class FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1 AND (lane, class, rank)"
              " > (?, ?, 9223372036854775807) ORDER BY lane, class LIMIT 1"
            : "SELECT lane, class FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3 AND (lane, class, rank)"
              " > (?, ?, 9223372036854775807) ORDER BY lane, class LIMIT 1";
    std::vector<ReadyQueue> queues;
    std::int64_t lane = INT64_MIN, message_class = -1;
    for (;;) {
        Rows q = tx.query(next, lane, message_class);
        if (!q.next()) return queues;
        lane = q.i64(0);
        message_class = q.i64(1);
        queues.push_back({static_cast<std::uint64_t>(lane), q.as<MessageClass>(1)});
    }
}

std::vector<Ranked> ready_and_begun(Tx& tx, int limit) {
    std::vector<Ranked> begun;
    for (Rows q = tx.query("SELECT id, rank, lane FROM messages INDEXED BY messages_begun WHERE status = 0 AND ready = 1"
                           " AND (flags & 256) <> 0 ORDER BY rank, id LIMIT ?",
                           limit);
         q.next();)
        begun.push_back({MessageId{q.i64(0)}, q.i64(1), static_cast<std::uint64_t>(q.i64(2))});
    return begun;
}

std::vector<Ahead> rows_ahead(Tx& tx, std::uint64_t modems, bool replies_alone, int limit) {
    std::vector<Ahead> rows;
    for (Rows q = tx.query("SELECT lane, phone FROM messages INDEXED BY messages_ahead WHERE status = 0 AND ready = 1 AND claim_epoch > 0"
                           " AND (lane = 0 OR (lane <> -1 AND lane & ?1 <> 0)) AND class >= ?2 LIMIT ?3",
                           modems, replies_alone ? MessageClass::reply : MessageClass::marketing, limit);
         q.next();)
        rows.push_back({static_cast<std::uint64_t>(q.i64(0)), q.text(1)});
    return rows;
}

std::optional<WallTime> first_lease_ending(Tx& tx) {
    Rows q = tx.query(
        "SELECT lease_until FROM messages INDEXED BY messages_lease WHERE status = 0 AND lease_until IS NOT NULL ORDER BY lease_until "
        "LIMIT 1");
    return q.next() ? std::optional{q.time(0)} : std::nullopt;
}

std::size_t count_unsent_of_supabase(Tx& tx, std::size_t most) {
    Rows q = tx.query(
        "SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_lease WHERE status = 0 AND lease_until IS NOT NULL LIMIT ?)",
        static_cast<std::int64_t>(most));
    return q.next() ? static_cast<std::size_t>(q.i64(0)) : 0;
}

bool any_waits_for_go(Tx& tx) {
    return tx.query("SELECT 1 FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3 LIMIT 1").next();
}

std::optional<GoRow> waiting_for_go(Tx& tx, MessageId id, std::int64_t epoch) {
    Rows q = tx.query(
        "SELECT rank, lane, class, phone, segments FROM messages WHERE id = ? AND status = 0 AND ready = 3 AND claim_epoch = ?", id, epoch);
    if (!q.next()) return std::nullopt;
    return GoRow{{id, q.i64(0), static_cast<std::uint64_t>(q.i64(1))}, q.as<MessageClass>(2), epoch, q.text(3), q.i32(4)};
}

std::string phone_of(Tx& tx, MessageId id) {
    Rows q = tx.query("SELECT phone FROM messages WHERE id = ?", id);
    return q.next() ? q.text(0) : std::string{};
}

std::optional<WallTime> next_waiting(Tx& tx) {
    Rows q =
        tx.query("SELECT not_before FROM messages INDEXED BY messages_waiting WHERE status = 0 AND ready = 0 ORDER BY not_before LIMIT 1");
    return q.next() ? std::optional{q.time(0)} : std::nullopt;
}

bool any_ready(Tx& tx) {
    return tx.query("SELECT 1 FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1 LIMIT 1").next();
}

std::int64_t hold_queued(Tx& tx, int limit) {
    return tx.run(
        "UPDATE messages SET ready = 2, reason = 'restored', reason_detail = NULL, flags = flags & ?2 WHERE id IN ("
        " SELECT id FROM (SELECT id FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1 LIMIT ?1)"
        " UNION ALL SELECT id FROM (SELECT id FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3 LIMIT ?1)"
        " UNION ALL SELECT id FROM (SELECT id FROM messages INDEXED BY messages_waiting WHERE status = 0 AND ready = 0 LIMIT ?1))",
        limit, ~(flag_begun | flag_offline_ok));  // a go was given to a history that is gone
}

std::int64_t release_held(Tx& tx, WallTime now, int limit) {
    return tx.run(
        "UPDATE messages SET ready = 0, reason = NULL, not_before = max(due_at, ?1) WHERE id IN (SELECT id FROM messages"
        " INDEXED BY messages_held WHERE status = 0 AND ready = 2 LIMIT ?2)",
        now, limit);
}

std::vector<MessageRow> held_of_supabase(Tx& tx, MessageId after, int limit) {
    return read_all(
        tx.query("SELECT " MESSAGE_COLUMNS
                 " FROM messages INDEXED BY messages_held WHERE status = 0 AND ready = 2 AND id > ? AND scheduled_id IS NOT NULL"
                 " ORDER BY id LIMIT ?",
                 after, limit));
}

std::vector<MessageRow> unsent_of_supabase(Tx& tx, int limit) {
    std::vector<MessageRow> rows;
#define UNTRIED(queue) \
    "SELECT " MESSAGE_COLUMNS " FROM messages INDEXED BY " queue " AND scheduled_id IS NOT NULL AND last_attempt IS NULL LIMIT ?"
    constexpr const char* queues[] = {UNTRIED("messages_go WHERE status = 0 AND ready = 3"),
                                      UNTRIED("messages_held WHERE status = 0 AND ready = 2"),
                                      UNTRIED("messages_waiting WHERE status = 0 AND ready = 0")};
#undef UNTRIED
    for (const char* queue : queues) {
        auto some = read_all(tx.query(queue, limit - static_cast<int>(rows.size())));
        std::ranges::move(some, std::back_inserter(rows));
    }
    return rows;
}

std::vector<MessageRow> reportable(Tx& tx, std::string_view phone, int limit) {
    return read_all(tx.query("SELECT " MESSAGE_COLUMNS
                             " FROM messages INDEXED BY messages_sent_to WHERE phone = ? AND status <> 8 AND last_attempt IS NOT NULL"
                             " ORDER BY id DESC LIMIT ?",
                             phone, limit));
}

std::vector<MessageRow> overdue_reports(Tx& tx, WallTime now, int limit) {
    return read_all(tx.query("SELECT " MESSAGE_COLUMNS
                             " FROM messages INDEXED BY messages_watched WHERE watched IS NOT NULL AND watched <= ? LIMIT ?",
                             now, limit));
}

std::optional<MessageRow> last_sent_to(Tx& tx, std::string_view phone) {
    return read_one(tx.query("SELECT " MESSAGE_COLUMNS
                             " FROM messages INDEXED BY messages_sent_to WHERE phone = ? AND last_attempt IS NOT NULL"
                             " AND status IN (1, 2, 3, 4, 9) ORDER BY id DESC LIMIT 1",
                             phone));
}

/// One of the attempts that end at `last` was accepted, or its outcome is not known.
static bool may_be_out(Tx& tx, std::int64_t last) {
    Rows q = tx.query(
        "WITH RECURSIVE chain(id, previous, outcome) AS (SELECT id, previous, outcome FROM attempts WHERE id = ?"
        " UNION ALL SELECT a.id, a.previous, a.outcome FROM attempts a JOIN chain c ON a.id = c.previous)"
        " SELECT 1 FROM chain WHERE outcome IN (0, 2) LIMIT 1",
        last);
    return q.next();
}

/// A message that waits again, or ended in a round that sent nothing, is a contact when something of an earlier round left or may have:
/// a person had asked for it once more.
static bool counts_as_contact(Tx& tx, MessageStatus status, std::int64_t last_attempt) {
    switch (status) {
        case MessageStatus::sending:
        case MessageStatus::sent:
        case MessageStatus::delivered:
        case MessageStatus::undelivered:
        case MessageStatus::unknown: return true;
        case MessageStatus::queued:
        case MessageStatus::failed:
        case MessageStatus::expired:
        case MessageStatus::cancelled:
        case MessageStatus::suppressed: return may_be_out(tx, last_attempt);
        case MessageStatus::unread:
        case MessageStatus::read: return false;
    }
    return false;
}

Recent recent_marketing(Tx& tx, std::string_view phone, WallTime now) {
    Recent recent;
    const WallTime week = now - std::chrono::hours{24 * 7};
    for (Rows q = tx.query("SELECT a.started_at, m.after_id IS NOT NULL, m.status, a.id FROM messages m INDEXED BY messages_sent_to"
                           " JOIN attempts a ON a.id = m.last_attempt WHERE m.phone = ? AND m.last_attempt IS NOT NULL AND m.class = 0"
                           " AND a.started_at >= ? ORDER BY m.id DESC LIMIT 1000",
                           phone, week);
         q.next();) {
        const WallTime at = q.time(0);
        if (!counts_as_contact(tx, q.as<MessageStatus>(2), q.i64(3))) continue;
        if (!recent.last || at > *recent.last) recent.last = at;
        if (q.flag(1)) continue;  // a set is one contact
        recent.contacts.push_back(at);
    }
    std::ranges::sort(recent.contacts, std::ranges::greater{});
    return recent;
}

std::optional<UnderWay> under_way_before(Tx& tx, std::string_view phone, MessageClass message_class, MessageId id) {
    Rows q = tx.query(
        "SELECT status, not_before FROM (SELECT id, status, class, not_before, ready,"
        " ifnull(reason IN ('campaign-paused', 'set-stopped'), 0) AS stopped FROM messages INDEXED BY messages_sent_to"
        " WHERE phone = ? AND last_attempt IS NOT NULL ORDER BY id DESC LIMIT 32)"
        " WHERE class = ? AND (status = 1 OR (status = 0 AND ready <> 2 AND id < ?3 AND NOT stopped)) AND id <> ?3 ORDER BY status DESC "
        "LIMIT 1",
        phone, message_class, id);
    if (!q.next()) return std::nullopt;
    return UnderWay{q.as<MessageStatus>(0) == MessageStatus::sending, q.time(1)};
}

void wake_behind(Tx& tx, const MessageRow& settled, WallTime now) {
    tx.run(
        "UPDATE messages SET not_before = ? WHERE id = (SELECT id FROM messages INDEXED BY messages_behind WHERE phone = ? AND class = ?"
        " AND status = 0 AND ready = 0 AND reason = 'recipient-order' ORDER BY id LIMIT 1)",
        now, settled.phone_number, settled.message_class);
}

std::optional<LastSim> last_sim_of(Tx& tx, std::string_view phone) {
    Rows q = tx.query(
        "SELECT modem_index, iccid FROM messages INDEXED BY messages_sent_to WHERE phone = ? AND last_attempt IS NOT NULL"
        " AND status IN (1, 2, 3, 4, 9) AND iccid IS NOT NULL ORDER BY id DESC LIMIT 1",
        phone);
    return q.next() ? std::optional{LastSim{q.i32(0), q.text(1)}} : std::nullopt;
}

History history_of(Tx& tx, std::string_view phone, WallTime now) {
    History h;
    const WallTime month = now - std::chrono::hours{24 * 30};
    for (Rows q = tx.query("SELECT created_at FROM messages INDEXED BY messages_sent_to WHERE phone = ? AND last_attempt IS NOT NULL"
                           " ORDER BY id DESC LIMIT 100",
                           phone);
         q.next();) {
        ++h.sent;
        h.sent_30_days += q.time(0) >= month;
    }
    if (h.sent == 0) return h;
    Rows q = tx.query("SELECT count(*) FROM (SELECT 1 FROM messages WHERE phone = ? AND twin = -1 LIMIT 100)", phone);
    if (q.next()) h.inbound = q.i32(0);
    return h;
}

std::optional<MessageId> last_of_set(Tx& tx, std::string_view phone, std::string_view set_name, WallTime since) {
    Rows q = tx.query(
        "SELECT id, status IN (0, 1) OR max(created_at, ifnull(sent_at, 0)) >= ?3 FROM messages INDEXED BY messages_sets"
        " WHERE phone = ?1 AND set_name = ?2 AND status <> 7 ORDER BY id DESC LIMIT 1",
        phone, set_name, since);
    return q.next() && q.flag(1) ? std::optional{MessageId{q.i64(0)}} : std::nullopt;
}

std::optional<MessageId> before_in_set(Tx& tx, const MessageRow& row) {
    Rows q = tx.query(
        "SELECT id FROM messages INDEXED BY messages_sets WHERE phone = ? AND set_name = ? AND due_at < ? AND status <> 7"
        " ORDER BY due_at DESC, id DESC LIMIT 1",
        row.phone_number, row.set_name, row.due_at.value_or(row.timestamp));
    return q.next() ? std::optional{MessageId{q.i64(0)}} : std::nullopt;
}

void take_place_in_set(Tx& tx, const MessageRow& row) {
    tx.run(
        "UPDATE messages SET after_id = ?1 WHERE status = 0 AND after_id IN"
        " (SELECT id FROM messages INDEXED BY messages_scheduled WHERE scheduled_id = ?2 AND id <> ?1)",
        row.id, row.scheduled_message_id);
}

void follow(Tx& tx, MessageId id, WallTime when) {
    tx.run("UPDATE messages SET not_before = ?2, ready = 0 WHERE after_id = ?1 AND status = 0 AND ready <> 2", id, when);
}

void leave_set(Tx& tx, const MessageRow& row) {
    tx.run("UPDATE messages SET after_id = ?2 WHERE after_id = ?1 AND status IN (0, 7)", row.id, row.after);
}

void enter_set_again(Tx& tx, const MessageRow& row) {
    tx.run(
        "UPDATE messages SET after_id = ?1 WHERE id IN (SELECT id FROM messages INDEXED BY messages_sets WHERE phone = ?2 AND set_name = ?3"
        " AND id > ?1) AND status = 0 AND after_id IS ?4",
        row.id, row.phone_number, row.set_name, row.after);
}

void look_at_set(Tx& tx, const MessageRow& row, WallTime now) {
    tx.run(
        "UPDATE messages SET not_before = ?1 WHERE id IN (SELECT id FROM messages INDEXED BY messages_sets WHERE phone = ?2 AND set_name = "
        "?3)"
        " AND id <> ?4 AND status = 0 AND ready = 0 AND not_before > ?1 AND reason IN ('set-order', 'set-stopped')",
        now, row.phone_number, row.set_name, row.id);
}

void resume_campaign(Tx& tx, std::string_view campaign, WallTime now, std::int64_t after, std::int64_t to) {
    tx.run(
        "UPDATE messages SET not_before = ?2, reason = NULL WHERE id > ?3 AND id <= ?4 AND +status = 0 AND +ready = 0 AND campaign = ?1"
        " AND reason = 'campaign-paused'",
        campaign, now, after, to);
}

std::int64_t last_message(Tx& tx) {
    Rows q = tx.query("SELECT max(id) FROM messages");
    return q.next() ? q.i64(0) : 0;
}

void set_lane(Tx& tx, MessageId id, std::uint64_t lane) {
    tx.run("UPDATE messages SET lane = ? WHERE id = ?", lane, id);
}

Answers answers_since(Tx& tx, std::string_view phone, std::string_view text, WallTime since) {
    Answers answers;
    for (Rows q = tx.query(
             "SELECT content FROM messages WHERE phone = ? AND direction = 0 AND class = 2 AND key LIKE 'answer-%' AND created_at >= ?"
             " ORDER BY id DESC LIMIT 50",
             phone, since);
         q.next();) {
        ++answers.all;
        answers.same += q.text(0) == text;
    }
    return answers;
}

std::vector<MessageRow> queued_for(Tx& tx, std::string_view phone) {
    return read_all(tx.query("SELECT " MESSAGE_COLUMNS " FROM messages WHERE phone = ? AND status = 0 ORDER BY id", phone));
}

std::optional<MessageRow> duplicate_of(Tx& tx, std::string_view phone, std::string_view content, WallTime since) {
    for (const std::int64_t twin : {twin_of(content), unhashed_twin})
        if (auto row = read_one(tx.query("SELECT " MESSAGE_COLUMNS
                                         " FROM messages INDEXED BY messages_phone WHERE phone = ? AND twin = ? AND direction = 0"
                                         " AND created_at >= ? AND content = ? AND status NOT IN (5, 6, 7, 8) ORDER BY id DESC LIMIT 1",
                                         phone, twin, since, content)))
            return row;
    return std::nullopt;
}

std::vector<MessageRow> claim_unread(Tx& tx, std::string_view owner, WallTime now, WallTime until, int limit) {
    auto rows =
        read_all(tx.query("SELECT " MESSAGE_COLUMNS
                          " FROM messages INDEXED BY messages_unread WHERE status = 20 AND (claimed_until IS NULL OR claimed_until <= ?)"
                          " AND reason IS NOT ? ORDER BY id LIMIT ?",
                          now, reason_undecodable, limit));
    for (const auto& row : rows) tx.run("UPDATE messages SET claimed_by = ?, claimed_until = ? WHERE id = ?", owner, until, row.id);
    return rows;
}

#undef MESSAGE_COLUMNS

}  // namespace conductor::store
