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

// What can never be stored (here a trigger of the test's own) holds up nobody else.

TEST_CASE("a step that can never be stored: the start settles the others") {
    Box box;
    const auto bad = box.add("One.");
    const auto good = box.add("Two.", other_phone);
    box.must_submit(0);
    box.must_submit(1);
    const auto refuse = [&](const std::string& when) {
        const std::string sql = "CREATE TRIGGER refuse BEFORE UPDATE ON messages WHEN OLD.id = " + std::to_string(bad.value) + " AND " +
                                when + " BEGIN SELECT RAISE(ABORT, 'refused'); END";
        REQUIRE(box.db->execute(sql.c_str()).has_value());
    };
    SUBCASE("the message is unknown, and says so") {
        refuse("NEW.reason IS NOT 'step-failed'");
        box.run([&](Tx& tx) { recover(tx, box.env, {}, box.now); });
        CHECK(box.status(bad) == "unknown");
        CHECK(box.reason(bad) == "step-failed");
    }
    SUBCASE("nothing of it can be changed: its attempt is closed all the same") {
        refuse("1");
        box.run([&](Tx& tx) { recover(tx, box.env, {}, box.now); });
        CHECK(box.status(bad) == "sending");
    }
    CHECK(box.status(good) == "unknown");
    CHECK(box.reason(good) == "restarted");
    CHECK(box.run([](Tx& tx) { return store::open_attempts(tx).empty(); }));
    const auto next = box.add("Three.", other_phone);
    CHECK(box.must_submit(0).message == next);
}

TEST_CASE("a message whose journal can never be stored lets the others go first") {
    Box box;
    const auto bad = box.add("One.");
    const auto good = box.add("Two.", other_phone);
    REQUIRE(box.db
                ->execute("CREATE TRIGGER refuse BEFORE UPDATE ON messages WHEN OLD.id = 1 AND NEW.status = 1"
                          " BEGIN SELECT RAISE(ABORT, 'refused'); END")
                .has_value());
    REQUIRE(bad.value == 1);
    CHECK(box.must_submit(0).message == good);
    CHECK(box.status(bad) == "queued");
    CHECK(box.reason(bad) == "put-aside");
    CHECK(box.row(bad).not_before == box.now + 1h);
    CHECK(box.parts(bad) == "1:waiting");
    CHECK_FALSE(box.submit(1).has_value());
    REQUIRE(box.db->execute("DROP TRIGGER refuse").has_value());
    box.now += 1h;
    CHECK(box.must_submit(1).message == bad);
}

TEST_CASE("a report that can never be stored is kept raw, and shown") {
    Box box;
    const auto id = box.sent(41);
    REQUIRE(box.db->execute("CREATE TRIGGER refuse BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'refused'); END").has_value());
    driver::Incoming incoming;
    incoming.hex = report(41, st_delivered);
    incoming.kind = driver::Incoming::Kind::report;
    const auto kept = box.run([&](Tx& tx) {
        Arrived arrived;
        const auto failed = tx.alone([&] { take_in(tx, box.env, incoming, box.now); });
        REQUIRE(failed.has_value());
        return keep_raw(tx, incoming, *failed, box.now);
    });
    CHECK(box.status(id) == "sent");
    REQUIRE(kept.unreadable.has_value());
    CHECK(box.row(*kept.unreadable).reason_text->find(incoming.hex) != std::string::npos);
    CHECK(box.run([&](Tx& tx) { return keep_raw(tx, incoming, fail(store::StoreErrc::failed, "again"), box.now).duplicate; }));
}

TEST_CASE("pick: what the limits of the SIM have no room for does not begin") {
    Box box;
    const auto id = box.add(Box::text_of(3));
    PickRequest request{.modem = 0, .iccid = Box::iccid_of(0), .room = 2, .most_room = 20, .now = box.now};
    const auto pick = [&] { return box.run([&](Tx& tx) { return settle_and_pick(tx, box.env, request); }); };
    auto answer = pick();
    CHECK_FALSE(answer.submission.has_value());
    CHECK(answer.needs_room == 3);
    CHECK(box.status(id) == "queued");
    request.room = 3;
    answer = pick();
    REQUIRE(answer.submission.has_value());
    CHECK(answer.needs_room == 0);
    CHECK(answer.not_after == box.row(id).expires_at);
    box.settle(0, Box::accepted(answer.submission->token, 1));
    request.room = 1;
    CHECK(pick().submission.has_value());  // what has begun is completed as there is room
    box.add(Box::text_of(4), other_phone);
    request.modem = 1;
    request.iccid = Box::iccid_of(1);
    request.most_room = 3;
    CHECK(pick().submission.has_value());  // there is never room for it at once
}

TEST_CASE("pick: shorter messages pass one that the SIM has no room for, until it was passed as often as it has parts") {
    Box box;
    auto number = [next = 0]() mutable { return "+155501001" + std::to_string(10 + next++); };
    const std::string to = number();
    const auto id = box.add(Box::text_of(3), to);
    box.now += 1s;
    for (int n = 0; n < 20; ++n) box.add(Box::text_of(3), number());
    box.now += 1s;
    PickRequest request{.modem = 0, .iccid = Box::iccid_of(0), .room = 2, .most_room = 20, .now = box.now};
    const auto pick = [&] { return box.run([&](Tx& tx) { return settle_and_pick(tx, box.env, request); }); };
    auto answer = pick();
    CHECK_FALSE(answer.submission.has_value());
    CHECK(answer.kept_for == id);
    CHECK((!answer.look_again || *answer.look_again > box.now));  // it is not asked again and again
    box.run([&](Tx& tx) { tx.run("DELETE FROM messages WHERE id > ?", id); });
    const auto behind = box.add("Short, to the same number.", to);
    box.now += 1h;  // so long that nobody would wait for it
    request.now = box.now;
    for (int n = 0; n < 5; ++n) box.add("Short.", number());
    for (int passed = 0; passed < 3; ++passed) {
        request.kept_for = answer.kept_for;
        request.passed = passed;
        answer = pick();
        REQUIRE(answer.submission.has_value());
        CHECK(answer.message != behind);
        CHECK(answer.needs_room == 3);
        CHECK(answer.kept_for == id);
        box.settle(0, Box::accepted(answer.submission->token, passed));
    }
    request.passed = 3;
    CHECK_FALSE(pick().submission.has_value());
    request.room = 3;
    answer = pick();
    REQUIRE(answer.submission.has_value());
    CHECK(answer.message == id);
    CHECK(answer.kept_for == MessageId{});
}

TEST_CASE("expiry: what no modem looks at ends, some rows at a time") {
    Box box;
    std::vector<MessageId> ids;
    for (int n = 0; n < 5; ++n) ids.push_back(box.add("No. " + std::to_string(n), n == 4 ? other_phone : phone));
    const auto walk = [&](store::ReadyCursor& at) { return box.run([&](Tx& tx) { return store::ready_and_expired(tx, at, box.now, 2); }); };
    store::ReadyCursor at;
    CHECK(walk(at).empty());
    box.now = *box.row(ids[0]).expires_at;
    at = {};
    std::vector<MessageId> found;
    for (int n = 0; n < 3; ++n)
        for (const auto id : walk(at)) found.push_back(id);
    CHECK(found == ids);
    CHECK(at.id == 0);  // at the head again
    box.run([&](Tx& tx) { return expire_overdue(tx, box.env, found, box.now, 100); });
    for (const auto id : ids) CHECK(box.status(id) == "expired");
}

TEST_CASE("a long queue: what is looked at again and again is bounded") {
    Box box;
    const auto first = box.add("The first.");
    box.run([&](Tx& tx) {
        auto row = *store::find(tx, first);
        for (int ready = 0; ready < 4; ++ready)
            for (int n = 0; n < 500; ++n) {
                store::insert(tx, row);
                tx.run("UPDATE messages SET ready = ?, lease_until = ? WHERE id = ?", ready, box.now + 1h, tx.last_id());
            }
    });
    const auto counted = [&](std::int64_t most) { return box.run([&](Tx& tx) { return store::count_queue(tx, most); }); };
    CHECK(counted(1000).ready == 501);
    CHECK(counted(1000).open() == 2001);
    CHECK(counted(10).go == 10);
    CHECK(counted(10).open() == 40);
    CHECK(box.steps_of([](Tx& tx) { return store::count_queue(tx, 10).open(); }) < 1000);
    CHECK(box.steps_of([](Tx& tx) { return store::count_held(tx, 1); }) < 300);
    store::ReadyCursor at;
    box.now += 2h;
    CHECK(box.steps_of([&](Tx& tx) { return store::ready_and_expired(tx, at, box.now, 10, store::Gate::go).size(); }) < 1000);
    std::size_t found = 10;
    while (at.id != 0) found += box.run([&](Tx& tx) { return store::ready_and_expired(tx, at, box.now, 100, store::Gate::go).size(); });
    CHECK(found == 500);
}

TEST_CASE("parts that wait too long are found among thousands of reports that match nothing") {
    Box box;
    box.run([&](Tx& tx) {
        store::IncomingRow row{.kind = 1, .received_at = box.now - 5h, .sender = other_phone};
        for (row.fingerprint = 0; row.fingerprint < 3000; ++row.fingerprint) store::insert_incoming(tx, row);
        row.kind = 0;
        row.ref = 7;
        row.total = 2;
        for (const auto age : {2h, 3h, 0h}) {
            row.fingerprint = 10'000 + age.count();
            row.received_at = box.now - age;
            store::insert_incoming(tx, row);
        }
    });
    std::vector<store::IncomingRow> stale;
    CHECK(box.steps_of([&](Tx& tx) { return (stale = store::stale_parts(tx, box.now - 1h, 10)).size(); }) < 500);
    REQUIRE(stale.size() == 2);
    CHECK(stale[0].fingerprint == 10'003);
    CHECK(stale[1].fingerprint == 10'002);
}
