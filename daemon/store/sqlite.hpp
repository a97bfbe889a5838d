#pragma once
// SQLite behind a few words. Inside a transaction the first failure sticks: later statements do nothing and the transaction is rolled back
// as a whole, so a job needs no check after every statement.
#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"
#include "daemon/core/result.hpp"

namespace conductor::store {

enum class StoreErrc {
    open = 1,      ///< the file cannot be opened or made
    locked,        ///< another process holds the database
    full,          ///< no space left
    corrupt,       ///< the file is no database, or damaged
    io,            ///< the disk failed
    constraint,    ///< a row that the schema forbids
    newer_schema,  ///< made by a newer version of this program
    failed,        ///< any other error of SQLite
    cancelled,     ///< the job asked to be rolled back
    read_only,     ///< the file or its file system takes no writes
    missing,       ///< the file is gone or empty, and there was one
};
const char* errc_library(StoreErrc);
std::string_view describe(StoreErrc e);
StoreErrc store_errc(int sqlite_code);

template <auto Close>
struct Closer {
    void operator()(auto* p) const noexcept { Close(p); }
};
using Db = std::unique_ptr<sqlite3, Closer<sqlite3_close_v2>>;
using Stmt = std::unique_ptr<sqlite3_stmt, Closer<sqlite3_finalize>>;

/// The rows of one running statement. Columns count from 0.
class Rows {
public:
    Rows(class Tx& tx, sqlite3_stmt* stmt) : tx_{&tx}, stmt_{stmt} {}
    Rows(Rows&& other) noexcept : tx_{other.tx_}, stmt_{std::exchange(other.stmt_, nullptr)} {}
    Rows& operator=(Rows&&) = delete;
    ~Rows() {
        if (stmt_) sqlite3_reset(stmt_);
    }
    bool next();  ///< false at the end and after any failure
    bool null(int column) const { return sqlite3_column_type(stmt_, column) == SQLITE_NULL; }
    std::int64_t i64(int column) const { return sqlite3_column_int64(stmt_, column); }
    int i32(int column) const { return static_cast<int>(i64(column)); }
    double real(int column) const { return sqlite3_column_double(stmt_, column); }
    bool flag(int column) const { return i64(column) != 0; }
    std::string text(int column) const;
    WallTime time(int column) const { return from_ms(i64(column)); }
    template <class E>
    E as(int column) const {
        return static_cast<E>(i64(column));
    }
    std::optional<std::int64_t> opt_i64(int column) const { return null(column) ? std::nullopt : std::optional{i64(column)}; }
    std::optional<int> opt_i32(int column) const { return null(column) ? std::nullopt : std::optional{i32(column)}; }
    std::optional<std::string> opt_text(int column) const { return null(column) ? std::nullopt : std::optional{text(column)}; }
    std::optional<WallTime> opt_time(int column) const { return null(column) ? std::nullopt : std::optional{time(column)}; }

private:
    class Tx* tx_;
    sqlite3_stmt* stmt_;
};

struct OpenOptions {
    std::string vfs = {};  ///< name of a registered VFS; empty = SQLite's own
    bool create = true;    ///< make the file where there is none
    /// For a disk that takes no writes: no lock, no -shm file, no checkpoint, no statement that changes anything. The caller must be the
    /// only process that has the database open.
    bool salvage = false;
};

/// One connection with its prepared statements. Statements are found by the address of their SQL literal.
class Connection {
public:
    static Result<std::unique_ptr<Connection>> open(const std::string& path, const OpenOptions& options = {});
    /// Any text, once.
    Result<void> execute(const char* sql);
    sqlite3* handle() const { return db_.get(); }
    /// A literal: what is made of it is kept under its address, for the next time.
    Result<sqlite3_stmt*> prepare(const char* sql);
    /// A literal that yields no rows.
    Result<void> run(const char* sql);
    /// The file beside the database that keeps each opt-out (tables.hpp); empty: none does.
    std::string opt_outs_file;
    ~Connection();

private:
    explicit Connection(Db db) : db_{std::move(db)} {}
    Db db_;
    std::unordered_map<const void*, Stmt> statements_;
};

/// What a job works with. SQL must be string literals (their address is the key of the statement cache).
class Tx {
public:
    explicit Tx(Connection& connection) : connection_{connection} {}
    template <class... Args>
    Rows query(const char* sql, const Args&... args) {
        sqlite3_stmt* stmt = prepare(sql);
        int n = 0;
        (bind(stmt, ++n, args), ...);
        return Rows{*this, failed() ? nullptr : stmt};
    }
    /// Runs to the end; the number of rows changed.
    template <class... Args>
    std::int64_t run(const char* sql, const Args&... args) {
        for (Rows rows = query(sql, args...); rows.next();) {}
        return failed() ? 0 : sqlite3_changes64(connection_.handle());
    }
    /// Runs `work` in a savepoint: where it fails its own writes alone are undone, and the reason is returned. A disk that refuses ends the
    /// whole transaction, as ever.
    template <class Work>
    std::optional<Error> alone(Work work) {
        if (failed()) return error_;
        if (auto marked = connection_.run("SAVEPOINT alone"); !marked) return fail(marked.error()), error_;
        work();
        return leave_savepoint();
    }
    std::int64_t last_id() const { return sqlite3_last_insert_rowid(connection_.handle()); }
    bool failed() const { return error_.has_value(); }
    const std::optional<Error>& error() const { return error_; }
    void fail(Error error) {
        if (!error_) error_ = std::move(error);
    }
    void clear() { error_.reset(); }
    const std::string& opt_outs_file() const { return connection_.opt_outs_file; }

private:
    friend class Rows;
    sqlite3_stmt* prepare(const char* sql);
    void check(int code, const char* sql);
    std::optional<Error> leave_savepoint();
    template <class T>
    void bind(sqlite3_stmt* stmt, int n, const T& value) {
        if (!stmt) return;
        if constexpr (requires {
                          value.has_value();
                          *value;
                      }) {
            if (value)
                bind(stmt, n, *value);
            else
                sqlite3_bind_null(stmt, n);
        } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
            sqlite3_bind_null(stmt, n);
        } else if constexpr (std::is_enum_v<T>) {
            sqlite3_bind_int64(stmt, n, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_integral_v<T>) {
            sqlite3_bind_int64(stmt, n, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_floating_point_v<T>) {
            sqlite3_bind_double(stmt, n, value);
        } else if constexpr (std::is_same_v<T, WallTime>) {
            sqlite3_bind_int64(stmt, n, to_ms(value));
        } else if constexpr (requires { value.value; }) {
            sqlite3_bind_int64(stmt, n, value.value);
        } else {
            const std::string_view text{value};
            sqlite3_bind_text64(stmt, n, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        }
    }
    Connection& connection_;
    std::optional<Error> error_;
};

}  // namespace conductor::store
