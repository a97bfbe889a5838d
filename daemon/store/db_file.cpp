#include "daemon/store/db_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "daemon/store/messages.hpp"
#include "daemon/store/store.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::store {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t schema_of_held = 2;  // the first one whose rows can be held

struct Descriptor {
    int fd = -1;
    explicit Descriptor(int f) : fd{f} {}
    Descriptor(Descriptor&& other) noexcept : fd{std::exchange(other.fd, -1)} {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

/// The daemon must be able to open what root made in its folder.
Result<void> give_to_owner_of_folder(const std::string& path) {
    struct stat folder {};
    const auto parent = fs::path{path}.parent_path();
    if (::stat(parent.empty() ? "." : parent.c_str(), &folder) != 0) return fail(StoreErrc::io, parent.string());
    if (::geteuid() != 0 || folder.st_uid == 0) return {};
    if (::chown(path.c_str(), folder.st_uid, folder.st_gid) != 0) return fail(StoreErrc::io, path + ": " + std::strerror(errno));
    return {};
}

/// The lock that a running daemon holds.
Result<Descriptor> lock(const std::string& name) {
    const std::string path = real_path(name);
    Descriptor file{::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (file.fd < 0) return fail(StoreErrc::open, path + ".lock: " + std::strerror(errno));
    // on a new machine root is the first one here
    if (auto given = give_to_owner_of_folder(path + ".lock"); !given) return given.error();
    if (::flock(file.fd, LOCK_EX | LOCK_NB) != 0) return fail(StoreErrc::locked, "conductord runs; stop it first");
    return file;
}

Result<void> sync_file(const std::string& path) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0 || ::fsync(file.fd) != 0) return fail(StoreErrc::io, path + ": " + std::strerror(errno));
    return {};
}

std::string folder_of(const std::string& path) {
    const auto parent = fs::path{path}.parent_path().string();
    return parent.empty() ? "." : parent;
}

std::int64_t value_of(Tx& tx, const char* sql) {
    Rows q = tx.query(sql);
    return q.next() ? q.i64(0) : 0;
}

std::int64_t octets_of(const std::string& path) {
    std::error_code ec;
    const auto size = fs::file_size(path, ec);
    return ec ? 0 : static_cast<std::int64_t>(size);
}

bool there(const std::string& path) {
    std::error_code ec;
    return fs::exists(path, ec);
}

/// VACUUM INTO a new file, which is durable afterwards.
Result<void> copy_into(Connection& from, const std::string& file) {
    sqlite3_stmt* raw = nullptr;
    if (const int code = sqlite3_prepare_v2(from.handle(), "VACUUM INTO ?", -1, &raw, nullptr); code != SQLITE_OK)
        return fail(store_errc(code), sqlite3_errmsg(from.handle()));
    const Stmt statement{raw};
    sqlite3_bind_text(raw, 1, file.c_str(), -1, SQLITE_TRANSIENT);
    const auto mask = ::umask(0077);
    const int code = sqlite3_step(raw);
    ::umask(mask);
    if (code != SQLITE_DONE) return fail(store_errc(code), file + ": " + sqlite3_errmsg(from.handle()));
    return {};
}

/// A marked copy of the database at `path`, first under a name of its own.
Result<void> marked_copy(const std::string& path, const std::string& part, const std::string& what) {
    {
        auto from = Connection::open(path, {.create = false});
        if (!from) return from.error();
        if (auto copied = copy_into(**from, part); !copied) return copied;
    }
    {
        auto copy = Connection::open(part, {.create = false});
        if (!copy) return copy.error();
        Tx tx{**copy};
        mark_backup(tx, what);
        if (tx.failed()) return *tx.error();
        // one file, without -wal: what is copied on from here is whole
        if (auto plain = (*copy)->execute("PRAGMA journal_mode = DELETE"); !plain) return plain;
    }
    return sync_file(part);
}

}  // namespace

std::string real_path(const std::string& path) {
    std::error_code missing;
    const auto real = std::filesystem::canonical(path, missing);
    return missing ? path : real.string();
}

Result<Checkup> check_database(const std::string& path) {
    if (octets_of(path) == 0) return fail(StoreErrc::missing, path);
    auto connection = Connection::open(path, {.create = false});
    if (!connection) connection = Connection::open(path, {.create = false, .salvage = true});
    if (!connection) return connection.error();
    Tx tx{**connection};
    Checkup c;
    c.known_schema = newest_schema();
    c.schema = value_of(tx, "PRAGMA user_version");
    c.page_size = value_of(tx, "PRAGMA page_size");
    c.pages = value_of(tx, "PRAGMA page_count");
    c.free_pages = value_of(tx, "PRAGMA freelist_count");
    c.gives_pages_back = value_of(tx, "PRAGMA auto_vacuum") != 0;
    c.wal = octets_of(path + "-wal");
    if (tx.failed()) return *tx.error();
    if (c.schema > c.known_schema) c.problems.push_back("it was made by a newer version of conductord");
    if (c.schema == 0) c.problems.push_back("it is no database of conductord");
    for (Rows q = tx.query("PRAGMA integrity_check(20)"); q.next();)
        if (q.text(0) != "ok") c.problems.push_back(q.text(0));
    for (Rows q = tx.query("PRAGMA foreign_key_check"); q.next() && c.problems.size() < 40;)
        c.problems.push_back("a row of " + q.text(0) + " names a row of " + q.text(2) + " that is not there");
    if (tx.failed()) c.problems.push_back(tx.error()->text());
    tx.clear();
    if (c.schema < schema_of_held || c.schema > c.known_schema) return c;
    c.messages = value_of(tx, "SELECT count(*) FROM messages");
    c.queued = value_of(tx, "SELECT count(*) FROM messages WHERE status = 0");
    c.held = count_held(tx);
    c.outbox = value_of(tx, "SELECT count(*) FROM outbox");
    c.held_why = get_setting(tx, "restored").value_or("");
    if (tx.failed()) c.problems.push_back(tx.error()->text());
    return c;
}

std::string quick_check(const std::string& path) {
    auto connection = Connection::open(path, {.create = false});
    if (!connection) return connection.error().is(StoreErrc::corrupt) ? connection.error().text() : "";
    Tx tx{**connection};
    Rows q = tx.query("PRAGMA quick_check(1)");
    const bool answered = q.next();
    if (tx.failed()) return tx.error()->is(StoreErrc::corrupt) ? tx.error()->text() : "";
    return answered && q.text(0) != "ok" ? q.text(0) : "";
}

Result<void> backup_database(const std::string& path, const std::string& file) {
    if (octets_of(path) == 0) return fail(StoreErrc::missing, path);
    if (there(file)) return fail(StoreErrc::constraint, file + ": it is there already");
    const std::string part = file + ".part";
    std::error_code ec;
    fs::remove(part, ec);
    auto copied = marked_copy(path, part, "conductorctl db backup");
    if (copied && ::rename(part.c_str(), file.c_str()) != 0) copied = fail(StoreErrc::io, file + ": " + std::strerror(errno));
    if (copied) return sync_file(folder_of(file));
    fs::remove(part, ec);
    return copied;
}

Result<std::string> restore_database(const std::string& path, const std::string& file, WallTime now) {
    auto locked = lock(path);
    if (!locked) return locked.error();
    auto found = check_database(file);
    if (!found) return found.error();
    if (!found->problems.empty()) return fail(StoreErrc::corrupt, file + ": " + found->problems.front());
    const std::string part = path + ".part";
    std::error_code ec;
    fs::remove(part, ec);
    if (auto copied = marked_copy(file, part, "conductorctl db restore"); !copied) return copied.error();
    if (auto given = give_to_owner_of_folder(part); !given) return given.error();
    std::string aside;
    if (there(path) || there(path + "-wal")) {
        std::string stamp = to_rfc3339(now);
        std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
        aside = path + '.' + stamp.substr(0, 15) + "Z.old";
        for (const char* tail : {"-wal", "-shm", ""})
            if (there(path + tail) && ::rename((path + tail).c_str(), (aside + tail).c_str()) != 0)
                return fail(StoreErrc::io, path + tail + ": " + std::strerror(errno));
    }
    if (::rename(part.c_str(), path.c_str()) != 0) return fail(StoreErrc::io, path + ": " + std::strerror(errno));
    if (auto synced = sync_file(folder_of(path)); !synced) return synced.error();
    return aside;
}

Result<std::int64_t> release_database(const std::string& path, const std::string& actor, WallTime now) {
    auto locked = lock(path);
    if (!locked) return locked.error();
    auto connection = Connection::open(path, {.create = octets_of(path) == 0});
    if (!connection) return connection.error();
    if (auto done = migrate(**connection); !done) return done.error();
    const auto testimony = Witness::read(witness_path(path));
    if (auto begun = (*connection)->execute("BEGIN IMMEDIATE"); !begun) return begun.error();
    Tx tx{**connection};
    const auto known = tick_of(tx);
    const Found found{.tick = known, .schema = newest_schema(), .marks = marks_of(tx), .backup = get_setting(tx, "backup").has_value()};
    take_back_opt_outs(tx, kept_opt_outs(opt_outs_path(path)));
    // what is derived from ids that the lost history used too must differ from now on: the daemon makes a new instance
    if (!doubt(testimony, found, machine_id()).empty()) tx.run("DELETE FROM settings WHERE name = 'instance'");
    const Tick tick{.count = std::max(known ? known->count : 0, testimony ? testimony->tick.count : 0) + 1,
                    .word = "released" + std::to_string(to_ms(now)),
                    .before = known ? known->word : "",
                    .machine = machine_id()};
    const std::int64_t released = release_held(tx, now, 1'000'000'000);
    set_tick(tx, tick);
    tx.run("DELETE FROM settings WHERE name = 'restored'");
    set_setting(tx, "adopt", "*");  // a person says that no other copy is in use
    audit(tx, now, actor, "db-release", "queue", std::to_string(released) + " messages");
    const auto marks = marks_of(tx);
    if (tx.failed()) return *tx.error();
    if (auto committed = (*connection)->execute("COMMIT"); !committed) return committed.error();
    Witness witness{witness_path(path)};
    if (!witness.write({.tick = tick, .schema = newest_schema(), .marks = marks}, true))
        return fail(StoreErrc::io, witness_path(path) + ": " + std::strerror(errno));
    for (const auto& made : {witness_path(path), path, path + "-wal", path + "-shm"})
        if (there(made))
            if (auto given = give_to_owner_of_folder(made); !given) return given.error();
    return released;
}

}  // namespace conductor::store
