// journal = "modem": AT+CMGW, the Host's commit, AT+CMSS; and what the slots say after a lost answer, a reboot, a restart.
#include <doctest/doctest.h>

#include "modem/pdu/stored.hpp"
#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

ModemSettings in_modem() {
    ModemSettings s;
    s.journal_in_modem = true;
    return s;
}

/// A modem that stores and sends from its storage, as TS 27.005 has it; the rig's Host keeps what the driver told it.
struct Storing : Rig {
    explicit Storing(std::string known = "ok") : Rig{in_modem()} {
        host.storing = std::move(known);
        teach();
        start();
        REQUIRE(until_state("ready"));
    }
    void teach() {
        modem->answers["AT+CMSS=?"] = "\r\nOK\r\n";
        modem->on_stored = [this](int index) {
            CHECK(!host.slots_noted.empty());  // its slot is durable before AT+CMSS is written
            if (on_cmss) return on_cmss(index);
            return send(index);
        };
    }
    /// The network takes it.
    std::string send(int index) {
        ++taken;
        if (marks) modem->mark(index, 3);
        return "\r\n+CMSS: " + std::to_string(index + 40) + "\r\n\r\nOK\r\n";
    }
    void post(std::int64_t token) {
        queue(token);
        host.queue.back().store = true;
    }
    const SubmitOutcome& outcome(std::size_t i = 0, BootClock::duration limit = 120s) {
        REQUIRE(until([&] { return host.outcomes.size() > i; }, limit));
        return host.outcomes[i];
    }
    std::function<std::string(int)> on_cmss;
    bool marks = true;
    int taken = 0;
};

}  // namespace

TEST_CASE("stored: written, committed, sent from its slot, emptied when idle") {
    Storing rig;
    CHECK(rig.driver->status().journal == "modem");
    CHECK(rig.driver->status().store_memory == "ME");
    rig.post(7);
    const SubmitOutcome& got = rig.outcome();
    CHECK(got.ending == Ending::accepted);
    CHECK(got.tp_mr == 41);
    CHECK(got.stored == StoredAt{"ME", 1});
    REQUIRE(rig.host.slots_noted.size() == 1);
    CHECK(rig.host.slots_noted[0].first == 7);
    CHECK(rig.host.slots_noted[0].second == StoredAt{"ME", 1});
    CHECK(rig.modem->count("AT+CMGS") == 0);
    REQUIRE(rig.until([&] { return !rig.host.removed.empty(); }));
    CHECK(rig.host.removed == std::vector<StoredAt>{{"ME", 1}});
    CHECK(rig.modem->storage.empty());
}

TEST_CASE("stored: nothing is sent while the slot cannot be committed") {
    Storing rig;
    rig.host.note_fails = true;
    rig.post(7);
    CHECK(rig.outcome().ending == Ending::not_sent);
    CHECK(rig.host.outcomes[0].reason == "journal-failed");
    CHECK(rig.taken == 0);
    CHECK(rig.until([&] { return rig.modem->storage.empty(); }));  // and it does not stay behind
}

TEST_CASE("stored: an answer that is lost is asked of the slot") {
    struct Row {
        const char* name;
        bool took;
        const char* answer;  ///< null: none
        const char* known;   ///< of this modem's marking
        Ending ending;
        const char* reason;
    };
    const Row rows[] = {{"taken, no answer", true, nullptr, "ok", Ending::accepted, ""},
                        {"not taken, no answer", false, nullptr, "ok", Ending::not_sent, "not-sent"},
                        {"not taken, no answer, marking not proved", false, nullptr, "", Ending::ambiguous, "timeout"},
                        {"taken, OK alone", true, "\r\nOK\r\n", "ok", Ending::accepted, ""},
                        {"the modem itself does not know", false, "\r\n+CMS ERROR: 332\r\n", "ok", Ending::ambiguous, "cms-332"},
                        {"taken, though it says 332", true, "\r\n+CMS ERROR: 332\r\n", "ok", Ending::accepted, ""},
                        {"bare ERROR", false, "\r\nERROR\r\n", "ok", Ending::ambiguous, "error"},
                        {"definite", false, "\r\n+CMS ERROR: 38\r\n", "ok", Ending::refused, "cms-38"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Storing rig{row.known};
        rig.on_cmss = [&](int index) {
            if (row.took) rig.send(index);
            return std::string{row.answer ? row.answer : ""};
        };
        rig.post(7);
        const SubmitOutcome& got = rig.outcome();
        CHECK(got.ending == row.ending);
        CHECK(got.reason == row.reason);
        CHECK(got.stored == StoredAt{"ME", 1});
        CHECK(rig.modem->count("AT+CMSS=1") == 1);
    }
}

TEST_CASE("stored: a reboot between leaves the outcome to the Host, with what the slot says") {
    for (const bool took : {true, false}) {
        CAPTURE(took);
        Storing rig;
        rig.on_cmss = [&](int index) {
            if (took) rig.send(index);
            return std::string{"\r\nRDY\r\n"};
        };
        rig.host.ruling = took ? SlotRuling::remove : SlotRuling::look_again;
        rig.post(7);
        CHECK(rig.outcome().ending == Ending::ambiguous);
        CHECK(rig.outcome().stored == StoredAt{"ME", 1});
        REQUIRE(rig.until([&] { return !rig.host.readings.empty() && !rig.host.readings.back().slots.empty(); }));
        const SlotReading& reading = rig.host.readings.back();
        CHECK(reading.whole);
        CHECK(reading.trusted);
        CHECK(reading.memory == "ME");
        REQUIRE(reading.slots.size() == 1);
        CHECK(reading.slots[0].state == (took ? SlotReading::State::sent : SlotReading::State::unsent));
        if (took) {
            CHECK(rig.until([&] { return rig.modem->storage.empty(); }));
            continue;
        }
        // it is read again when the modem cannot be sending it any more, and sooner once another part was taken
        const std::size_t before = rig.host.readings.size();
        rig.on_cmss = nullptr;
        rig.post(8);
        rig.outcome(1);
        REQUIRE(rig.until([&] { return rig.host.readings.size() > before; }, 5s));
        CHECK(!rig.host.readings.back().whole);
    }
}

TEST_CASE("stored: an open slot is read again by itself") {
    Storing rig;
    rig.on_cmss = [](int) { return std::string{"\r\nRDY\r\n"}; };
    rig.host.ruling = SlotRuling::look_again;
    rig.post(7);
    rig.outcome();
    REQUIRE(rig.until([&] { return !rig.host.readings.empty() && !rig.host.readings.back().slots.empty(); }));
    const std::size_t before = rig.host.readings.size();
    CHECK(rig.until([&] { return rig.host.readings.size() > before; }, 90s));
}

TEST_CASE("stored: a technician's draft stays") {
    Storing rig;
    rig.modem->storage[9] = "2,,16\r\n0011000B915155101032F50000A702E834";
    rig.host.ruling = SlotRuling::leave;
    rig.post(7);
    rig.outcome();
    rig.pass(700s);  // a sweep of everything
    CHECK(rig.modem->storage.contains(9));
    CHECK(rig.modem->storage.size() == 1);
}

TEST_CASE("stored: slots do not pile up, and cost a burst no command before the store is half full") {
    Storing rig;
    for (int n = 0; n < 30; ++n) rig.post(100 + n);
    std::size_t most = 0, deletes_at_nine = 99;
    rig.host.on_outcome = [&] {
        most = std::max(most, rig.modem->storage.size());
        if (rig.host.outcomes.size() == 9) deletes_at_nine = rig.modem->count("AT+CMGD");
    };
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 30; }));
    CHECK(deletes_at_nine == 0);
    CHECK(most <= 11);  // of 20
    CHECK(rig.until([&] { return rig.modem->storage.empty(); }));
    CHECK(rig.taken == 30);
}

TEST_CASE("stored: what the modem cannot do falls back to the host's journal") {
    SUBCASE("full: this message alone") {
        Storing rig;
        rig.modem->answers["AT+CMGW=16"] = "\r\n+CMS ERROR: 322\r\n";
        rig.post(7);
        CHECK(rig.outcome().ending == Ending::accepted);
        CHECK(rig.modem->count("AT+CMGS") == 1);
        REQUIRE(rig.host.slots_noted.size() == 1);
        CHECK(!rig.host.slots_noted[0].second);  // committed: it goes by AT+CMGS
        rig.modem->answers.erase("AT+CMGW=16");
        rig.post(8);
        rig.outcome(1);
        CHECK(rig.taken == 1);
        CHECK(rig.driver->status().journal == "modem");
    }
    SUBCASE("AT+CMGW refused again and again") {
        Storing rig;
        rig.modem->answers["AT+CMGW=16"] = "\r\nERROR\r\n";
        for (int n = 0; n < 4; ++n) rig.post(7 + n);
        rig.outcome(3);
        CHECK(rig.modem->count("AT+CMGS") == 4);
        CHECK(rig.modem->count("AT+CMGW") == 3);
        CHECK(rig.driver->status().journal == "host");
        CHECK(rig.driver->status().journal_reason == "cmgw-refused");
    }
    SUBCASE("no AT+CMSS") {
        Rig rig{in_modem()};
        rig.modem->answers["AT+CMSS=?"] = "\r\nERROR\r\n";
        rig.start();
        REQUIRE(rig.until_state("ready"));
        CHECK(rig.driver->status().journal_reason == "cmss-refused");
    }
    SUBCASE("known from before") {
        Storing rig{"not-marked-sent"};
        CHECK(rig.driver->status().journal == "host");
        rig.post(7);
        CHECK(rig.outcome().ending == Ending::accepted);
        CHECK(rig.modem->count("AT+CMGW") == 0);
    }
    SUBCASE("AT+CMSS that does not mark: learnt from the first message, and remembered") {
        Storing rig{""};
        rig.marks = false;
        rig.post(7);
        CHECK(rig.outcome().ending == Ending::accepted);
        CHECK(rig.host.storing == "not-marked-sent");
        CHECK(rig.driver->status().journal_reason == "not-marked-sent");
    }
    SUBCASE("a PDU that is not what was written") {
        Storing rig{""};
        rig.on_cmss = [&](int index) {
            rig.modem->storage[index] = "3,,16\r\n0011000B915155101032F50000A702E835";
            return rig.send(index);
        };
        rig.post(7);
        rig.outcome();
        CHECK(rig.host.storing == "pdu-altered");
    }
    SUBCASE("marked: remembered too") {
        Storing rig{""};
        rig.post(7);
        rig.outcome();
        CHECK(rig.host.storing == "ok");
    }
}

TEST_CASE("stored: an answer of AT+CMGW that is lost sends nothing") {
    Storing rig;
    rig.modem->on_write = [](int) { return std::string{}; };
    rig.post(7);
    CHECK(rig.outcome().ending == Ending::not_sent);
    CHECK(rig.outcome().stored == StoredAt{"ME", -1});
    CHECK(rig.taken == 0);
    CHECK(rig.modem->count("AT+CMSS=1") == 0);
    // the orphan is shown to the Host, who knows its octets
    CHECK(rig.until([&] { return !rig.host.readings.empty() && rig.host.readings.back().slots.size() == 1; }));
}

TEST_CASE("stored_form: what a modem fills in does not count") {
    const auto octets = [](std::string_view hex) { return *pdu::from_hex(hex); };
    const auto bare = octets("0011000B915155101032F40000A702E834");
    CHECK(pdu::stored_form(bare) == pdu::stored_form(octets("0791515510109099"
                                                            "11370B915155101032F40000A702E834")));
    CHECK(pdu::stored_fingerprint(bare) == pdu::stored_fingerprint(octets("0791515510109099"
                                                                          "11370B915155101032F40000A702E834")));
    CHECK(pdu::stored_fingerprint(bare) != pdu::stored_fingerprint(octets("0011000B915155101032F40000A702E835")));
    CHECK(!pdu::stored_fingerprint(octets("00")));
    CHECK(!pdu::stored_fingerprint(octets("0004")));        // an SMS-DELIVER
    CHECK(!pdu::stored_fingerprint(octets("0791515510")));  // cut in its SMSC
    CHECK(!pdu::stored_fingerprint({}));
}
