// What becomes of a message after each way a submission can end (CONTRACT part 4), and after a crash.
#include "daemon/dispatch/submission.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;

namespace {

driver::SubmitOutcome with_cme(int cme) {
    return {.ending = Ending::not_sent, .tp_mr = -1, .reason = "cme-" + std::to_string(cme), .cms = {}, .cme = cme};
}
driver::SubmitOutcome ambiguous_cms(int cms) {
    return {.ending = Ending::ambiguous, .tp_mr = -1, .reason = "cms-" + std::to_string(cms), .cms = cms, .cme = {}};
}

}  // namespace

TEST_CASE("outcomes: after one submission") {
    struct Row {
        std::string name;
        OnUnknown policy;
        driver::SubmitOutcome outcome;
        const char* status;
        const char* reason;
        const char* delivery;
        int attempts_used;
        std::optional<std::chrono::milliseconds> again;  ///< when it is tried again
        bool pauses_sim = false;
    };
    constexpr auto hold = OnUnknown::hold, resend = OnUnknown::resend;
    const Row rows[] = {
        {"accepted", hold, Box::accepted(0, 7), "sent", "", "pending", 0, {}},
        {"number is dead", hold, Box::refused(0, 1), "failed", "cms-1", "none", 1, {}},
        {"network failure", hold, Box::refused(0, 41), "queued", "cms-41", "none", 1, 30s},
        {"no network: no attempt", hold, Box::refused(0, 331), "queued", "cms-331", "none", 0, 30s},
        {"SIM barred: it rests", hold, Box::refused(0, 8), "queued", "cms-8", "none", 0, 0s, true},
        {"300 before the prompt", hold, Box::refused(0, 300), "queued", "cms-300", "none", 0, 30s},
        {"500 before the prompt", hold, Box::refused(0, 500), "queued", "cms-500", "none", 1, 30s},
        {"512 before the prompt", hold, Box::refused(0, 512), "queued", "cms-512", "none", 0, 3s},
        {"no prompt", hold, Box::not_sent(0), "queued", "no-prompt", "none", 0, 0s},
        {"port lost before Ctrl-Z", hold, Box::not_sent(0, "port-lost"), "queued", "port-lost", "none", 0, 0s},
        {"CME before Ctrl-Z", hold, with_cme(14), "queued", "cme-14", "none", 0, 0s},
        {"timeout after Ctrl-Z", hold, Box::ambiguous(0), "unknown", "timeout", "pending", 1, {}},
        {"bare ERROR after Ctrl-Z", hold, Box::ambiguous(0, "error"), "unknown", "error", "pending", 1, {}},
        {"hang-up after Ctrl-Z", hold, Box::ambiguous(0, "port-lost"), "unknown", "port-lost", "pending", 1, {}},
        {"300", hold, ambiguous_cms(300), "unknown", "cms-300", "pending", 1, {}},
        {"332", hold, ambiguous_cms(332), "unknown", "cms-332", "pending", 1, {}},
        {"500", hold, ambiguous_cms(500), "unknown", "cms-500", "pending", 1, {}},
        {"512", hold, ambiguous_cms(512), "unknown", "cms-512", "pending", 1, {}},
        {"timeout, resend", resend, Box::ambiguous(0), "queued", "timeout", "none", 1, 30s},
        {"332, resend", resend, ambiguous_cms(332), "queued", "cms-332", "none", 1, 30s},
        {"number is dead, resend", resend, Box::refused(0, 1), "failed", "cms-1", "none", 1, {}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = add_with(box, row.policy);
        auto outcome = row.outcome;
        outcome.token = box.must_submit(0).token;
        const auto answer = box.settle(0, outcome);
        const auto got = box.row(id);
        CHECK(to_string(got.status) == row.status);
        CHECK(got.reason.value_or("") == row.reason);
        CHECK(to_string(got.delivery_status) == row.delivery);
        CHECK(got.attempts_used == row.attempts_used);
        CHECK(answer.pause_sim.has_value() == row.pauses_sim);
        CHECK((got.status == MessageStatus::queued) == row.again.has_value());
        if (row.again) {
            CHECK(got.not_before - box.now == *row.again);
            box.now += *row.again;
            const auto second = box.must_submit(1);
            CHECK(second.tpdu.reject_duplicates == (row.policy == resend && outcome.ending == Ending::ambiguous));
        } else {
            box.now += 3h;
            CHECK_FALSE(box.submit(1).has_value());  // never again by itself
        }
    }
}

TEST_CASE("outcomes: a SIM that must rest gets no further message in the same breath") {
    Box box;
    box.add("One.");
    box.add("Two.", other_phone);
    const auto sent = box.must_submit(0);
    const auto answer = box.pick(0, Box::refused(sent.token, 8));
    CHECK(answer.pause_sim == "cms-8");
    CHECK_FALSE(answer.submission.has_value());
}

TEST_CASE("outcomes: retries grow and end with max_attempts") {
    Box box;
    const auto id = box.add();
    const std::chrono::seconds pauses[] = {30s, 60s, 120s, 240s};
    for (const auto pause : pauses) {
        CAPTURE(pause.count());
        const auto sent = box.must_submit(0);
        box.settle(0, Box::refused(sent.token, 41));
        REQUIRE(box.status(id) == "queued");
        CHECK(box.row(id).not_before == box.now + pause);
        box.now += pause - 1ms;
        CHECK_FALSE(box.submit(0).has_value());
        box.now += 1ms;
    }
    box.settle(0, Box::refused(box.must_submit(0).token, 41));
    const auto row = box.row(id);
    CHECK(row.status == MessageStatus::failed);
    CHECK(row.attempts_used == 5);
    CHECK(row.retry_count == 5);
    CHECK(row.parts[0].attempts == 5);
    const auto chain = box.run([&](Tx& tx) { return store::attempt_chain(tx, row.last_attempt); });
    REQUIRE(chain.size() == 5);
    for (const auto& attempt : chain) CHECK(attempt.reason == "cms-41");
    CHECK(box.told() == std::vector<std::string>{"failed/none"});
}

TEST_CASE("outcomes: resend ends as unknown, never as failed") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    for (int n = 0; n < 5; ++n) {
        const auto sent = box.must_submit(0);
        CHECK(sent.tpdu.reject_duplicates == (n > 0));
        box.settle(0, Box::ambiguous(sent.token));
        box.now += 1h;
    }
    CHECK(box.status(id) == "unknown");
    CHECK_FALSE(box.submit(0).has_value());
}

TEST_CASE("outcomes: a refused resubmission says nothing of the try whose answer was lost") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    box.now += 1h;
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    CHECK(box.status(id) == "unknown");
    CHECK(box.reason(id) == "timeout");
    box.take_in(report(77, st_delivered));
    CHECK(box.status(id) == "delivered");
}

TEST_CASE("outcomes: 197 after a resubmission says that it is out") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    box.now += 30s;
    box.settle(0, Box::refused(box.must_submit(0).token, 197));
    CHECK(box.status(id) == "sent");
    CHECK(box.row(id).sent_at == box.now);
}

TEST_CASE("outcomes: a set with a part of unknown outcome goes on under hold") {
    Box box;
    const auto id = add_with(box, OnUnknown::hold, Box::text_of(3));
    auto sent = Box::sent_of(box.pick(0, Box::ambiguous(box.must_submit(0).token)), 0);
    REQUIRE(sent.has_value());
    CHECK(pdu::find_concat(sent->tpdu.data.udh)->seq == 2);
    sent = Box::sent_of(box.pick(0, Box::accepted(sent->token, 8)), 0);
    REQUIRE(sent.has_value());
    box.settle(0, Box::accepted(sent->token, 9));
    CHECK(box.status(id) == "unknown");
    CHECK(box.parts(id) == "1:unknown 2:sent 3:sent");
}

TEST_CASE("outcomes: a part that is refused ends the set as incomplete") {
    struct Row {
        std::string name;
        driver::SubmitOutcome first;
        const char* status;
        const char* reason;
        const char* parts;
    };
    const Row rows[] = {
        {"after an accepted part", Box::accepted(0, 1), "undelivered", "incomplete", "1:sent 2:failed 3:waiting"},
        {"after an unknown part", Box::ambiguous(0), "undelivered", "incomplete", "1:unknown 2:failed 3:waiting"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = add_with(box, OnUnknown::hold, Box::text_of(3));
        auto first = row.first;
        first.token = box.must_submit(0).token;
        const auto second = Box::sent_of(box.pick(0, first), 0);
        REQUIRE(second.has_value());
        const auto answer = box.pick(0, Box::refused(second->token, 1));
        CHECK_FALSE(answer.submission.has_value());
        CHECK(box.status(id) == row.status);
        CHECK(box.reason(id) == row.reason);
        CHECK(box.parts(id) == row.parts);
        box.now += 2h;
        CHECK_FALSE(box.submit(0).has_value());
    }
    Box box;  // the first part: nothing is out
    const auto id = add_with(box, OnUnknown::hold, Box::text_of(3));
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    CHECK(box.status(id) == "failed");
    CHECK(box.reason(id) == "cms-1");
}

TEST_CASE("outcomes: accepted parts are not submitted again when a later one is retried") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend, Box::text_of(2));
    const auto second = Box::sent_of(box.pick(0, Box::accepted(box.must_submit(0).token, 1)), 0);
    REQUIRE(second.has_value());
    box.settle(0, Box::refused(second->token, 41));
    CHECK(box.parts(id) == "1:sent 2:waiting");
    box.now += 30s;
    CHECK_FALSE(box.submit(1).has_value());
    const auto again = box.must_submit(0);
    CHECK(pdu::find_concat(again.tpdu.data.udh)->seq == 2);
}

TEST_CASE("outcomes: recover() after a crash") {
    struct Row {
        std::string name;
        OnUnknown policy;
        int segments;
        std::vector<ModemIndex> still_listening;
        const char* status;
        const char* parts;
    };
    const Row rows[] = {
        {"hold", OnUnknown::hold, 1, {}, "unknown", "1:unknown"},
        {"hold, other modem listens", OnUnknown::hold, 1, {1}, "unknown", "1:unknown"},
        {"its modem listens", OnUnknown::hold, 1, {0}, "sending", "1:submitting"},
        {"set under hold goes on", OnUnknown::hold, 2, {}, "queued", "1:unknown 2:waiting"},
        {"resend", OnUnknown::resend, 1, {}, "queued", "1:waiting"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        const auto id = add_with(box, row.policy, row.segments == 1 ? "Short." : Box::text_of(row.segments));
        const auto other = box.add("Waits.", other_phone);
        const auto token = box.must_submit(0).token;
        box.now += 10s;
        box.run([&](Tx& tx) { recover(tx, box.env, row.still_listening, box.now); });
        CHECK(box.status(id) == row.status);
        CHECK(box.parts(id) == row.parts);
        CHECK(box.status(other) == "queued");
        const auto open = box.run([&](Tx& tx) { return store::open_attempts(tx).size(); });
        CHECK(open == (std::string{row.status} == "sending" ? 1 : 0));
        // a second start finds nothing more to do
        const auto again = box.run([&](Tx& tx) { return recover(tx, box.env, row.still_listening, box.now); });
        CHECK(again.empty());
        if (open == 1) {
            box.settle(0, Box::accepted(token, 3));
            CHECK(box.status(id) == "sent");
        }
    }
}

TEST_CASE("outcomes: a crash makes at most one message per modem unknown") {
    Box box;
    std::vector<MessageId> ids;
    for (int n = 0; n < 10; ++n) ids.push_back(box.add("Message " + std::to_string(n), "+1555010010" + std::to_string(n)));
    box.must_submit(0);
    box.must_submit(1);
    box.run([&](Tx& tx) { recover(tx, box.env, {}, box.now); });
    int unknown = 0;
    for (const auto id : ids) unknown += box.status(id) == "unknown";
    CHECK(unknown == 2);
}

TEST_CASE("outcomes: a late +CMGS") {
    Box box;
    SUBCASE("makes an unknown message sent") {
        const auto id = add_with(box, OnUnknown::hold);
        box.settle(0, Box::ambiguous(box.must_submit(0).token));
        CHECK(box.told() == std::vector<std::string>{"unknown/pending"});
        box.now += 1min;
        CHECK(box.run([&](Tx& tx) { return settle_late(tx, box.env, 1, 5, box.now); }).empty());  // another modem's
        const auto changed = box.run([&](Tx& tx) { return settle_late(tx, box.env, 0, 5, box.now); });
        REQUIRE(changed.size() == 1);
        const auto row = box.row(id);
        CHECK(row.status == MessageStatus::sent);
        CHECK(row.parts[0].tp_mr == 5);
        CHECK_FALSE(row.reason.has_value());
        CHECK(row.sent_at == box.now);
        CHECK(box.told() == std::vector<std::string>{"sent/pending"});
        // a second one belongs to nothing
        CHECK(box.run([&](Tx& tx) { return settle_late(tx, box.env, 0, 6, box.now); }).empty());
        CHECK(box.row(id).parts[0].tp_mr == 5);
    }
    SUBCASE("settles what a dead process left open") {
        const auto id = add_with(box, OnUnknown::hold);
        box.must_submit(0);
        box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 5, box.now); });
        CHECK(box.status(id) == "sent");
        CHECK(box.run([&](Tx& tx) { return recover(tx, box.env, {}, box.now); }).empty());
    }
    SUBCASE("lets a set go on") {
        const auto id = add_with(box, OnUnknown::hold, Box::text_of(2));
        box.must_submit(0);
        box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 5, box.now); });
        CHECK(box.parts(id) == "1:sent 2:waiting");
        CHECK(box.status(id) == "queued");
        const auto second = box.must_submit(0);
        CHECK(pdu::find_concat(second.tpdu.data.udh)->seq == 2);
    }
    SUBCASE("does not touch what was accepted") {
        const auto id = box.sent(4);
        CHECK(box.run([&](Tx& tx) { return settle_late(tx, box.env, 0, 9, box.now); }).empty());
        CHECK(box.row(id).parts[0].tp_mr == 4);
    }
    SUBCASE("does not touch what was refused") {
        const auto id = box.add();
        box.settle(0, Box::refused(box.must_submit(0).token, 1));
        CHECK(box.run([&](Tx& tx) { return settle_late(tx, box.env, 0, 9, box.now); }).empty());
        CHECK(box.status(id) == "failed");
    }
}

TEST_CASE("outcomes: messages that failed though it was the SIM wait again") {
    Box box;
    const auto id = box.add();
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    REQUIRE(box.status(id) == "failed");
    const auto done = box.sent(3, "Another.", other_phone);
    const auto changed = box.run([&](Tx& tx) { return reopen(tx, box.env, {id, done, MessageId{999}}, box.now); });
    CHECK(changed.size() == 1);
    CHECK(box.status(id) == "queued");
    CHECK(box.row(id).attempts_used == 0);
    CHECK(box.status(done) == "sent");
    CHECK(box.must_submit(1).message == id);
}

TEST_CASE("outcomes: a new round is free to take any modem") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    REQUIRE(box.status(id) == "failed");
    box.run([&](Tx& tx) { reopen(tx, box.env, {id}, box.now); });
    CHECK(box.submit(1).has_value());
}

TEST_CASE("outcomes: codes with a limit of their own") {
    struct Row {
        int cms, tries;
    };
    for (const Row& row : {Row{38, 3}, Row{99, 2}}) {
        CAPTURE(row.cms);
        Box box;
        const auto id = box.add();
        for (int n = 1; n <= row.tries; ++n) {
            CAPTURE(n);
            const auto sent = box.submit(0);
            REQUIRE(sent.has_value());
            box.settle(0, Box::refused(sent->token, row.cms));
            CHECK(box.status(id) == (n == row.tries ? "failed" : "queued"));
            box.now += 2h;
        }
    }
}

TEST_CASE("outcomes: a new round forgets the strikes") {
    Box box;
    const auto id = box.add();
    for (int n = 0; n < 3; ++n) {
        if (const auto sent = box.submit(0)) box.settle(0, Box::refused(sent->token, 38));
        box.now += 2h;
    }
    REQUIRE(box.status(id) == "failed");
    box.run([&](Tx& tx) { reopen(tx, box.env, {id}, box.now); });
    box.settle(0, Box::refused(box.must_submit(0).token, 38));
    CHECK(box.status(id) == "queued");
}

TEST_CASE("outcomes: what may be out and is to be repeated is asked of the policy anew") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "Come and see us.";
    m.message_class = MessageClass::marketing;
    m.consent = true;
    m.on_unknown = OnUnknown::resend;
    const auto id = box.add(m);
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    REQUIRE(box.status(id) == "queued");
    box.now = box.row(id).not_before;
    SUBCASE("nothing changed: its own first try is no contact that it waits for") {
        CHECK(box.must_submit(0).message == id);
    }
    SUBCASE("they opted out: it is not repeated, and ends as what it is") {
        box.take_in(inbound("STOP")[0]);
        CHECK(box.status(id) == "unknown");
        CHECK(box.reason(id) == "timeout");
    }
    SUBCASE("the window has closed: it waits") {
        box.env.config.send.window = {0, 60};
        CHECK_FALSE(box.submit(0).has_value());
        CHECK(box.status(id) == "queued");
        CHECK(box.reason(id) == "quiet-hours");
    }
    SUBCASE("a pause holds it") {
        box.paused = true;
        CHECK_FALSE(box.submit(0).has_value());
    }
}

TEST_CASE("outcomes: nobody waits behind a try that no modem takes") {
    Box box;
    NewMessage m;
    m.to = phone;
    m.text = "For modem 1 alone.";
    m.message_class = MessageClass::transactional;
    m.modem_index = 1;
    const auto first = box.add(m);
    box.settle(1, Box::refused(box.must_submit(1).token, 41));
    const auto second = box.add("Another one.");
    box.now = box.row(first).not_before + 14min;
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.reason(second) == "recipient-order");
    box.now = box.row(first).not_before + 15min + 61s;
    CHECK(box.must_submit(0).message == second);
}

TEST_CASE("outcomes: a late +CMGS under resend ends the resending") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    CHECK(box.status(id) == "queued");
    box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 5, box.now); });
    CHECK(box.status(id) == "sent");
    box.now += 1h;
    CHECK_FALSE(box.submit(0).has_value());
}

TEST_CASE("outcomes: a late +CMGS does not revive a cancelled set") {
    Box box;
    const auto id = add_with(box, OnUnknown::hold, Box::text_of(2));
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    REQUIRE(box.status(id) == "queued");
    auto row = box.row(id);
    dispatch::abandon(row, MessageStatus::cancelled, "cancelled");
    row.ready = false;
    box.run([&](Tx& tx) { save(tx, box.env, row, box.now); });
    CHECK(box.status(id) == "undelivered");
    box.run([&](Tx& tx) { settle_late(tx, box.env, 0, 5, box.now); });
    CHECK(box.parts(id) == "1:sent 2:waiting");
    CHECK(box.status(id) == "undelivered");
    CHECK_FALSE(box.submit(0).has_value());
    CHECK(box.told() == std::vector<std::string>{"undelivered/failed"});
}

TEST_CASE("outcomes: a report of a failed set's first part leaves it incomplete, and says so") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend, Box::text_of(2));
    box.settle(0, Box::ambiguous(box.must_submit(0).token));
    // a person gives it up and asks for it again, and then the number is refused
    auto row = box.row(id);
    dispatch::abandon(row, MessageStatus::cancelled, "cancelled");
    dispatch::new_round(row);
    box.now += 1min;
    row.due_at = box.now;
    box.run([&](Tx& tx) { save(tx, box.env, row, box.now); });
    box.settle(0, Box::refused(box.must_submit(0).token, 1));
    REQUIRE(box.status(id) == "failed");
    box.take_in(report(77, st_delivered));  // of the try whose answer was lost
    CHECK(box.parts(id) == "1:delivered 2:waiting");
    CHECK(box.status(id) == "undelivered");
    CHECK(box.reason(id) == "incomplete");
    CHECK(box.row(id).delivery_status == DeliveryStatus::failed);
    CHECK_FALSE(box.submit(0).has_value());
}

TEST_CASE("outcomes: 197 after a definite refusal proves nothing") {
    Box box;
    const auto id = add_with(box, OnUnknown::resend);
    box.settle(0, Box::refused(box.must_submit(0).token, 41));
    box.now += 1h;
    const auto sent = box.must_submit(0);
    box.settle(0, Box::refused(sent.token, 197));
    CHECK(box.status(id) == "queued");
}

TEST_CASE("outcomes: an unknown set says why") {
    Box box;
    const auto id = box.add(Box::text_of(2));
    const auto second = Box::sent_of(box.pick(0, Box::ambiguous(box.must_submit(0).token)), 0);
    box.settle(0, Box::accepted(second->token, 2));
    CHECK(box.status(id) == "unknown");
    CHECK(box.reason(id) == "timeout");
}

TEST_CASE("outcomes: a crash is the reason") {
    Box box;
    const auto id = box.add();
    box.must_submit(0);
    box.run([&](Tx& tx) { recover(tx, box.env, {}, box.now); });
    CHECK(box.reason(id) == "restarted");
}
