#pragma once
// The database as a file in a technician's hands: `conductorctl db check|backup|restore|release`. Works on the file itself; check and
// backup also while the daemon runs, the others only while it does not.
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/core/clock.hpp"
#include "daemon/core/result.hpp"

namespace conductor::store {

/// The file that a path stands for, where it is there: its lock and its witness are beside it, by whatever name it is reached.
std::string real_path(const std::string& path);

/// What `check` found. Sizes in octets.
struct Checkup {
    std::vector<std::string> problems;  ///< integrity, foreign keys, schema; empty: good
    std::int64_t schema = 0, known_schema = 0;
    std::int64_t page_size = 0, pages = 0, free_pages = 0, wal = 0;
    std::int64_t messages = 0, queued = 0, held = 0, outbox = 0;
    bool gives_pages_back = false;  ///< auto_vacuum is on: what retention deletes shrinks the file
    std::string held_why;           ///< why rows are held; empty when none are
};
/// Reads everything: PRAGMA integrity_check and foreign_key_check, about a second for each 100 MB. An error means that it cannot be opened.
Result<Checkup> check_database(const std::string& path);

/// PRAGMA quick_check beside a running daemon: the first thing that is wrong, or empty. About 1.2 s of CPU for a million messages.
std::string quick_check(const std::string& path);

/// A copy of what is committed at this moment, compact, 0600, durable before it gets its name `file` (which must not exist), and marked:
/// put in place, it holds its unsent rows. The daemon goes on meanwhile; its -wal file grows until the copy is made.
Result<void> backup_database(const std::string& path, const std::string& file);

/// Puts a copy of `file` in the place of `path`: only while no daemon runs, and when the checks find nothing. What was there is kept beside
/// it under `<path>.<time>.old` with its -wal file; the answer is that name, empty when nothing was there.
Result<std::string> restore_database(const std::string& path, const std::string& file, WallTime now);

/// Without a daemon: says that the database is this machine's, and frees what is held; how many rows.
Result<std::int64_t> release_database(const std::string& path, const std::string& actor, WallTime now);

}  // namespace conductor::store
