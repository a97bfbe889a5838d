#include "daemon/store/sqlite.hpp"

#include <cstring>
#include <filesystem>
#include <span>

namespace conductor::store {

const char* errc_library(StoreErrc) {
    return "store";
}

std::string_view describe(StoreErrc e) {
    switch (e) {
        case StoreErrc::open: return "the database cannot be opened";
        case StoreErrc::locked: return "the database is held by another process";
        case StoreErrc::full: return "no space left on the disk";
        case StoreErrc::corrupt: return "the file is not a database or is damaged";
        case StoreErrc::io: return "the disk failed";
        case StoreErrc::constraint: return "a row that the schema forbids";
        case StoreErrc::newer_schema: return "the database was made by a newer version of this program";
        case StoreErrc::failed: return "the database refused";
        case StoreErrc::cancelled: return "rolled back";
        case StoreErrc::read_only: return "the disk takes no writes";
        case StoreErrc::missing: return "the database is gone, and there was one";
    }
    return "unknown";
}

StoreErrc store_errc(int code) {
    switch (code & 0xff) {
        case SQLITE_CANTOPEN:
        case SQLITE_PERM: return StoreErrc::open;
        case SQLITE_READONLY: return StoreErrc::read_only;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return StoreErrc::locked;
        case SQLITE_FULL: return StoreErrc::full;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return StoreErrc::corrupt;
        case SQLITE_IOERR: return StoreErrc::io;
        case SQLITE_CONSTRAINT: return StoreErrc::constraint;
        default: return StoreErrc::failed;
    }
}

bool Rows::next() {
    if (!stmt_ || tx_->failed()) return false;
    const int code = sqlite3_step(stmt_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) tx_->check(code, sqlite3_sql(stmt_));
    sqlite3_reset(std::exchange(stmt_, nullptr));
    return false;
}

std::string Rows::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
    return text ? std::string{text, static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))} : std::string{};
}

namespace {

/// A path as the file: URI that SQLite reads.
std::string uri_of(const std::string& path, std::string_view query) {
    std::string out = "file:";
    for (const char c : path) {
        if (c == '%' || c == '?' || c == '#') {
            constexpr std::string_view digits = "0123456789abcdef";
            out += {'%', digits[static_cast<unsigned char>(c) >> 4], digits[static_cast<unsigned char>(c) & 15]};
        } else {
            out += c;
        }
    }
    return out += query;
}

bool has_content(const std::string& path) {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    return !ec && size > 0;
}

// page_size and auto_vacuum only have an effect before the first table is made. 1024: a step of a submission touches a row or two on each
// of half a dozen pages, and each is written whole; 2048 costs half as much again. FULL: what was told to anyone survives a power cut.
// wal_autocheckpoint: 16 MB of log are copied into the tables at a time; a page that many messages touched is copied once.
constexpr const char* first_pragmas[] = {"PRAGMA page_size = 1024", "PRAGMA auto_vacuum = INCREMENTAL"};
constexpr const char* usual_pragmas[] = {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",  "PRAGMA foreign_keys = ON",
                                         "PRAGMA cache_size = -2000", "PRAGMA temp_store = MEMORY", "PRAGMA wal_autocheckpoint = 16000"};
constexpr const char* salvage_pragmas[] = {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA query_only = ON", "PRAGMA wal_autocheckpoint = 0",
                                           "PRAGMA temp_store = MEMORY", "SELECT count(*) FROM sqlite_schema"};

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, const OpenOptions& options) {
    // counts of SQLite's memory that nobody reads cost a lock with each allocation; refused, and without need, after the first use
    static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(uncounted);
    sqlite3* raw = nullptr;
    // a salvaged database is locked by nobody and its wal-index is in memory: a full or read-only disk has no room for a -shm file
    const bool wal = options.salvage && has_content(path + "-wal");
    const std::string name = options.salvage ? uri_of(path, wal ? "?mode=ro" : "?mode=ro&immutable=1") : path;
    const char* vfs = !options.vfs.empty() ? options.vfs.c_str() : wal ? "unix-none" : nullptr;
    const int flags = (options.salvage ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE) |
                      (options.create && !options.salvage ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(name.c_str(), &raw, flags, vfs);
    Db db{raw};
    if (code != SQLITE_OK) return fail(store_errc(code) == StoreErrc::failed ? StoreErrc::open : store_errc(code), path);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, 5000);
    if (options.salvage) sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    std::unique_ptr<Connection> connection{new Connection{std::move(db)}};
    const std::span<const char* const> pragmas =
        options.salvage ? std::span<const char* const>{salvage_pragmas} : std::span<const char* const>{usual_pragmas};
    if (!options.salvage && !has_content(path))
        for (const char* pragma : first_pragmas)
            if (auto done = connection->execute(pragma); !done) return done.error();
    for (const char* pragma : pragmas)
        if (auto done = connection->execute(pragma); !done) return done.error();
    return connection;
}

Connection::~Connection() = default;

Result<void> Connection::execute(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(store_errc(code), std::string{sqlite3_errmsg(db_.get())});
    return {};
}

Result<void> Connection::run(const char* sql) {
    const auto stmt = prepare(sql);
    if (!stmt) return stmt.error();
    const int code = sqlite3_step(*stmt);
    Result<void> done;
    if (code != SQLITE_DONE) done = fail(store_errc(code), std::string{sqlite3_errmsg(db_.get())});
    sqlite3_reset(*stmt);  // tells the same code again
    return done;
}

Result<sqlite3_stmt*> Connection::prepare(const char* sql) {
    if (const auto found = statements_.find(sql); found != statements_.end()) return found->second.get();
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return fail(store_errc(code), std::string{sqlite3_errmsg(db_.get())});
    statements_.emplace(sql, Stmt{raw});
    return raw;
}

sqlite3_stmt* Tx::prepare(const char* sql) {
    if (failed()) return nullptr;
    const auto stmt = connection_.prepare(sql);
    if (!stmt) {
        fail(stmt.error());
        return nullptr;
    }
    sqlite3_reset(*stmt);
    return *stmt;
}

void Tx::check(int code, const char* sql) {
    // the query's first words name it; values are bound, so no personal data is in it
    std::string_view head{sql};
    head = head.substr(0, std::min<std::size_t>(head.size(), 60));
    fail(conductor::fail(store_errc(code), std::string{head} + ": " + sqlite3_errmsg(connection_.handle())));
}

std::optional<Error> Tx::leave_savepoint() {
    if (sqlite3_get_autocommit(connection_.handle())) {  // SQLite ended the transaction by itself: nothing of it is stored
        fail(conductor::fail(StoreErrc::cancelled, "transaction ended"));
        return error_;
    }
    const bool undone = failed() && !error_->is(StoreErrc::full) && !error_->is(StoreErrc::io) && !error_->is(StoreErrc::corrupt);
    if (failed() && !undone) return error_;
    const auto why = std::exchange(error_, std::nullopt);
    if (undone)
        if (auto back = connection_.run("ROLLBACK TO alone"); !back) return fail(back.error()), error_;
    if (auto released = connection_.run("RELEASE alone"); !released) return fail(released.error()), error_;
    return why;
}

}  // namespace conductor::store
