// A report with a reference that nobody saw: which submission it is of follows from the service centre's time (TS 23.040 §9.2.2.3).
#include "daemon/service/steps.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

/// Of a message that the centre took `after` 18:00:00 by its own clock.
std::string report_taken(int tp_mr, std::chrono::seconds after, int tp_st = st_delivered) {
    pdu::StatusReport r;
    r.mr = static_cast<std::uint8_t>(tp_mr);
    r.recipient = pdu::address_of(phone);
    const std::chrono::seconds of_day = 18h + after;
    r.time = stamp(static_cast<int>(of_day % 1min / 1s), static_cast<int>(of_day % 1h / 1min));
    r.time.hour = static_cast<int>(of_day / 1h);
    r.discharge = r.time;
    r.status = static_cast<std::uint8_t>(tp_st);
    return hex_of(r);
}

/// A submission that gets no answer: 75 s.
void unanswered(Box& box, ModemIndex modem = 0) {
    const auto sent = box.must_submit(modem);
    box.now += 75s;
    box.settle(modem, Box::ambiguous(sent.token));
}

struct Two {
    Box box;
    MessageId first, second;
    Two() {
        first = box.add("First.");
        unanswered(box);  // 18:00:00 to 18:01:15
        second = box.add("Second.");
        unanswered(box);  // to 18:02:30
        REQUIRE(both() == "unknown unknown");
    }
    std::string both() { return box.status(first) + " " + box.status(second); }
};

}  // namespace

TEST_CASE("reports by time: the centre cuts its time to seconds") {
    Box box;
    const auto first = box.add("First.");
    box.now += 250ms;
    const auto lost = box.must_submit(0);  // 18:00:00.250, and the daemon ends before its answer
    box.now += 9s + 50ms;
    box.settle(0, Box::ambiguous(lost.token));  // until 18:00:09.300
    const auto second = box.add("Second.");
    box.now += 300ms;
    unanswered(box);  // from 18:00:09.600
    const auto both = [&] { return box.status(first) + " " + box.status(second); };
    box.take_in(report_taken(7, 9s));  // 18:00:09.9, cut: either may be meant
    CHECK(both() == "unknown unknown");
    SUBCASE("until the other one has a reference by a report") {
        box.take_in(report_taken(6, 4s));
        CHECK(both() == "delivered delivered");
    }
    SUBCASE("until the other one has a reference by a late answer") {
        box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 8, box.now); });
        CHECK(both() == "delivered sent");
    }
    SUBCASE("and the same report again changes nothing") {
        box.take_in(report_taken(7, 9s));
        CHECK(both() == "unknown unknown");
    }
}

namespace {

/// Seed 66345 of the simulation: the first was refused although the network took it, and the second began in that second.
struct OneAfterTheOther {
    Box box;
    MessageId first, second;
    std::int64_t runs = 0;
    OneAfterTheOther() {
        first = box.add("First.");
        const auto lost = box.must_submit(0);
        box.now += 3s + 776ms;
        box.settle(0, Box::ambiguous(lost.token));
        second = box.add("Second.");
        runs = box.must_submit(0).token;
    }
    std::string both() { return box.status(first) + " " + box.status(second); }
};

}  // namespace

TEST_CASE("reports by time: a report of the second in which one submission ended and another began is nobody's") {
    OneAfterTheOther two;
    Box& box = two.box;
    SUBCASE("after the second has ended") {
        box.now += 2s;
        box.settle(0, Box::ambiguous(two.runs));
        box.take_in(report_taken(153, 3s));
    }
    SUBCASE("while the second runs") {
        box.take_in(report_taken(153, 3s));
        box.now += 2s;
        box.settle(0, Box::ambiguous(two.runs));
    }
    CHECK(two.both() == "unknown unknown");
    box.take_in(report_taken(154, 5s));
    CHECK(two.both() == "delivered delivered");
}

TEST_CASE("reports by time: a doubtful report is the first one's when the second one was seen to be another") {
    OneAfterTheOther two;
    two.box.take_in(report_taken(153, 3s));
    REQUIRE(two.both() == "unknown sending");
    two.box.now += 2s;
    SUBCASE("by its answer") {
        two.box.settle(0, Box::accepted(two.runs, 154));
        CHECK(two.both() == "delivered sent");
    }
    SUBCASE("by its refusal") {
        two.box.settle(0, Box::refused(two.runs, 1));
        CHECK(two.both() == "delivered failed");
    }
}

TEST_CASE("reports by time: the submission that was under way") {
    const struct {
        const char* name;
        std::vector<std::chrono::seconds> taken;
        const char* both;
    } rows[] = {
        {"in the first", {2s}, "delivered unknown"},
        {"in the second", {80s}, "unknown delivered"},
        {"in the first, then in the second", {2s, 80s}, "delivered delivered"},
        {"the other way round", {80s, 2s}, "delivered delivered"},
        {"before both: of something else", {-30min}, "unknown unknown"},
        {"two in the first: the other one was not answered either", {2s, 3s}, "delivered unknown"},
        {"soon after the second", {3min}, "unknown delivered"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        Two two;
        two.box.now += 10min;
        int tp_mr = 100;
        for (const auto taken : row.taken) two.box.take_in(report_taken(++tp_mr, taken));
        CHECK(two.both() == row.both);
    }
}

TEST_CASE("reports by time: a centre whose clock is off") {
    for (const auto ahead : {std::chrono::seconds{1h}, std::chrono::seconds{-7h}, std::chrono::seconds{-20s}, std::chrono::seconds{3s}}) {
        CAPTURE(ahead.count());
        Box box;
        const auto known = box.sent(90, "Known.");
        box.take_in(report_taken(90, ahead));
        REQUIRE(box.status(known) == "delivered");
        box.now += 5s;
        const auto first = box.add("First.");
        unanswered(box);  // 18:00:05 to 18:01:20
        const auto second = box.add("Second.");
        unanswered(box);
        box.now += 10min;
        box.take_in(report_taken(100, 7s + ahead));
        CHECK(box.status(first) == "delivered");
        CHECK(box.status(second) == "unknown");
        box.take_in(report_taken(101, 82s + ahead));
        CHECK(box.status(second) == "delivered");
    }
}

TEST_CASE("reports by time: a modem that gives every message the same reference") {
    for (const auto ahead : {0s, std::chrono::seconds{2h}}) {
        CAPTURE(ahead.count());
        Box box;
        if (ahead != 0s) {  // another reference tells how far the centre's clock is off
            box.sent(90, "Known.");
            box.take_in(report_taken(90, ahead));
            box.now += 5s;
        }
        const auto begin = ahead == 0s ? 0s : 5s;
        std::vector<MessageId> ids;
        for (const char* text : {"First.", "Second.", "Third."}) {
            ids.push_back(box.sent(7, text));
            box.now += 3s;
        }
        box.now += 10s;
        box.take_in(report_taken(7, begin + ahead, 0x46));
        CHECK(box.status(ids[0]) == "undelivered");
        CHECK(box.status(ids[1]) == "sent");
        CHECK(box.status(ids[2]) == "sent");
        box.take_in(report_taken(7, begin + 6s + ahead));
        box.take_in(report_taken(7, begin + 3s + ahead));
        CHECK(box.status(ids[1]) == "delivered");
        CHECK(box.status(ids[2]) == "delivered");
    }
}

TEST_CASE("reports by time: the one that runs has to end first") {
    Box box;
    const auto first = box.add("First.");
    unanswered(box);
    const auto second = box.add("Second.");
    const auto sent = box.must_submit(0);
    box.now += 10s;
    box.take_in(report_taken(101, 77s));
    CHECK(box.status(first) == "unknown");
    CHECK(box.status(second) == "sending");
    SUBCASE("without an answer") {
        box.settle(0, Box::ambiguous(sent.token));
    }
    SUBCASE("with its reference") {
        box.settle(0, Box::accepted(sent.token, 101));
    }
    CHECK(box.status(first) == "unknown");
    CHECK(box.status(second) == "delivered");
}

TEST_CASE("reports by time: a submission that was repeated takes its own report") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "Twice, if need be.";
    m.message_class = MessageClass::transactional;
    m.on_unknown = OnUnknown::resend;
    const auto twice = box.add(m);
    unanswered(box);
    box.now += 1h;
    const auto again = box.pick(0);
    REQUIRE(again.submission.has_value());
    box.settle(0, Box::accepted(again.submission->token, 60));
    REQUIRE(box.status(twice) == "sent");
    const auto other = box.add("Never taken.");
    box.now += 1s;
    unanswered(box);
    box.take_in(report_taken(59, 2s));  // of the first try, late
    CHECK(box.status(other) == "unknown");
    CHECK(box.status(twice) == "sent");
    box.take_in(report_taken(60, 1h + 80s));
    CHECK(box.status(twice) == "delivered");
    CHECK(box.status(other) == "unknown");
}

TEST_CASE("reports by time: a report of a round before is not of the part that never left in it") {
    // seed 215617 of the simulation: by the time, the part that was refused without an answer was the nearest of those without a reference
    for (const auto between : {0s, 3s, 40s}) {
        CAPTURE(between.count());
        Box box;
        const auto known = box.sent(90, "Known.");  // how the centre's clock goes
        box.take_in(report_taken(90, 0s));
        REQUIRE(box.status(known) == "delivered");
        box.now += 10s;
        const auto id = box.add(Box::text_of(2));
        const auto lost = box.must_submit(0);
        box.now += 1s;
        box.settle(0, Box::ambiguous(lost.token, "error"));
        box.now += between;
        const auto second = box.must_submit(0);
        box.now += 1s;
        box.settle(0, Box::accepted(second.token, 171));
        REQUIRE(box.parts(id) == "1:unknown 2:sent");
        box.now += 20s;
        box.run([&](Tx& tx) {
            auto row = *store::find(tx, id);
            begin_again(box.env, row, box.now);
            save(tx, box.env, row, box.now);
        });
        box.take_in(report_taken(171, 11s + between));
        CHECK(box.parts(id) == "1:waiting 2:waiting");
        box.settle(0, Box::refused(box.must_submit(0).token, 302));
        CHECK(box.parts(id) == "1:waiting 2:waiting");
        CHECK(box.status(id) == "queued");
    }
}

TEST_CASE("reports by time: the SIM of the submission counts, not that of the last one") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "Through two SIMs.";
    m.message_class = MessageClass::transactional;
    m.on_unknown = OnUnknown::resend;
    const auto id = box.add(m);
    unanswered(box, 0);
    box.now += 1h;
    unanswered(box, 1);
    REQUIRE(box.row(id).iccid == Box::iccid_of(1));
    box.take_in(report_taken(59, 2s), 0);
    CHECK(box.status(id) == "delivered");
}

TEST_CASE("reports by time: the journal learns the reference") {
    Two two;
    two.box.take_in(report_taken(101, 2s, st_trying));
    CHECK(two.both() == "sent unknown");
    two.box.take_in(report_taken(101, 2s, st_delivered));
    CHECK(two.both() == "delivered unknown");
    const auto chain = two.box.run([&](Tx& tx) { return store::attempt_chain(tx, store::find(tx, two.first)->last_attempt); });
    REQUIRE(chain.size() == 1);
    CHECK(chain[0].tp_mr == 101);
}

TEST_CASE("reports by time: a second report of a message that is delivered is not of one that was sent long before") {
    Box box;
    const auto lost = box.add("First.");
    unanswered(box);
    box.now += 1h;
    const auto known = box.sent(90, "Second.");
    box.take_in(report_taken(90, 1h + 76s, st_trying));
    REQUIRE(box.status(known) == "sent");
    box.take_in(report_taken(90, 1h + 76s));
    REQUIRE(box.status(known) == "delivered");
    box.now += 1min;
    box.take_in(report_taken(90, 1h + 77s));
    CHECK(box.status(lost) == "unknown");
}
