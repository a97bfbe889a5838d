// journal = "modem": what each moment of a crash leaves, and what the modem's slots say of it.
#include "modem/pdu/stored.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;
using driver::SlotReading;
using driver::SlotRuling;
using driver::StoredAt;
using State = driver::SlotReading::State;

namespace {

struct StoringBox : Box {
    static constexpr const char* imei = "350000000000000";

    PickRequest request(std::optional<driver::SubmitOutcome> finished = {}, bool available = true) {
        PickRequest r{.modem = 0, .iccid = iccid_of(0), .finished = std::move(finished), .available = available, .now = now};
        r.imei = imei;
        r.store_memory = "ME";
        r.freed = std::exchange(freed, {});
        return r;
    }
    PickAnswer step(std::optional<driver::SubmitOutcome> finished = {}, bool available = true) {
        const auto r = request(std::move(finished), available);
        return run([&](Tx& tx) { return settle_and_pick(tx, env, r); });
    }
    /// Journaled; what the modem is to write.
    driver::Submission begin() {
        auto answer = step();
        REQUIRE(answer.submission.has_value());
        CHECK(answer.submission->store);
        return *answer.submission;
    }
    void at(std::int64_t token, int slot) {
        run([&](Tx& tx) { note_slot(tx, token, StoredAt{"ME", slot}); });
    }
    void restart() {
        run([&](Tx& tx) { recover(tx, env, {}, now); });
    }
    static SlotReading::Slot slot(int index, State state, const pdu::Encoded& pdu, bool smsc = true) {
        // as a modem shows it: with the SMSC that it filled in, and its own reference
        std::string hex = pdu.hex();
        if (smsc) hex = "0791515510109099" + hex.substr(2, 2) + "2A" + hex.substr(6);
        return {index, state, hex};
    }
    std::vector<SlotRuling> judge(std::vector<SlotReading::Slot> slots, bool whole = true, bool trusted = true, std::string owner = imei) {
        SlotReading reading;
        reading.by.imei = std::move(owner);
        reading.by.iccid = iccid_of(0);
        reading.memory = "ME";
        reading.whole = whole;
        reading.trusted = trusted;
        reading.slots = std::move(slots);
        return run([&](Tx& tx) { return judge_slots(tx, env, reading, now, 0); }).rulings;
    }
    int slots_known() {
        return run([&](Tx& tx) { return static_cast<int>(store::attempts_in(tx, "ME", imei).size()); });
    }
    std::vector<StoredAt> freed;
};

using Rulings = std::vector<SlotRuling>;

}  // namespace

TEST_CASE("in modem: a crash before the slot is committed sent nothing, whether it was written or not") {
    for (const bool written : {false, true}) {
        CAPTURE(written);
        StoringBox box;
        const auto id = box.add();
        const auto s = box.begin();
        box.restart();
        CHECK(box.status(id) == "queued");
        CHECK(box.parts(id) == "1:waiting");
        CHECK(box.slots_known() == 1);  // an orphan may lie there
        const auto rulings = written ? box.judge({StoringBox::slot(3, State::unsent, s.pdu)}) : box.judge({});
        CHECK(rulings == (written ? Rulings{SlotRuling::remove} : Rulings{}));
        if (written) box.judge({});  // the sweep after it was removed
        CHECK(box.slots_known() == 0);
        CHECK(box.step().submission.has_value());  // it goes out anew
    }
}

TEST_CASE("in modem: what the slot says after a crash past AT+CMSS") {
    struct Row {
        const char* name;
        State state;
        bool trusted;
        std::chrono::seconds later;
        const char* status;
        SlotRuling ruling;
    };
    const Row rows[] = {
        {"stored sent", State::sent, true, 1s, "sent", SlotRuling::remove},
        {"stored sent on a modem not yet proved", State::sent, false, 1s, "sent", SlotRuling::remove},
        {"stored unsent, it may still be sending", State::unsent, true, 1s, "sending", SlotRuling::look_again},
        {"stored unsent, its time is over", State::unsent, true, 81s, "queued", SlotRuling::remove},
        {"stored unsent, marking not proved", State::unsent, false, 81s, "sending", SlotRuling::look_again},
        {"gone", State::empty, true, 1s, "unknown", SlotRuling::leave},
    };
    for (const Row& row : rows)
        for (const bool whole : {true, false}) {
            CAPTURE(row.name);
            CAPTURE(whole);
            StoringBox box;
            const auto id = box.add();
            const auto s = box.begin();
            box.at(s.token, 5);
            box.restart();
            CHECK(box.status(id) == "sending");
            CHECK(box.reason(id) == "in-modem");
            box.now += row.later;
            Rulings rulings;
            if (row.state == State::empty && whole)
                box.judge({});
            else if (row.state == State::empty)
                rulings = box.judge({{5, State::empty, ""}}, false);
            else
                rulings = box.judge({StoringBox::slot(5, row.state, s.pdu)}, whole, row.trusted);
            CHECK(box.status(id) == row.status);
            if (!rulings.empty()) CHECK(rulings == Rulings{row.ruling});
        }
}

TEST_CASE("in modem: what was there before a later part that the network took has ended") {
    StoringBox box;
    const auto first = box.add();
    const auto a = box.begin();
    box.at(a.token, 5);
    box.restart();
    const auto second = box.add("Another one.", other_phone);
    const auto b = box.begin();
    box.at(b.token, 6);
    CHECK(box.judge({StoringBox::slot(5, State::unsent, a.pdu)}, false) == Rulings{SlotRuling::look_again});
    box.step(Box::accepted(b.token, 9), false);
    CHECK(box.status(second) == "sent");
    CHECK(box.judge({StoringBox::slot(5, State::unsent, a.pdu)}, false) == Rulings{SlotRuling::remove});
    CHECK(box.status(first) == "queued");
}

TEST_CASE("in modem: a slot is never taken for the one that used it before") {
    StoringBox box;
    box.env.config.send.duplicate_window = 0s;
    const auto first = box.add();
    const auto a = box.begin();
    box.at(a.token, 5);
    box.step(Box::accepted(a.token, 9), false);
    CHECK(box.status(first) == "sent");
    // the same message again: the same octets, while the old slot is not emptied
    const auto second = box.add();
    const auto b = box.begin();
    CHECK(pdu::stored_fingerprint(a.pdu.octets) == pdu::stored_fingerprint(b.pdu.octets));
    SUBCASE("crash before it was written: the old slot proves nothing") {
        box.restart();
        CHECK(box.judge({StoringBox::slot(5, State::sent, a.pdu)}) == Rulings{SlotRuling::remove});
        CHECK(box.status(second) == "queued");
    }
    SUBCASE("crash past AT+CMSS of the new one") {
        box.at(b.token, 6);
        box.restart();
        box.now += 81s;
        CHECK(box.judge({StoringBox::slot(5, State::sent, a.pdu), StoringBox::slot(6, State::unsent, b.pdu)}) ==
              Rulings{SlotRuling::remove, SlotRuling::remove});
        CHECK(box.status(second) == "queued");
    }
    SUBCASE("the old slot was emptied and used again") {
        box.step(Box::not_sent(b.token), false);
        box.freed = {{"ME", 5}};
        const auto c = box.begin();
        box.at(c.token, 5);
        box.restart();
        CHECK(box.judge({StoringBox::slot(5, State::sent, c.pdu)}) == Rulings{SlotRuling::remove});
        CHECK(box.status(second) == "sent");
    }
}

TEST_CASE("in modem: strangers are left alone") {
    StoringBox box;
    const auto id = box.add();
    const auto s = box.begin();
    box.at(s.token, 5);
    box.restart();
    SlotReading::Slot draft{7, State::unsent, "0011000B915155101032F50000A702E834"};
    // another modem: its slots say nothing of this one's
    CHECK(box.judge({StoringBox::slot(5, State::sent, s.pdu)}, true, true, "350000000000017") == Rulings{SlotRuling::leave});
    CHECK(box.status(id) == "sending");
    CHECK(box.judge({draft, StoringBox::slot(5, State::sent, s.pdu)}) == Rulings{SlotRuling::leave, SlotRuling::remove});
    CHECK(box.status(id) == "sent");
    CHECK(box.judge({draft}) == Rulings{SlotRuling::leave});
}

TEST_CASE("in modem: an answer that the slot could not explain at once stays open; one of the modem's own does not") {
    StoringBox box;
    const auto id = box.add();
    const auto s = box.begin();
    box.at(s.token, 5);
    SUBCASE("timeout, port lost") {
        box.step(Box::ambiguous(s.token, "port-lost"), false);
        CHECK(box.status(id) == "sending");
        CHECK(box.reason(id) == "in-modem");
        box.judge({StoringBox::slot(5, State::sent, s.pdu)});
        CHECK(box.status(id) == "sent");
    }
    SUBCASE("network timeout, as the modem says") {
        auto outcome = Box::ambiguous(s.token, "cms-332");
        outcome.cms = 332;
        box.step(outcome, false);
        CHECK(box.status(id) == "unknown");
        CHECK(box.judge({StoringBox::slot(5, State::unsent, s.pdu)}) == Rulings{SlotRuling::remove});
        CHECK(box.status(id) == "unknown");
    }
    SUBCASE("and evidence corrects an unknown one") {
        auto outcome = Box::ambiguous(s.token, "cms-332");
        outcome.cms = 332;
        box.step(outcome, false);
        box.judge({StoringBox::slot(5, State::sent, s.pdu)});
        CHECK(box.status(id) == "sent");
    }
    SUBCASE("without a reference the report binds by number and time") {
        box.step(Box::ambiguous(s.token), false);
        box.judge({StoringBox::slot(5, State::sent, s.pdu)});
        box.take_in(report(77, st_delivered));
        CHECK(box.status(id) == "delivered");
    }
    SUBCASE("a report that came first binds too") {
        box.step(Box::ambiguous(s.token), false);
        box.now += 1s;
        box.take_in(report(77, st_delivered));
        box.judge({StoringBox::slot(5, State::sent, s.pdu)});
        CHECK(box.status(id) == "delivered");
    }
    SUBCASE("the modem never comes back") {
        box.step(Box::ambiguous(s.token, "port-lost"), false);
        const auto before = box.run([&](Tx& tx) { return give_up_slots(tx, box.env, box.now); });
        CHECK(before.empty());
        box.now = *box.row(id).expires_at;
        const auto after = box.run([&](Tx& tx) { return give_up_slots(tx, box.env, box.now); });
        CHECK(after.size() == 1);
        CHECK(box.status(id) == "unknown");
        CHECK(box.reason(id) == "slot-unread");
    }
}

TEST_CASE("in modem: parts of a set wait for one that is open") {
    StoringBox box;
    const auto id = box.add(Box::text_of(3));
    const auto s = box.begin();
    box.at(s.token, 5);
    CHECK(!box.step(Box::ambiguous(s.token)).submission);
    CHECK(box.parts(id) == "1:submitting 2:waiting 3:waiting");
    box.judge({StoringBox::slot(5, State::sent, s.pdu)});
    CHECK(box.status(id) == "queued");
    CHECK(box.parts(id) == "1:sent 2:waiting 3:waiting");
    const auto next = box.begin();
    CHECK(box.parts(id) == "1:sent 2:submitting 3:waiting");
    box.at(next.token, 6);
    box.step(Box::accepted(next.token, 10), false);
    CHECK(box.parts(id) == "1:sent 2:sent 3:waiting");
}

TEST_CASE("in modem: what goes by AT+CMGS after all is the host's again") {
    StoringBox box;
    const auto id = box.add();
    const auto s = box.begin();
    box.run([&](Tx& tx) { note_slot(tx, s.token, std::nullopt); });
    box.restart();
    CHECK(box.status(id) == "unknown");
    CHECK(box.slots_known() == 0);
}

TEST_CASE("in modem: a late refusal is about the newest submission alone") {
    StoringBox box;
    const auto first = box.add();
    const auto a = box.begin();
    box.at(a.token, 5);
    box.restart();
    const auto second = box.add("Another one.", other_phone);
    const auto b = box.begin();
    box.at(b.token, 6);
    auto refusal = Box::refused(0, 1);
    box.run([&](Tx& tx) { settle_inherited(tx, box.env, 0, refusal, box.now, 0); });
    CHECK(box.status(second) == "failed");
    CHECK(box.status(first) == "sending");
}
