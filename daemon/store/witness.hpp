#pragma once
// What outside the database remembers about it, so that a copy of it which is put back, moved or cloned is found before it sends again.
//
// Beside the database lies a file `<database>.witness`. After each commit it gets the highest row ids of the tables in which everything
// that must not happen twice leaves a row (messages, attempts, incoming, audit): one write of 256 octets into the page cache, no fsync. At
// each start, at each stop and every ten minutes in which something was written a *tick* goes into the database (in the next commit) and
// into the file (with fsync): a count, and a random word that names this moment of this database's history.
//
// Found: an older copy put back over the file, however young, once a message was taken, submitted, received or anything was changed by a
// person since; a deleted -wal file with commits in it; a copy that was used elsewhere, or by another program run, and came back; a file
// that comes from another machine; a backup of `conductorctl db backup`; a schema that went backwards; a lost witness file.
// Not found: a copy of the very state that it replaces (nothing was lost then); a whole disk cloned with its machine-id, and run without
// Supabase, whose fence of instances is for that; after a power cut, a copy put back that is older than the last thirty seconds by what the
// kernel had not yet written of the witness, unless a tick lies between.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/result.hpp"
#include "daemon/store/sqlite.hpp"

namespace conductor::store {

/// An id of this machine that says nothing about it: 32 hex digits, or empty where /etc/machine-id cannot be read.
std::string machine_id();
/// Of this run of the machine; empty where it is not known.
std::string boot_id();
/// Where the witness of a database lies.
inline std::string witness_path(const std::string& database) {
    return database + ".witness";
}

/// The highest ids of messages, attempts, incoming and audit.
using Marks = std::array<std::int64_t, 4>;
Marks marks_of(Tx& tx);

/// A moment of a database's history.
struct Tick {
    std::int64_t count = 0;
    std::string word, before;  ///< of this moment and of the one before it; 16 hex digits
    std::string machine;       ///< of the machine that wrote it; empty: unknown
    bool operator==(const Tick&) const = default;
};
std::optional<Tick> tick_of(Tx& tx);
void set_tick(Tx& tx, const Tick& tick);

/// What the witness file says.
struct Testimony {
    Tick tick;
    std::int64_t schema = 0;
    Marks marks{};
    bool operator==(const Testimony&) const = default;
};

/// What a database says about itself when it is opened.
struct Found {
    std::optional<Tick> tick;
    std::int64_t schema = 0;  ///< before migrations
    Marks marks{};
    bool backup = false;  ///< marked as one when it was made
};

/// Why the unsent rows must be held; empty when the database is the one that this machine used last. Pure.
std::string doubt(const std::optional<Testimony>& witness, const Found& found, std::string_view machine);

/// The mark of a backup, in the copy.
void mark_backup(Tx& tx, std::string_view what);

/// The witness file. Writes are never fatal: where it cannot be written the database is held once more than it had to be.
class Witness {
public:
    /// Reads what is there. An unreadable or torn file says nothing.
    static std::optional<Testimony> read(const std::string& path);
    explicit Witness(std::string path) : path_{std::move(path)} {}
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
    ~Witness();
    /// `durable`: with fsync, into the other of two slots, so that a torn write leaves the one before it.
    bool write(const Testimony& testimony, bool durable);

private:
    std::string path_;
    int fd_ = -1;
    std::uint64_t sequence_ = 0;
};

}  // namespace conductor::store
