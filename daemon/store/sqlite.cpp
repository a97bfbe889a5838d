#include "daemon/store/sqlite.hpp"

#include <cstring>

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
    }
    return "unknown";
}

StoreErrc store_errc(int code) {
    switch (code & 0xff) {
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_READONLY: return StoreErrc::open;
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

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, const std::string& vfs) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                     vfs.empty() ? nullptr : vfs.c_str());
    Db db{raw};
    if (code != SQLITE_OK) return fail(StoreErrc::open, path);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, 5000);
    std::unique_ptr<Connection> connection{new Connection{std::move(db)}};
    // page_size only has an effect before the first table is made. FULL: what was told to anyone survives a power cut.
    for (const char* pragma :
         {"PRAGMA page_size = 2048", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON",
          "PRAGMA cache_size = -2000", "PRAGMA temp_store = MEMORY", "PRAGMA wal_autocheckpoint = 1000"})
        if (auto done = connection->execute(pragma); !done) return done.error();
    return connection;
}

Connection::~Connection() = default;

Result<void> Connection::execute(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(store_errc(code), std::string{sqlite3_errmsg(db_.get())});
    return {};
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

}  // namespace conductor::store
