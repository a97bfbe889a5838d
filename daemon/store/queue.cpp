// Walks over the queue and counts of it, in steps of bounded size: the queue may be a million rows long.
#include <algorithm>

#include "daemon/store/messages.hpp"

namespace conductor::store {

std::vector<MessageId> ready_and_expired(Tx& tx, ReadyCursor& at, WallTime now, int examined, Gate gate) {
    const char* const next =
        gate == Gate::open
            ? "SELECT lane, class, rank, id, expires_at FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1"
              " AND (lane, class, rank, id) > (?, ?, ?, ?) ORDER BY lane, class, rank, id LIMIT ?"
            : "SELECT lane, class, rank, id, min(ifnull(expires_at, lease_until), ifnull(lease_until, expires_at)) FROM messages"
              " INDEXED BY messages_go WHERE status = 0 AND ready = 3"
              " AND (lane, class, rank, id) > (?, ?, ?, ?) ORDER BY lane, class, rank, id LIMIT ?";
    std::vector<MessageId> expired;
    int looked = 0;
    for (Rows q = tx.query(next, at.lane, at.message_class, at.rank, at.id, examined); q.next();) {
        ++looked;
        at = {q.i64(0), q.i64(1), q.i64(2), q.i64(3)};
        if (const auto end = q.opt_time(4); end && *end <= now) expired.push_back(MessageId{at.id});
    }
    if (looked < examined) at = {};
    return expired;
}

QueueCounts count_queue(Tx& tx, std::int64_t most) {
    Rows q = tx.query(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1 LIMIT ?1)),"
        " (SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_waiting WHERE status = 0 AND ready = 0 LIMIT ?1)),"
        " (SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3 LIMIT ?1)),"
        " (SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_held WHERE status = 0 AND ready = 2 LIMIT ?1)),"
        " (SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_watched WHERE watched = ?2 LIMIT ?1))",
        most, watched_on_modem);
    if (!q.next()) return {};
    return {.ready = q.i64(0), .waiting = q.i64(1), .go = q.i64(2), .held = q.i64(3), .sending = q.i64(4)};
}

std::int64_t count_open(Tx& tx) {
    return count_queue(tx).open();
}

std::int64_t count_held(Tx& tx, std::int64_t most) {
    Rows q =
        tx.query("SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_held WHERE status = 0 AND ready = 2 LIMIT ?)", most);
    return q.next() ? q.i64(0) : 0;
}

namespace {

// Flag 8: pinned to a modem.
#define LANED "SELECT id, class, phone, lane, flags & 8 = 0, "
constexpr const char* waiting_lanes = LANED
    "not_before, 0, 0 FROM messages INDEXED BY messages_waiting WHERE status = 0 AND ready = 0 AND (not_before, id) > (?1, ?4)"
    " ORDER BY not_before, id LIMIT ?5";
/// What waits comes a second time: while the others were read, rows went back to it.
constexpr const char* lane_queues[] = {
    waiting_lanes,
    LANED
    "lane, class, rank FROM messages INDEXED BY messages_go WHERE status = 0 AND ready = 3"
    " AND (lane, class, rank, id) > (?1, ?2, ?3, ?4) ORDER BY lane, class, rank, id LIMIT ?5",
    LANED
    "lane, class, rank FROM messages INDEXED BY messages_ready WHERE status = 0 AND ready = 1"
    " AND (lane, class, rank, id) > (?1, ?2, ?3, ?4) ORDER BY lane, class, rank, id LIMIT ?5",
    LANED "0, 0, 0 FROM messages INDEXED BY messages_held WHERE status = 0 AND ready = 2 AND id > ?4 ORDER BY id LIMIT ?5", waiting_lanes};
#undef LANED

}  // namespace

bool LaneCursor::done() const {
    return queue >= std::size(lane_queues);
}

std::vector<Laned> lanes_of_queued(Tx& tx, LaneCursor& at, int examined) {
    std::vector<Laned> rows;
    if (at.done()) return rows;
    int seen = 0;
    for (Rows q = tx.query(lane_queues[at.queue], at.key[0], at.key[1], at.key[2], at.id, examined); q.next(); ++seen) {
        at = {at.queue, {q.i64(5), q.i64(6), q.i64(7)}, q.i64(0)};
        if (q.flag(4)) rows.push_back({MessageId{q.i64(0)}, q.as<MessageClass>(1), q.text(2), static_cast<std::uint64_t>(q.i64(3))});
    }
    if (seen < examined) at = {.queue = at.queue + 1};
    return rows;
}

namespace {

/// The rows of a table below `top`, newest first, as far as there are some of a time after `now`; `top` when the newest have none.
std::int64_t down_to_right(Tx& tx, const char* sql, std::int64_t top, WallTime now, int examined) {
    std::int64_t down = top;
    bool found = false;
    for (Rows q = tx.query(sql, now, top, examined); q.next();) {
        down = q.i64(0);
        found = found || q.flag(1);
    }
    return found ? down : top;
}

}  // namespace

bool set_right(Tx& tx, AheadCursor& at, WallTime now, std::chrono::milliseconds ahead, int examined) {
    const auto message =
        down_to_right(tx, "SELECT id, created_at > ? FROM messages WHERE id < ? ORDER BY id DESC LIMIT ?", at.message, now, examined);
    const auto attempt =
        down_to_right(tx, "SELECT id, started_at > ? FROM attempts WHERE id < ? ORDER BY id DESC LIMIT ?", at.attempt, now, examined);
    const bool more = message < at.message || attempt < at.attempt;
    if (message < at.message)
        tx.run(
            "UPDATE messages SET created_at = ?1, due_at = CASE WHEN due_at = created_at THEN ?1 ELSE due_at END,"
            " not_before = CASE WHEN ready = 0 THEN ?1 ELSE not_before END, lease_until = lease_until - ?4,"
            " expires_at = CASE WHEN due_at = created_at AND (flags & 128) <> 0 THEN expires_at - ?4 ELSE expires_at END"
            " WHERE id >= ?2 AND id < ?3 AND +status = 0 AND created_at > ?1",
            now, message, at.message, ahead.count());
    if (attempt < at.attempt)
        tx.run(
            "UPDATE messages SET not_before = ?1, due_at = min(due_at, ?1) WHERE +status = 0 AND +ready = 0 AND id IN"
            " (SELECT message_id FROM attempts WHERE id >= ?2 AND id < ?3 AND started_at > ?1)",
            now, attempt, at.attempt);
    at = {message, attempt};
    return more;
}

}  // namespace conductor::store
