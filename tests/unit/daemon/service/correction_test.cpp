// Evidence corrects a final state upwards, once a round (CONTRACT part 4); and a step that the table does not know is not stored.
#include "daemon/service/reports.hpp"
#include "daemon/service/steps.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

/// Sent, and nobody waits for its report any more.
MessageId closed(Box& box) {
    const auto id = box.sent(41);
    box.now = *box.row(id).report_until;
    box.run([&](Tx& tx) { close_overdue_reports(tx, box.env, box.now, 10); });
    REQUIRE(box.row(id).delivery_status == DeliveryStatus::unknown);
    return id;
}

}  // namespace

TEST_CASE("correction: a report after the end") {
    SUBCASE("delivered: upwards") {
        Box box;
        const auto id = closed(box);
        box.take_in(report(41, st_delivered));
        CHECK(box.status(id) == "delivered");
        CHECK(box.row(id).corrected);
    }
    SUBCASE("failed: not downwards") {
        Box box;
        const auto id = closed(box);
        box.take_in(report(41, st_failed));
        CHECK(box.status(id) == "sent");
        CHECK(!box.row(id).corrected);
    }
}

TEST_CASE("correction: a late answer, once") {
    Box box;
    const auto id = box.add();
    const auto s = box.must_submit(0);
    box.settle(0, Box::ambiguous(s.token));
    REQUIRE(box.status(id) == "unknown");
    box.now += 1min;
    auto row = box.row(id);
    row.delivery_status = DeliveryStatus::unknown;  // final
    box.run([&](Tx& tx) { save(tx, box.env, row, box.now); });
    box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 41, box.now); });
    CHECK(box.status(id) == "sent");
    CHECK(box.row(id).corrected);
    // that report ends the part as failed: no correction, since sent with its report awaited is not final; a second one it does not take
    row = box.row(id);
    CHECK(correct(row, [](MessageRow& m) { m.status = MessageStatus::delivered; }) == !is_final(row.status, row.delivery_status));
    row = box.row(id);
    row.delivery_status = DeliveryStatus::unknown;
    CHECK(!correct(row, [](MessageRow& m) { m.status = MessageStatus::delivered; }));
    CHECK(row.status == MessageStatus::sent);
}

TEST_CASE("correction: a step that is none is not stored") {
    Box box;
    const auto id = box.sent(41);
    box.take_in(report(41, st_delivered));
    auto row = box.row(id);
    REQUIRE(row.status == MessageStatus::delivered);
    row.status = MessageStatus::queued;
    Tx tx{*box.db};
    REQUIRE(box.db->execute("BEGIN IMMEDIATE").has_value());
    save(tx, box.env, row, box.now);
    CHECK(tx.failed());
    CHECK(tx.error()->where.find("queued after delivered") != std::string::npos);
    REQUIRE(box.db->execute("ROLLBACK").has_value());
}
