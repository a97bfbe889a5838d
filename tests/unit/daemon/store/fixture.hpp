#pragma once
// A database in memory, and a transaction of it.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/messages.hpp"
#include "daemon/store/store.hpp"
#include "daemon/store/tables.hpp"

namespace conductor::store::test {

using namespace std::chrono_literals;

struct Fixture {
    std::unique_ptr<Connection> db;
    std::optional<Tx> tx;
    WallTime now = *parse_rfc3339("2026-11-24T18:00:00Z");
    Fixture() {
        auto opened = Connection::open(":memory:");
        REQUIRE(opened.has_value());
        db = std::move(*opened);
        REQUIRE(migrate(*db).has_value());
        tx.emplace(*db);
    }
    ~Fixture() { CHECK_FALSE(tx->failed()); }
    MessageRow row(std::string phone = "+15550100123", std::string content = "Hi.") const {
        MessageRow r;
        r.phone_number = std::move(phone);
        r.content = std::move(content);
        r.timestamp = r.not_before = now;
        r.due_at = now;
        r.parts = {{.seq = 1}};
        return r;
    }
    MessageId add(MessageRow r) {
        insert(*tx, r);
        return r.id;
    }
};

inline std::vector<std::int64_t> ids(const std::vector<MessageRow>& rows) {
    std::vector<std::int64_t> out;
    for (const auto& row : rows) out.push_back(row.id.value);
    return out;
}
using Ids = std::vector<std::int64_t>;

}  // namespace conductor::store::test
