#include <algorithm>
#include <charconv>

#include "daemon/store/migrations.hpp"
#include "daemon/store/store.hpp"

namespace conductor::store {
namespace {

/// The number in front of a migration's name is the schema version that it makes.
std::int64_t version_of(const Migration& migration) {
    std::int64_t version = 0;
    std::from_chars(migration.name.data(), migration.name.data() + migration.name.size(), version);
    return version;
}

constexpr std::int64_t rebuilt_at_start = 16 << 20;  // octets: takes well below a second

/// Databases made before freed pages could be given back to the disk are rebuilt when they are small. A large one keeps its free pages
/// and fills them again.
Result<void> give_pages_back(Connection& connection) {
    Tx tx{connection};
    const auto value = [&tx](const char* sql) {
        Rows rows = tx.query(sql);
        return rows.next() ? rows.i64(0) : 0;
    };
    const bool keeps = value("PRAGMA auto_vacuum") == 0;
    const auto size = value("PRAGMA page_count") * value("PRAGMA page_size");
    if (tx.failed()) return *tx.error();
    if (!keeps || size > rebuilt_at_start) return {};
    if (auto set = connection.execute("PRAGMA auto_vacuum = INCREMENTAL"); !set) return set;
    return connection.execute("VACUUM");
}

/// Sorts larger than the cache go to a temporary file meanwhile.
class BigSorts {
public:
    explicit BigSorts(Connection& connection) : connection_{connection} { set("PRAGMA temp_store = FILE"); }
    ~BigSorts() { set("PRAGMA temp_store = MEMORY"); }
    BigSorts(const BigSorts&) = delete;
    BigSorts& operator=(const BigSorts&) = delete;

private:
    void set(const char* pragma) { [[maybe_unused]] const auto set = connection_.execute(pragma); }  // speed and memory alone
    Connection& connection_;
};

}  // namespace

std::int64_t newest_schema() {
    const auto migrations = all_migrations();
    return migrations.empty() ? 0 : version_of(migrations.back());
}

Result<std::int64_t> schema_of(Connection& connection) {
    Tx tx{connection};
    std::int64_t version = 0;
    for (Rows rows = tx.query("PRAGMA user_version"); rows.next();) version = rows.i64(0);
    if (tx.failed()) return *tx.error();
    return version;
}

Result<void> migrate(Connection& connection) {
    const auto version = schema_of(connection);
    if (!version) return version.error();
    if (*version > newest_schema())
        return fail(StoreErrc::newer_schema, "schema " + std::to_string(*version) + ", known " + std::to_string(newest_schema()));
    if (*version > 0)
        if (auto rebuilt = give_pages_back(connection); !rebuilt) return rebuilt;
    // a new index sorts every key there is: not in the memory of a small box
    const BigSorts on_disk{connection};
    for (const auto& migration : all_migrations()) {
        if (version_of(migration) <= *version) continue;
        const std::string sql = "BEGIN IMMEDIATE;" + std::string{migration.sql} +
                                ";PRAGMA user_version = " + std::to_string(version_of(migration)) + ";COMMIT;";
        if (auto done = connection.execute(sql.c_str()); !done) {
            if (!sqlite3_get_autocommit(connection.handle())) sqlite3_exec(connection.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
            Error error = done.error();
            error.where = std::string{migration.name} + ": " + error.where;
            return error;
        }
    }
    return {};
}

}  // namespace conductor::store
