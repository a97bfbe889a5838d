#include <array>

#include "daemon/store/migrations.hpp"
#include "daemon/store/store.hpp"

namespace conductor::store {

Result<void> migrate(Connection& connection) {
    Tx tx{connection};
    std::int64_t version = 0;
    for (Rows rows = tx.query("PRAGMA user_version"); rows.next();) version = rows.i64(0);
    if (tx.failed()) return *tx.error();
    const auto migrations = all_migrations();
    if (version > static_cast<std::int64_t>(migrations.size()))
        return fail(StoreErrc::newer_schema, "schema " + std::to_string(version) + ", known " + std::to_string(migrations.size()));
    for (std::size_t n = static_cast<std::size_t>(version); n < migrations.size(); ++n) {
        const std::string sql =
            "BEGIN IMMEDIATE;" + std::string{migrations[n].sql} + ";PRAGMA user_version = " + std::to_string(n + 1) + ";COMMIT;";
        if (auto done = connection.execute(sql.c_str()); !done) {
            if (!sqlite3_get_autocommit(connection.handle())) sqlite3_exec(connection.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
            return fail(StoreErrc::failed, std::string{migrations[n].name} + ": " + done.error().where);
        }
    }
    return {};
}

}  // namespace conductor::store
