#pragma once
// What the daemon does with what is old: in batches of bounded size, so that no submission ever waits for it.
//
// messages   finished ones older than [retention] messages go, and never sooner than 31 days: limits, caps and the checks for
//            duplicates look back that far. Unread inbound ones stay. Their attempts go with the same age.
// raw_pdus   PDUs that are done, could not be decoded, or reported on nothing we know. Of what was no report the fingerprint stays as long
//            as messages do.
// outbox     what Supabase refused for good, but for the newest thousand.
// never      queued or open messages, what waits for Supabase, opt-outs, consents, the audit, PINs that were tried. The newest row of each
//            table stays too, so that no id is ever given twice.
// Then free pages go back to the disk a few at a time (auto_vacuum = INCREMENTAL).
#include <filesystem>
#include <functional>
#include <mutex>

#include "daemon/service/context.hpp"

namespace conductor::service {

/// Where the sweep is. Rows are looked at in the order of their ids; a sweep that has reached rows that are young enough starts over.
struct Sweep {
    std::int64_t message = 0, attempt = 0, incoming = 0, raw = 0;  ///< ids up to which it has looked
};
struct Swept {
    std::int64_t messages = 0, attempts = 0, incoming = 0, raw = 0, pages = 0;
    bool more = false;  ///< there is more to do now
};
/// At least as long are messages and attempts kept.
inline constexpr std::chrono::hours least_retention{24 * 31};

/// Looks at no more than `limit` rows of each table and gives back no more than `limit` pages. In the caller's transaction.
Swept sweep(store::Tx& tx, const config::Retention& retention, Sweep& at, WallTime now, int limit);

/// Is there anything that sweep() would do? Reads a few rows.
bool wants_sweep(store::Tx& tx, const config::Retention& retention, const Sweep& at, WallTime now);

/// What the work on the file found, which runs beside everything else: written there, read by the daemon's thread.
struct FileCare {
    std::mutex mutex;
    bool running = false;
    std::string damage;           ///< what PRAGMA quick_check said; empty: nothing
    std::string backup, problem;  ///< the newest backup; why there is none
};

/// Octets that a folder's disk has to spare; 0 where that cannot be told.
using RoomOf = std::function<std::uintmax_t(const std::filesystem::path& folder)>;
std::uintmax_t room_on_disk(const std::filesystem::path& folder);

/// Blocking. Checks the pages of the database, and makes the backup of the day in the folder `backups` beside it, where the disk has three
/// times its size to spare; where that is made, removes those older than [retention] backups. Where the room is lacking, the oldest copies
/// make it, but for the newest three. While the database is damaged, or no copy can be made of it, every copy stays.
/// One write of the whole file a day: a card of 8 GB that takes a thousand rewrites bears a database of 300 MB for seventy years.
void care_for_file(const std::string& database, const config::Retention& retention, WallTime now, FileCare& care,
                   const RoomOf& room = room_on_disk);

}  // namespace conductor::service
