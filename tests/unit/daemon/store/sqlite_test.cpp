#include "daemon/store/sqlite.hpp"

#include <doctest/doctest.h>

#include "daemon/core/message.hpp"

using namespace conductor;
using namespace conductor::store;

namespace {
std::unique_ptr<Connection> memory(const char* schema) {
    auto opened = Connection::open(":memory:");
    REQUIRE(opened.has_value());
    REQUIRE((*opened)->execute(schema).has_value());
    return std::move(*opened);
}
}  // namespace

TEST_CASE("sqlite: values go in and come out") {
    auto db = memory("CREATE TABLE t (v)");
    Tx tx{*db};
    const auto back = [&](const auto& value, auto read) {
        tx.run("DELETE FROM t");
        CHECK(tx.run("INSERT INTO t (v) VALUES (?)", value) == 1);
        Rows q = tx.query("SELECT v FROM t");
        REQUIRE(q.next());
        return read(q);
    };
    const auto text = [](const Rows& q) { return q.text(0); };
    const auto i64 = [](const Rows& q) { return q.i64(0); };
    CHECK(back(std::string{"\xC3\xA4"}, text) == "\xC3\xA4");
    CHECK(back(std::string{"a\0b", 3}, text) == std::string{"a\0b", 3});
    CHECK(back(std::string_view{}, [](const Rows& q) { return !q.null(0) && q.text(0).empty(); }));
    CHECK(back("literal", text) == "literal");
    CHECK(back(INT64_MIN, i64) == INT64_MIN);
    CHECK(back(std::uint64_t{1} << 63, [](const Rows& q) { return static_cast<std::uint64_t>(q.i64(0)); }) == std::uint64_t{1} << 63);
    CHECK(back(true, [](const Rows& q) { return q.flag(0); }));
    CHECK(back(0.25, [](const Rows& q) { return q.real(0); }) == 0.25);
    CHECK(back(MessageStatus::unread, [](const Rows& q) { return q.as<MessageStatus>(0); }) == MessageStatus::unread);
    CHECK(back(MessageId{17}, i64) == 17);
    CHECK(back(from_ms(1764007200123), [](const Rows& q) { return q.time(0); }) == from_ms(1764007200123));
    CHECK(back(nullptr, [](const Rows& q) { return q.null(0); }));
    CHECK(back(std::optional<int>{}, [](const Rows& q) { return !q.opt_i32(0); }));
    CHECK(back(std::optional{5}, [](const Rows& q) { return q.opt_i32(0); }) == 5);
    CHECK(back(std::optional<std::string>{"x"}, [](const Rows& q) { return q.opt_text(0); }) == "x");
    CHECK(back(std::optional<WallTime>{}, [](const Rows& q) { return !q.opt_time(0); }));
    CHECK_FALSE(tx.failed());
}

TEST_CASE("sqlite: the first error sticks") {
    auto db = memory("CREATE TABLE t (v NOT NULL UNIQUE)");
    Tx tx{*db};
    CHECK(tx.run("INSERT INTO t VALUES (1)") == 1);
    CHECK(tx.run("INSERT INTO t VALUES (?)", nullptr) == 0);
    REQUIRE(tx.failed());
    CHECK(tx.error()->is(StoreErrc::constraint));
    const auto first = *tx.error();
    CHECK(tx.run("INSERT INTO t VALUES (2)") == 0);
    CHECK_FALSE(tx.query("SELECT v FROM t").next());
    CHECK(tx.run("no SQL at all") == 0);
    tx.fail(fail(StoreErrc::cancelled));
    CHECK(*tx.error() == first);
    tx.clear();
    Rows q = tx.query("SELECT count(*) FROM t");
    REQUIRE(q.next());
    CHECK(q.i64(0) == 1);
}

TEST_CASE("sqlite: an error in the middle of the rows ends them") {
    auto db = memory("CREATE TABLE t (v); INSERT INTO t VALUES (1), (2), (3)");
    Tx tx{*db};
    int rows = 0;
    for (Rows q = tx.query("SELECT v FROM t"); q.next(); ++rows) tx.fail(fail(StoreErrc::cancelled));
    CHECK(rows == 1);
}

TEST_CASE("sqlite: a statement can be run again and again") {
    auto db = memory("CREATE TABLE t (v)");
    Tx tx{*db};
    for (int n = 0; n < 100; ++n) CHECK(tx.run("INSERT INTO t VALUES (?)", n) == 1);
    for (int n = 0; n < 3; ++n) {
        Rows q = tx.query("SELECT v FROM t ORDER BY v");  // left after its first row
        REQUIRE(q.next());
        CHECK(q.i64(0) == 0);
    }
    CHECK(db->execute("DROP TABLE t").has_value());  // nothing still reads it
}

TEST_CASE("sqlite: what its codes mean") {
    struct Row {
        int code;
        StoreErrc want;
    };
    const Row rows[] = {{SQLITE_CANTOPEN, StoreErrc::open},
                        {SQLITE_READONLY, StoreErrc::read_only},
                        {SQLITE_BUSY, StoreErrc::locked},
                        {SQLITE_BUSY_SNAPSHOT, StoreErrc::locked},
                        {SQLITE_FULL, StoreErrc::full},
                        {SQLITE_CORRUPT, StoreErrc::corrupt},
                        {SQLITE_NOTADB, StoreErrc::corrupt},
                        {SQLITE_IOERR_FSYNC, StoreErrc::io},
                        {SQLITE_CONSTRAINT_UNIQUE, StoreErrc::constraint},
                        {SQLITE_MISUSE, StoreErrc::failed}};
    for (const Row& row : rows) {
        CAPTURE(row.code);
        CHECK(store_errc(row.code) == row.want);
        CHECK_FALSE(describe(row.want).empty());
    }
}
