// What Supabase is told: each change of a status once, in its order, in the transaction of the change.
#include "tests/unit/daemon/service/box.hpp"

#include "daemon/service/events.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

using Kinds = std::vector<std::string>;

TEST_CASE("events: the stories of a message") {
    using Ops = std::vector<std::string>;
    struct Row {
        std::string name;
        int segments;
        Ops ops;  ///< what happens: accept, refuse, permanent, ambiguous, nothing-sent, report-N-ST, late, overdue, wait
        Kinds want;
    };
    const Row rows[] = {
        {"sent and delivered", 1, {"accept", "report-1-0"}, {"sent/pending", "delivered/delivered"}},
        {"each report twice", 1, {"accept", "report-1-0", "report-1-0"}, {"sent/pending", "delivered/delivered"}},
        {"retries are not told", 1, {"refuse", "wait", "nothing-sent", "accept"}, {"sent/pending"}},
        {"failed", 1, {"permanent"}, {"failed/none"}},
        {"unknown, then a report", 1, {"ambiguous", "report-9-0"}, {"unknown/pending", "delivered/delivered"}},
        {"unknown, then a late reference",
         1,
         {"ambiguous", "late", "report-77-0"},
         {"unknown/pending", "sent/pending", "delivered/delivered"}},
        {"unknown for good", 1, {"ambiguous", "overdue", "overdue"}, {"unknown/pending", "unknown/unknown"}},
        {"no report", 1, {"accept", "overdue", "overdue"}, {"sent/pending", "sent/unknown"}},
        {"no report, then one", 1, {"accept", "overdue", "report-1-0"}, {"sent/pending", "sent/unknown", "delivered/delivered"}},
        {"still trying is no news", 1, {"accept", "report-1-32", "report-1-0"}, {"sent/pending", "delivered/delivered"}},
        {"undelivered", 1, {"accept", "report-1-65"}, {"sent/pending", "undelivered/failed"}},
        {"parts are not told one by one", 2, {"accept", "accept", "report-1-0", "report-2-0"}, {"sent/pending", "delivered/delivered"}},
        {"incomplete", 2, {"accept", "permanent"}, {"undelivered/failed"}},
        {"report before the last part", 2, {"accept", "report-1-0", "accept", "report-2-0"}, {"sent/pending", "delivered/delivered"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = box.add(row.segments == 1 ? "Short." : Box::text_of(row.segments));
        int mr = 0;
        for (const auto& op : row.ops) {
            CAPTURE(op);
            box.now += 1s;
            if (op == "wait") {
                box.now += 1h;
            } else if (op == "late") {
                box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 77, box.now); });
            } else if (op == "overdue") {
                box.now += 48h;
                box.run([&](Tx& tx) { close_overdue_reports(tx, box.env, box.now, 10); });
            } else if (op.starts_with("report-")) {
                const auto dash = op.rfind('-');
                box.take_in(report(std::stoi(op.substr(7, dash - 7)), std::stoi(op.substr(dash + 1))));
            } else {
                const auto token = box.must_submit(0).token;
                if (op == "accept") box.settle(0, Box::accepted(token, ++mr));
                if (op == "refuse") box.settle(0, Box::refused(token, 41));
                if (op == "permanent") box.settle(0, Box::refused(token, 1));
                if (op == "ambiguous") box.settle(0, Box::ambiguous(token));
                if (op == "nothing-sent") box.settle(0, Box::not_sent(token));
            }
        }
        CHECK(box.told() == row.want);
        CHECK(box.row(id).segments == row.segments);
    }
}

TEST_CASE("events: what a report says") {
    Box box;
    box.env.config.modems[0].cost_per_part = 0.01;
    NewMessage m;
    m.to = phone;
    m.text = "From Supabase.";
    m.message_class = MessageClass::transactional;
    m.scheduled_message_id = 4211;
    m.claim_epoch = 3;
    m.campaign_name = "winback-nov";
    const auto id = box.add(m);
    auto claimed = box.row(id);
    claimed.begun = true;
    box.run([&](Tx& tx) { store::update(tx, claimed); });
    box.settle(0, Box::refused(box.must_submit(0).token, 41));
    box.now += 30s;
    box.settle(0, Box::accepted(box.must_submit(0).token, 1));
    auto told = box.told_bodies();
    REQUIRE(told.size() == 1);
    const auto& body = told[0];
    CHECK(body["kind"] == "sent");
    CHECK(body["at"] == to_rfc3339(box.now));
    CHECK_FALSE(body.contains("sent_at"));  // that is `at`
    CHECK(body["job_id"] == 4211);
    CHECK(body["epoch"] == 3);
    CHECK(body["local_id"] == derived_uuid(box.env, "message", id.value));
    CHECK(body["message_hash"] == message_hash(phone, "From Supabase."));
    CHECK(body["retry_count"] == 1);
    CHECK(body["cost"] == doctest::Approx(0.01));
    CHECK(body["modem_index"] == 0);
    CHECK(body["iccid"] == Box::iccid_of(0));
    for (const char* has : {"campaign_name", "phone_number", "content"}) CHECK_FALSE(body.contains(has));  // Supabase has it
    CHECK_FALSE(body.contains("reason"));

    box.add("Made here.");
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    told = box.told_bodies();
    REQUIRE(told.size() == 1);
    CHECK(told[0]["content"] == "Made here.");
    CHECK(told[0]["phone_number"] == phone);
    CHECK(told[0]["class"] == "transactional");
    CHECK(told[0]["reason"] == "cms-1");
    CHECK_FALSE(told[0]["reason_text"].get<std::string>().empty());
    CHECK_FALSE(told[0].contains("job_id"));
}

TEST_CASE("events: what an inbound message says") {
    Box box;
    const auto id = *box.take_in(inbound("Hello there")[0], 1).message;
    const auto told = box.told_bodies();
    REQUIRE(told.size() == 1);
    CHECK(told[0]["phone_number"] == phone);
    CHECK(told[0]["content"] == "Hello there");
    CHECK(told[0]["modem_timestamp"] == "2026-11-24T18:00:00.000Z");
    CHECK(told[0]["modem_index"] == 1);
    CHECK(told[0]["parts"] == 1);
    CHECK(box.event_ids.contains(derived_uuid(box.env, "message", id.value)));
}

TEST_CASE("events: without Supabase nothing piles up") {
    Box box;
    box.env.config.supabase.reset();
    box.sent(1);
    box.take_in(report(1, st_delivered));
    box.take_in(inbound("STOP")[0]);
    CHECK(box.told().empty());
}

TEST_CASE("events: derived ids") {
    Box box;
    const auto one = derived_uuid(box.env, "message", 1);
    CHECK(one == derived_uuid(box.env, "message", 1));
    CHECK(one != derived_uuid(box.env, "message", 2));
    CHECK(one != derived_uuid(box.env, "report", 1));
    CHECK(one.size() == 36);
    CHECK(one[14] == '8');
    CHECK(std::string{"89ab"}.find(one[19]) != std::string::npos);
    box.env.instance = "00000000-0000-4000-8000-000000000002";
    CHECK(one != derived_uuid(box.env, "message", 1));
}

TEST_CASE("events: a text that is not UTF-8 does not stop the queue") {
    Box box;
    pdu::Deliver deliver;
    deliver.from = pdu::address_of(phone);
    deliver.dcs = pdu::parse_dcs(pdu::make_dcs(pdu::Alphabet::data8));
    deliver.time = stamp(1);
    deliver.data.octets = {0xFF, 0xFE, 0x00, 0x80};
    CHECK(box.take_in(hex_of(deliver)).message.has_value());
    CHECK(box.told().size() == 1);
}
