// Status reports: to which message they belong, in whatever order they come (TS 23.040 §9.2.3.15, CONTRACT part 4).
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

struct Seen {
    std::string status, delivery, reason;
    bool operator==(const Seen&) const = default;
};
Seen seen(Box& box, MessageId id) {
    const auto row = box.row(id);
    return {std::string{to_string(row.status)}, std::string{to_string(row.delivery_status)}, row.reason.value_or("")};
}

}  // namespace

TEST_CASE("reports: what TP-ST makes of a message") {
    struct Row {
        std::string name;
        std::vector<int> tp_st;  ///< in the order of their arrival
        Seen want;
    };
    const Row rows[] = {
        {"received", {st_delivered}, {"delivered", "delivered", ""}},
        {"forwarded, not confirmed", {st_unconfirmed}, {"delivered", "delivered", "unconfirmed"}},
        {"replaced", {0x02}, {"delivered", "delivered", ""}},
        {"still trying", {st_trying}, {"sent", "pending", ""}},
        {"reserved: it has ended, how is not said", {0x80}, {"sent", "unknown", ""}},
        {"reserved, then received", {0xFF, st_delivered}, {"delivered", "delivered", ""}},
        {"permanent error", {st_failed}, {"undelivered", "failed", "not-delivered"}},
        {"validity expired", {st_expired}, {"undelivered", "failed", "validity-expired"}},
        {"gave up", {0x60}, {"undelivered", "failed", "not-delivered"}},
        {"trying, then received", {st_trying, st_delivered}, {"delivered", "delivered", ""}},
        {"failed, then received", {st_failed, st_delivered}, {"delivered", "delivered", ""}},
        {"received, then failed: a delivery stands", {st_delivered, st_failed}, {"delivered", "delivered", ""}},
        {"received, then expired", {st_delivered, st_expired}, {"delivered", "delivered", ""}},
        {"received, then trying", {st_delivered, st_trying}, {"delivered", "delivered", ""}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = box.sent(41);
        int second = 10;
        for (const int tp_st : row.tp_st) CHECK_FALSE(box.take_in(report(41, tp_st, phone, ++second)).undecodable);
        const auto got = seen(box, id);
        CHECK(got.status == row.want.status);
        CHECK(got.delivery == row.want.delivery);
        CHECK(got.reason == row.want.reason);
        CHECK(box.row(id).delivered_at.has_value() == (row.want.status == "delivered"));
    }
}

TEST_CASE("reports: the time of a delivery is the service centre's") {
    Box box;
    const auto id = box.sent(41);
    box.now += 5min;
    box.take_in(report(41, st_delivered, phone, 30));
    CHECK(box.row(id).delivered_at == *parse_rfc3339("2026-11-24T18:00:30Z"));
    CHECK_FALSE(box.row(id).report_until.has_value());
}

TEST_CASE("reports: the same one twice counts once") {
    Box box;
    const auto id = box.sent(41);
    box.told();
    CHECK_FALSE(box.take_in(report(41, st_delivered)).duplicate);
    CHECK(box.take_in(report(41, st_delivered)).duplicate);
    CHECK(box.status(id) == "delivered");
    CHECK(box.told() == std::vector<std::string>{"delivered/delivered"});
}

TEST_CASE("reports: all parts delivered is delivered, any failed is undelivered") {
    struct Row {
        std::string name;
        std::vector<std::pair<int, int>> reports;  ///< TP-MR, TP-ST
        const char* status;
    };
    const Row rows[] = {
        {"two of three", {{1, st_delivered}, {3, st_delivered}}, "sent"},
        {"three, out of order", {{3, st_delivered}, {1, st_delivered}, {2, st_delivered}}, "delivered"},
        {"one failed", {{1, st_delivered}, {2, st_failed}}, "undelivered"},
        {"first failed, then the others came", {{1, st_failed}, {2, st_delivered}, {3, st_delivered}}, "undelivered"},
        {"the failed one came after all", {{1, st_failed}, {2, st_delivered}, {3, st_delivered}, {1, st_delivered}}, "delivered"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = box.add(Box::text_of(3));
        auto sent = box.submit(0);
        for (int mr = 1; mr <= 3; ++mr) {
            REQUIRE(sent.has_value());
            sent = Box::sent_of(box.pick(0, Box::accepted(sent->token, mr)), 0);
        }
        REQUIRE(box.status(id) == "sent");
        int second = 10;
        for (const auto& [mr, st] : row.reports) box.take_in(report(mr, st, phone, ++second));
        CHECK(box.status(id) == row.status);
    }
}

TEST_CASE("reports: one that comes before its +CMGS was stored") {
    Box box;
    const auto id = box.add();
    const auto sent = box.must_submit(0);
    SUBCASE("is kept and bound") {
        CHECK_FALSE(box.take_in(report(41, st_delivered)).undecodable);
        CHECK(box.status(id) == "sending");
        box.settle(0, Box::accepted(sent.token, 41));
        CHECK(seen(box, id) == Seen{"delivered", "delivered", ""});
        CHECK(box.row(id).sent_at.has_value());
    }
    SUBCASE("of another reference is not") {
        box.take_in(report(42, st_delivered));
        box.settle(0, Box::accepted(sent.token, 41));
        CHECK(box.status(id) == "sent");
    }
    SUBCASE("of another SIM is not") {
        box.take_in(report(41, st_delivered), 1);
        box.settle(0, Box::accepted(sent.token, 41));
        CHECK(box.status(id) == "sent");
    }
    SUBCASE("decides an outcome that stayed open") {
        box.take_in(report(41, st_delivered));
        box.settle(0, Box::ambiguous(sent.token));
        CHECK(seen(box, id) == Seen{"delivered", "delivered", ""});
    }
    SUBCASE("of another SIM decides none") {
        box.take_in(report(41, st_delivered), 1);
        box.settle(0, Box::ambiguous(sent.token));
        CHECK(box.status(id) == "unknown");
    }
    SUBCASE("binds a late +CMGS too") {
        box.settle(0, Box::ambiguous(sent.token));
        box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 41, box.now); });
        box.take_in(report(41, st_delivered));
        CHECK(box.status(id) == "delivered");
    }
}

TEST_CASE("reports: one kept from an earlier submission is not bound to a later one") {
    Box box;
    box.take_in(report(41, st_failed));
    box.now += 1h;
    const auto id = box.sent(41);
    CHECK(box.status(id) == "sent");
}

TEST_CASE("reports: prove that a message of unknown outcome went out") {
    struct Row {
        std::string name;
        int tp_st;
        Seen want;
    };
    const Row rows[] = {{"delivered", st_delivered, {"delivered", "delivered", ""}},
                        {"still trying", st_trying, {"sent", "pending", ""}},
                        {"failed", st_failed, {"undelivered", "failed", "not-delivered"}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = box.add();
        box.settle(0, Box::ambiguous(box.must_submit(0).token));
        REQUIRE(box.status(id) == "unknown");
        box.take_in(report(200, row.tp_st));
        const auto got = seen(box, id);
        CHECK(got.status == row.want.status);
        CHECK(got.delivery == row.want.delivery);
        CHECK(got.reason == row.want.reason);
        CHECK(box.row(id).parts[0].tp_mr == 200);
    }
}

TEST_CASE("reports: a reference that was seen wins over a part of unknown outcome") {
    Box box;
    const auto known = box.sent(41, "First.");
    const auto open = box.add("Second.");
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    box.take_in(report(41, st_delivered));
    CHECK(box.status(known) == "delivered");
    CHECK(box.status(open) == "unknown");
    box.take_in(report(42, st_delivered));
    CHECK(box.status(open) == "delivered");
}

TEST_CASE("reports: of two messages with a reference the one of that day gets it, of the same SIM") {
    Box box;
    const auto old = box.sent(41, "First.");
    box.now += 24h;
    const auto young = box.sent(41, "Second.");
    box.take_in(report(41, st_delivered), 1);  // the other SIM never sent it
    CHECK(box.status(old) == "sent");
    CHECK(box.status(young) == "sent");
    box.take_in(report(41, st_delivered, phone, 31, 25));
    CHECK(box.status(young) == "delivered");
    CHECK(box.status(old) == "sent");
    box.take_in(report(41, st_delivered, phone, 32, 24));
    CHECK(box.status(old) == "delivered");
}

TEST_CASE("reports: an old message's reference does not take the report of one without a reference") {
    Box box;
    const auto old = box.sent(41, "First.");  // it expired after a day
    box.now += 24h * 3;
    const auto young = box.add("Second.");
    const auto s = box.must_submit(0);
    REQUIRE(s.message == young);
    box.settle(0, Box::ambiguous(s.token));
    box.take_in(report(41, st_delivered, phone, 30, 27));
    CHECK(box.status(young) == "delivered");
    CHECK(box.status(old) == "sent");
    box.take_in(report(41, st_delivered, phone, 30, 29));  // a centre whose clock is days ahead, and nobody else's report
    CHECK(box.status(old) == "delivered");
}

TEST_CASE("reports: a recipient in another form") {
    struct Row {
        std::string written;
        bool found;
    };
    for (const Row& row : {Row{"15550100123", true}, Row{"5550100123", true}, Row{"0015550100123", true}, Row{"5550100124", false}}) {
        CAPTURE(row.written);
        Box box;
        const auto id = box.sent(41);
        box.take_in(report(41, st_delivered, row.written));
        CHECK((box.status(id) == "delivered") == row.found);
    }
}

TEST_CASE("reports: one that did not come in time") {
    Box box;
    const auto id = box.sent(41);
    const auto until = *box.row(id).report_until;
    CHECK(until == *box.row(id).expires_at + Limits::report_grace);
    box.told();
    box.now = until - 1ms;
    CHECK(box.run([&](Tx& tx) { return close_overdue_reports(tx, box.env, box.now, 100); }).empty());
    box.now = until;
    CHECK(box.run([&](Tx& tx) { return close_overdue_reports(tx, box.env, box.now, 100); }).size() == 1);
    CHECK(seen(box, id) == Seen{"sent", "unknown", ""});
    CHECK(box.told() == std::vector<std::string>{"sent/unknown"});
    CHECK(box.run([&](Tx& tx) { return close_overdue_reports(tx, box.env, box.now, 100); }).empty());
    box.take_in(report(41, st_delivered));  // evidence corrects it upwards
    CHECK(seen(box, id) == Seen{"delivered", "delivered", ""});
    CHECK(box.told() == std::vector<std::string>{"delivered/delivered"});
}

TEST_CASE("reports: a message that asked for none is final when it is sent") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "No report.";
    m.message_class = MessageClass::transactional;
    m.report = false;
    const auto id = box.add(m);
    const auto sent = box.must_submit(0);
    CHECK_FALSE(sent.tpdu.report_request);
    box.settle(0, Box::accepted(sent.token, 1));
    CHECK(seen(box, id) == Seen{"sent", "none", ""});
    CHECK_FALSE(box.row(id).report_until.has_value());
}

TEST_CASE("reports: one while the next part waits") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    box.settle(0, Box::accepted(box.must_submit(0).token, 41));
    REQUIRE(box.status(id) == "queued");
    box.take_in(report(41, st_delivered));
    CHECK(box.parts(id) == "1:delivered 2:waiting");
    CHECK(box.status(id) == "queued");
    box.settle(0, Box::accepted(box.must_submit(0).token, 42));
    CHECK(box.status(id) == "sent");
    box.take_in(report(42, st_delivered));
    CHECK(box.status(id) == "delivered");
}

TEST_CASE("reports: an old delivered part does not swallow a report") {
    Box box;
    const auto old = box.sent(41, "Last week.");
    box.take_in(report(41, st_delivered, phone, 1));
    CHECK(box.status(old) == "delivered");
    box.now += 24h * 5;
    const auto open = box.add("Today.");
    SUBCASE("part of unknown outcome") {
        box.settle(0, Box::ambiguous(box.must_submit(0).token));
        box.take_in(report(41, st_delivered, phone, 2, 24 + 5));
    }
    SUBCASE("report before +CMGS") {
        const auto sent = box.must_submit(0);
        box.take_in(report(41, st_delivered, phone, 2, 24 + 5));
        box.settle(0, Box::accepted(sent.token, 41));
    }
    CHECK(box.status(open) == "delivered");
}

TEST_CASE("reports: an incomplete set keeps its reason") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    const auto second = Box::sent_of(box.pick(0, Box::accepted(box.must_submit(0).token, 1)), 0);
    box.settle(0, Box::refused(second->token, 1));
    CHECK(box.reason(id) == "incomplete");
    box.take_in(report(1, st_delivered));
    CHECK(box.status(id) == "undelivered");
    CHECK(box.reason(id) == "incomplete");
}

TEST_CASE("reports: a failed part keeps its reason when another one is delivered") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    const auto second = Box::sent_of(box.pick(0, Box::accepted(box.must_submit(0).token, 1)), 0);
    box.settle(0, Box::accepted(second->token, 2));
    box.take_in(report(1, st_failed));
    box.take_in(report(2, st_delivered));
    CHECK(box.status(id) == "undelivered");
    CHECK(box.reason(id) == "not-delivered");
}

TEST_CASE("reports: evidence corrects an expired message") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    box.now = *box.row(id).expires_at;
    box.submit(0);
    box.take_in(report(9, st_delivered));
    CHECK(box.status(id) == "delivered");
}

TEST_CASE("reports: one that changes nothing is no change") {
    Box box;
    box.sent(41);
    CHECK(box.take_in(report(41, st_delivered, phone, 1)).changed.size() == 1);
    CHECK(box.take_in(report(41, st_failed, phone, 2)).changed.empty());
}

TEST_CASE("reports: the 500th costs what the first ones did") {
    Box box;
    int n = 0;
    const auto cost_of_next = [&] {
        const std::string to = fmt::format("+1555010{:04}", ++n);
        box.sent(n % 256, "Your order is ready.", to);
        driver::Incoming incoming{.hex = report(n % 256, st_delivered, to), .by = {.iccid = Box::iccid_of(0)}};
        return box.steps_of([&](Tx& tx) {
            auto arrived = service::take_in(tx, box.env, incoming, box.now);
            CHECK(arrived.changed.size() == 1);
            return arrived;
        });
    };
    for (int i = 0; i < 10; ++i) cost_of_next();
    const auto early = cost_of_next();
    while (n < 500) cost_of_next();
    CHECK(cost_of_next() <= early + 200);
    // nor does the look for the last ones of a SIM, whose clock is asked for where a report may be too late
    CHECK(box.steps_of([](Tx& tx) { return store::matched_reports(tx, Box::iccid_of(0), 3); }) < 500);
}
