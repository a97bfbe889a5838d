#include "daemon/service/housekeeping.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "daemon/store/db_file.hpp"
#include "daemon/store/messages.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::service {
namespace {

using store::Rows;
using store::Tx;

constexpr std::int64_t free_pages_kept = 2000;  // they are filled again without growing the file
constexpr std::int64_t dead_kept = 1000;        // of the outbox, for whoever looks for the reason

struct Old {
    std::int64_t id = 0;
    bool finished = false;
};

/// The next rows of a table after `from` that are older than `before`, in the order of their ids; the newest row of the table never is.
/// Rows that were written while the clock was ahead are passed over: the sweep must not stand before them until their time comes.
std::vector<Old> next_old(Tx& tx, const char* sql, std::int64_t from, WallTime before, WallTime now, int limit) {
    constexpr std::chrono::hours ahead{24};
    std::vector<Old> rows;
    for (Rows q = tx.query(sql, from, limit); q.next() && (q.time(1) < before || q.time(1) > now + ahead);)
        rows.push_back({q.i64(0), q.flag(2) && q.time(1) < before});
    return rows;
}

// final ones (daemon/core/message.hpp, is_final): a message that waits for a report is not; of the inbound ones those that were read
constexpr const char* old_messages =
    "SELECT id, created_at, (direction = 0 AND status NOT IN (0, 1) AND report_until IS NULL) OR (direction = 1 AND status = 21)"
    " FROM messages WHERE id > ?1 AND id < (SELECT max(id) FROM messages) ORDER BY id LIMIT ?2";
constexpr const char* old_attempts =
    "SELECT id, started_at, outcome IS NOT NULL AND NOT EXISTS (SELECT 1 FROM messages WHERE id = attempts.message_id)"
    " FROM attempts WHERE id > ?1 AND id < (SELECT max(id) FROM attempts) ORDER BY id LIMIT ?2";
constexpr const char* old_incoming =
    "SELECT id, received_at, state <> 0 OR kind = 1"
    " FROM incoming WHERE id > ?1 AND id < (SELECT max(id) FROM incoming) ORDER BY id LIMIT ?2";
// A message that the modem cannot delete comes again at each start: its fingerprint stays as long as it does. A report that comes again
// is too old to be one of a message then.
constexpr const char* raw_incoming =
    "SELECT id, received_at, (kind = 1 AND state <> 2) OR (state <> 0 AND hex <> '')"
    " FROM incoming WHERE id > ?1 AND id < (SELECT max(id) FROM incoming) ORDER BY id LIMIT ?2";

struct Table {
    const char *old, *drop, *empty;  ///< `empty`: what it does with a row that drop leaves
    std::int64_t Sweep::*at;
    std::int64_t Swept::*count;
};
constexpr Table tables[] = {{old_messages, "DELETE FROM messages WHERE id = ?", nullptr, &Sweep::message, &Swept::messages},
                            {old_attempts, "DELETE FROM attempts WHERE id = ?", nullptr, &Sweep::attempt, &Swept::attempts},
                            {raw_incoming, "DELETE FROM incoming WHERE id = ? AND kind = 1 AND state <> 2",
                             "UPDATE incoming SET hex = '' WHERE id = ?", &Sweep::raw, &Swept::raw},
                            {old_incoming, "DELETE FROM incoming WHERE id = ?", nullptr, &Sweep::incoming, &Swept::incoming}};

WallTime age_of(const Table& table, const config::Retention& retention, WallTime now) {
    if (table.at == &Sweep::raw) return now - retention.raw_pdus;
    return now - std::max<std::chrono::milliseconds>(retention.messages, least_retention);
}

std::int64_t free_pages(Tx& tx) {
    Rows keeps = tx.query("PRAGMA auto_vacuum");
    if (!keeps.next() || keeps.i64(0) == 0) return 0;
    Rows q = tx.query("PRAGMA freelist_count");
    return q.next() ? q.i64(0) : 0;
}

}  // namespace

bool wants_sweep(Tx& tx, const config::Retention& retention, const Sweep& at, WallTime now) {
    for (const Table& table : tables)
        if (!next_old(tx, table.old, at.*table.at, age_of(table, retention, now), now, 1).empty()) return true;
    return free_pages(tx) > free_pages_kept || store::count_outbox(tx).dead > dead_kept;
}

Swept sweep(Tx& tx, const config::Retention& retention, Sweep& at, WallTime now, int limit) {
    Swept swept;
    for (const Table& table : tables) {
        const auto rows = next_old(tx, table.old, at.*table.at, age_of(table, retention, now), now, limit);
        for (const Old& row : rows) {
            at.*table.at = row.id;
            if (!row.finished) continue;
            const auto dropped = tx.run(table.drop, row.id);
            swept.*table.count += dropped == 0 && table.empty ? tx.run(table.empty, row.id) : dropped;
        }
        swept.more = swept.more || rows.size() == static_cast<std::size_t>(limit);
    }
    const auto forgotten = store::forget_dead_outbox(tx, dead_kept, limit);
    swept.more = swept.more || forgotten == limit;
    if (swept.more) return swept;
    const auto free = free_pages(tx);
    if (free <= free_pages_kept) return swept;
    swept.pages = std::min<std::int64_t>(free - free_pages_kept / 2, limit);
    for (std::int64_t n = 0; n < swept.pages; ++n) tx.run("PRAGMA incremental_vacuum(1)");
    swept.more = free - swept.pages > free_pages_kept;
    return swept;
}

namespace {

namespace fs = std::filesystem;

constexpr std::string_view backup_prefix = "conductor-";
constexpr std::size_t newest_kept = 3;

/// Removes what is older than `before` in a folder of ours; only files with this beginning.
void remove_older(const fs::path& folder, std::string_view beginning, WallTime before) {
    std::error_code ec;
    for (fs::directory_iterator at{folder, ec}, end; !ec && at != end; at.increment(ec)) {
        const auto& entry = *at;
        std::error_code failed;
        const auto written = std::chrono::file_clock::to_sys(entry.last_write_time(failed));
        if (!failed && written < before && entry.path().filename().string().starts_with(beginning)) fs::remove(entry.path(), failed);
    }
}

/// Our files in a folder, newest first: copies, and before them what a crash left of one.
std::vector<fs::directory_entry> copies_in(const fs::path& folder) {
    std::vector<fs::directory_entry> files;
    std::error_code ec;
    for (fs::directory_iterator at{folder, ec}, end; !ec && at != end; at.increment(ec))
        if (at->is_regular_file(ec) && at->path().filename().string().starts_with(backup_prefix)) files.push_back(*at);
    const auto age = [](const fs::directory_entry& file) {
        std::error_code failed;
        return std::pair{file.path().extension() == ".db", file.last_write_time(failed)};
    };
    std::ranges::sort(files, std::ranges::greater{}, age);
    return files;
}

/// Removes the oldest copies until `wanted` octets are free; the newest three stay. None goes where all of them would not be enough.
bool make_room(const fs::path& folder, std::uintmax_t wanted, const RoomOf& room) {
    const auto files = copies_in(folder);
    std::error_code ec;
    auto free = room(folder);
    auto hoped = free;
    for (std::size_t i = newest_kept; i < files.size(); ++i) hoped += files[i].file_size(ec);
    if (hoped < wanted) return false;
    for (std::size_t i = files.size(); i > newest_kept && free < wanted; --i) {
        fs::remove(files[i - 1].path(), ec);
        free = room(folder);
    }
    return free >= wanted;
}

/// The backup of this day, unless there is one; its name, or why there is none.
Result<std::string> back_up(const std::string& database, const fs::path& folder, WallTime now, const RoomOf& room) {
    std::error_code ec;
    fs::create_directories(folder, ec);
    fs::permissions(folder, fs::perms::owner_all, ec);
    const auto file = folder / (std::string{backup_prefix} + to_rfc3339(now).substr(0, 10) + ".db");
    if (fs::exists(file, ec)) return file.string();
    const auto size = fs::file_size(database, ec);
    if (ec) return fail(store::StoreErrc::io, database + ": " + ec.message());
    const auto wanted = 3 * size + (16U << 20);
    if (room(folder) < wanted && !make_room(folder, wanted, room)) return fail(store::StoreErrc::full, "no room for a backup");
    if (auto made = store::backup_database(database, file.string()); !made) return made.error();
    return file.string();
}

}  // namespace

std::uintmax_t room_on_disk(const fs::path& folder) {
    std::error_code ec;
    const auto space = fs::space(folder, ec);
    return ec ? 0 : space.available;
}

void care_for_file(const std::string& database, const config::Retention& retention, WallTime now, FileCare& care, const RoomOf& room) {
    const auto folder = fs::path{database}.parent_path();
    const auto damage = store::quick_check(database);
    auto backup = damage.empty() ? back_up(database, folder / "backups", now, room) : fail(store::StoreErrc::corrupt, damage);
    // today's good copy is there: only then the older ones may go
    if (backup) remove_older(folder / "backups", backup_prefix, now - retention.backups);
    const std::lock_guard lock{care.mutex};
    care.damage = damage;
    care.backup = backup ? *backup : "";
    care.problem = backup ? "" : backup.error().text();
}

}  // namespace conductor::service
