// The steps that the database lets a message take are those of the code.
#include <doctest/doctest.h>

#include <initializer_list>

#include "daemon/store/messages.hpp"
#include "daemon/store/store.hpp"
#include "daemon/store/tables.hpp"

using namespace conductor;
using namespace conductor::store;

namespace {

struct Base {
    std::unique_ptr<Connection> db;
    Base() {
        auto opened = Connection::open(":memory:");
        REQUIRE(opened.has_value());
        db = std::move(*opened);
        REQUIRE(migrate(*db).has_value());
    }
    /// True when it went through.
    bool sql(const std::string& text) { return db->execute(text.c_str()).has_value(); }
    std::int64_t add(int status, int delivery, int flags = 0) {
        REQUIRE(
            sql("INSERT INTO messages (direction, class, phone, content, status, delivery, due_at, not_before, created_at, flags) "
                "VALUES (0, 1, '+15550100123', 'x', " +
                std::to_string(status) + ", " + std::to_string(delivery) + ", 0, 0, 0, " + std::to_string(flags) + ")"));
        return sqlite3_last_insert_rowid(db->handle());
    }
    bool step(std::int64_t id, int status, int delivery, int flags) {
        return sql("UPDATE messages SET status = " + std::to_string(status) + ", delivery = " + std::to_string(delivery) +
                   ", flags = " + std::to_string(flags) + " WHERE id = " + std::to_string(id));
    }
};

constexpr int delivery_of(int status) {
    return status == 3 ? 2 : status == 4 ? 3 : 1;
}

}  // namespace

TEST_CASE("states: the database takes the steps of CONTRACT part 4 and no other") {
    // from CONTRACT part 4, written down a third time
    const auto allowed = [](int from, int to) {
        const auto in = [to](std::initializer_list<int> list) { return std::find(list.begin(), list.end(), to) != list.end(); };
        if (from == to) return true;
        switch (from) {
            case 0: return in({1, 2, 3, 4, 5, 6, 7, 8, 9});
            case 1: return in({0, 2, 3, 4, 5, 6, 9});
            case 2: return in({3, 4});
            case 4: return in({0, 2, 3});
            case 5:
            case 6:
            case 7:
            case 8:
            case 9: return in({0, 2, 3, 4});
            case 20: return to == 21;
            default: return false;
        }
    };
    Base base;
    for (const int from : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21})
        for (const int to : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21}) {
            CAPTURE(from);
            CAPTURE(to);
            const auto id = base.add(from, delivery_of(from));
            CHECK(base.step(id, to, delivery_of(to), 16) == allowed(from, to));
        }
}

TEST_CASE("states: a final state is corrected once a round") {
    Base base;
    const auto id = base.add(6, 0);
    CHECK(!base.step(id, 2, 1, 0));   // a correction says that it is one
    CHECK(base.step(id, 2, 1, 16));   // expired, but a late answer says that it went out
    CHECK(base.step(id, 4, 3, 16));   // sent with its report awaited is no final state
    CHECK(!base.step(id, 3, 2, 16));  // undelivered is
    CHECK(base.step(id, 0, 0, 0));    // a new round
    CHECK(base.step(id, 1, 0, 0));
    CHECK(base.step(id, 9, 1, 0));
    CHECK(base.step(id, 3, 2, 0));  // unknown with its report awaited is no final state
    const auto closed = base.add(9, 4);
    CHECK(!base.step(closed, 3, 2, 0));
    CHECK(base.step(closed, 3, 2, 16));
}

TEST_CASE("states: delivered and undelivered say so twice") {
    Base base;
    const auto id = base.add(2, 1);
    CHECK(!base.step(id, 3, 1, 0));
    CHECK(!base.step(id, 4, 1, 0));
    CHECK(base.step(id, 3, 2, 0));
}

TEST_CASE("journal: one open outcome a modem, and none is forgotten") {
    Base base;
    const std::string open = "INSERT INTO attempts (message_id, seq, modem_index, started_at) VALUES (1, 1, 0, 0)";
    REQUIRE(base.add(1, 0) == 1);
    CHECK(base.sql(open));
    CHECK(base.sql("UPDATE messages SET modem_index = 0, last_attempt = 1"));
    CHECK(!base.sql(open));
    CHECK(base.sql("INSERT INTO attempts (message_id, seq, modem_index, started_at) VALUES (2, 1, 1, 0)"));  // another modem
    CHECK(base.sql("UPDATE attempts SET slot = 5 WHERE id = 1"));  // it lies in the modem, which tells what became of it
    CHECK(base.sql(open));
    CHECK(base.sql("UPDATE attempts SET outcome = 2 WHERE id = 1"));
    CHECK(!base.sql("UPDATE attempts SET outcome = NULL WHERE id = 1"));
    CHECK(!base.sql("UPDATE attempts SET outcome = 3 WHERE id = 1"));
    CHECK(base.sql("UPDATE attempts SET outcome = 0 WHERE id = 1"));  // evidence
    CHECK(!base.sql("UPDATE attempts SET outcome = 2 WHERE id = 1"));
}
