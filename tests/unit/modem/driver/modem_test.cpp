#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

struct Up : Rig {
    explicit Up(ModemSettings settings = {}) : Rig{std::move(settings)} {
        start();
        REQUIRE(until_state("ready"));
    }
    const SubmitOutcome& outcome(std::size_t i = 0, BootClock::duration limit = 120s) {
        REQUIRE(until([&] { return host.outcomes.size() > i; }, limit));
        return host.outcomes[i];
    }
};

}  // namespace

TEST_CASE("bring-up: identity, settings, registration") {
    Up rig;
    const ModemStatus& s = rig.driver->status();
    CHECK(s.identity.imei == "350000000000017");
    CHECK(s.identity.iccid == "8988200000000000017");
    CHECK(s.identity.imsi == "001010000000017");
    CHECK(s.identity.own_number == "+15550100117");
    CHECK(s.smsc == "+15550100199");
    CHECK(s.registration == 1);
    CHECK(s.rssi_dbm == -73);
    CHECK(s.operator_name == "Example");
    CHECK(rig.modem->saw("AT+CMGF=0"));
    CHECK(rig.modem->saw("AT+CNMI=2,1,0,1,0"));
    CHECK(rig.modem->count("AT+CSMP") == 0);  // T17
    rig.stop();
    CHECK(rig.ended);
    CHECK(!rig.failure);
}

TEST_CASE("a submission's outcome follows from what the modem said and when") {
    struct Row {
        const char* name;
        const char* answer;  ///< after the PDU; null: none at all
        Ending ending;
        int tp_mr;
        const char* reason;
    };
    const Row rows[] = {
        {"reference and OK", "\r\n+CMGS: 42\r\n\r\nOK\r\n", Ending::accepted, 42, ""},
        {"reference with time stamp (T25)", "\r\n+CMGS: 12,\"26/01/01,00:00:00+04\"\r\n\r\nOK\r\n", Ending::accepted, 12, ""},
        {"reference, OK lost", "\r\n+CMGS: 43\r\n", Ending::accepted, 43, ""},
        {"URC between", "\r\n+CMTI: \"ME\",3\r\n\r\n+CMGS: 44\r\n\r\nOK\r\n", Ending::accepted, 44, ""},
        {"RP-cause", "\r\n+CMS ERROR: 38\r\n", Ending::refused, -1, "cms-38"},
        {"verbose", "\r\n+CMS ERROR: network out of order\r\n", Ending::refused, -1, "cms-38"},
        {"no network", "\r\n+CMS ERROR: 331\r\n", Ending::refused, -1, "cms-331"},
        {"network timeout", "\r\n+CMS ERROR: 332\r\n", Ending::ambiguous, -1, "cms-332"},
        {"ME failure", "\r\n+CMS ERROR: 300\r\n", Ending::ambiguous, -1, "cms-300"},
        {"vendor", "\r\n+CMS ERROR: 521\r\n", Ending::ambiguous, -1, "cms-521"},
        {"bare ERROR", "\r\nERROR\r\n", Ending::ambiguous, -1, "error"},
        {"OK without reference", "\r\nOK\r\n", Ending::ambiguous, -1, "no-reference"},
        {"nothing", nullptr, Ending::ambiguous, -1, "timeout"},
        {"RDY", "\r\nRDY\r\n", Ending::ambiguous, -1, "rebooted"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Up rig;
        rig.modem->on_pdu = [&](const std::string&) {
            if (row.answer) rig.modem->raw(row.answer);
            return true;
        };
        rig.queue(7);
        const SubmitOutcome& got = rig.outcome();
        CHECK(got.token == 7);
        CHECK(got.ending == row.ending);
        CHECK(got.tp_mr == row.tp_mr);
        CHECK(got.reason == row.reason);
        CHECK(rig.modem->pdus.size() == 1);
        CHECK(rig.until_state("ready"));
    }
}

TEST_CASE("before Ctrl-Z nothing was sent") {
    struct Row {
        const char* name;
        const char* answer;  ///< to AT+CMGS=16; null: silence
        Ending ending;
        const char* reason;
    };
    const Row rows[] = {{"silence", nullptr, Ending::not_sent, "no-prompt"},
                        {"SIM busy", "\r\n+CMS ERROR: 314\r\n", Ending::refused, "cms-314"},
                        {"CME", "\r\n+CME ERROR: 30\r\n", Ending::refused, "cme-30"},
                        {"bare ERROR", "\r\nERROR\r\n", Ending::refused, "error"},
                        {"reboot", "\r\n^SYSSTART\r\n", Ending::not_sent, "rebooted"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Up rig;
        rig.modem->answers["AT+CMGS=16"] = row.answer ? row.answer : "";
        rig.queue(8);
        const SubmitOutcome& got = rig.outcome();
        CHECK(got.ending == row.ending);
        CHECK(got.reason == row.reason);
        CHECK(rig.modem->pdus.empty());
        CHECK(rig.until_state("ready"));
    }
}

TEST_CASE("the prompt: bare line, late URC in front, echo") {
    for (const char* prompt : {"\r\n> ", "\r\n>\r\n", ">", "\r\n+CMTI: \"ME\",1\r\n\r\n> ", "AT+CMGS=16\r\r\n>\r\n"}) {
        CAPTURE(prompt);
        Up rig;
        rig.modem->answers["AT+CMGS=16"] = prompt;
        rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
            // the scripted modem is not in its own prompt here: take the PDU by its Ctrl-Z
            if (octets.ends_with('\x1a')) return rig.modem->raw("\r\n+CMGS: 5\r\n\r\nOK\r\n");
            inner(octets);
        };
        rig.queue(9);
        CHECK(rig.outcome().ending == Ending::accepted);
    }
}

TEST_CASE("port lost: before Ctrl-Z not sent, after it ambiguous; back after a replug within 5 s") {
    for (const bool after : {false, true}) {
        CAPTURE(after);
        Up rig;
        if (after) {
            rig.modem->on_pdu = [&](const std::string&) {
                rig.unplug();
                return true;
            };
        } else {
            rig.modem->no_prompt = true;
        }
        rig.queue(10);
        if (!after) {
            REQUIRE(rig.until([&] { return rig.modem->saw("AT+CMGS=16"); }));
            rig.unplug();
        }
        const SubmitOutcome& got = rig.outcome();
        CHECK(got.ending == (after ? Ending::ambiguous : Ending::not_sent));
        CHECK(got.reason == "port-lost");
        REQUIRE(rig.until_state("absent"));
        rig.pass(120s);
        rig.plug();
        CHECK(rig.until_state("ready", 12s));
        rig.unplug();
        rig.pass(1s);
        rig.plug();
        CHECK(rig.until_state("ready", 5s));
        CHECK(rig.driver->status().resets == 0);  // errors of our own open() are no trouble
    }
}

TEST_CASE("a late +CMGS is told") {
    Up rig;
    rig.modem->on_pdu = [](const std::string&) { return true; };
    rig.queue(11);
    CHECK(rig.outcome().ending == Ending::ambiguous);
    rig.modem->say("+CMGS: 77");
    CHECK(rig.until([&] { return !rig.host.late.empty(); }));
    CHECK(rig.host.late == std::vector<int>{77});
}

TEST_CASE("after Ctrl-Z the wait is 75 s, and URC traffic does not extend it") {
    Up rig;
    rig.modem->on_pdu = [&](const std::string&) { return rig.modem->mute = true; };
    rig.queue(12);
    REQUIRE(rig.until([&] { return !rig.modem->pdus.empty(); }));
    const Instant sent = VirtualTime::current();
    while (rig.host.outcomes.empty() && VirtualTime::current() - sent < 200s) {
        rig.modem->raw("\r\n^RSSI:25\r\n\r\n^BOOT:35323129,0,0,0,26\r\n");
        rig.pass(1s);
    }
    const auto waited = VirtualTime::current() - sent;
    CHECK(waited >= 75s);
    CHECK(waited <= 81s);  // three tries to find it again included
}

TEST_CASE("an answer that is a minute overdue: what the modem says when it is asked for a sign of life") {
    struct Row {
        const char* name;
        std::string sign;   ///< its answer to the AT of 60 s after Ctrl-Z; "" none
        std::string at_70;  ///< what it says 70 s after Ctrl-Z
        Ending ending;
        const char* reason;
        std::chrono::seconds from, to;
    };
    const Row rows[] = {
        {"was mute for a while, and is idle", "\r\nOK\r\n", "", Ending::ambiguous, "timeout", 60s, 61s},
        {"still at it, then taken", "", "\r\n+CMGS: 9\r\n\r\nOK\r\n\r\nOK\r\n", Ending::accepted, "", 70s, 71s},
        {"the network refused after all", "", "\r\n+CMS ERROR: 38\r\n", Ending::refused, "cms-38", 70s, 71s},
        {"the question ended it half-way", "\r\n+CMS ERROR: 302\r\n", "", Ending::ambiguous, "cms-302", 60s, 61s},
        {"ended half-way, without a number", "\r\nERROR\r\n", "", Ending::ambiguous, "error", 60s, 61s},
        {"says nothing at all", "", "", Ending::ambiguous, "timeout", 75s, 76s},
    };
    for (const Row& row : rows) {
        CAPTURE(std::string{row.name});
        Up rig;
        Instant sent{};
        rig.modem->on_pdu = [&](const std::string&) {
            sent = VirtualTime::current();
            rig.modem->answers["AT"] = row.sign;
            return true;
        };
        rig.queue(13);
        REQUIRE(rig.until([&] { return sent != Instant{}; }));
        rig.modem->log.clear();
        rig.pass(59s);
        CHECK(rig.modem->log.empty());  // not an octet before the minute is over
        CHECK(rig.host.outcomes.empty());
        rig.until([&] { return !rig.host.outcomes.empty(); }, 11010ms);
        rig.modem->answers.erase("AT");
        if (!row.at_70.empty()) rig.modem->raw(row.at_70);
        REQUIRE(rig.until([&] { return !rig.host.outcomes.empty(); }, 10s));
        const auto waited = VirtualTime::current() - sent;
        CHECK(waited >= row.from);
        CHECK(waited <= row.to);
        CHECK(rig.host.outcomes[0].ending == row.ending);
        CHECK(rig.host.outcomes[0].reason == row.reason);
        // in step again, and its late OK is nobody's
        rig.modem->on_pdu = {};
        rig.queue(14);
        CHECK(rig.outcome(1, 10s).ending == Ending::accepted);
        CHECK(rig.modem->pdus.size() == 2);
    }
}

TEST_CASE("a burst has no command between its messages but AT+CMGS") {
    Up rig;
    rig.modem->log.clear();
    for (int i = 0; i < 50; ++i) rig.queue(i);
    rig.outcome(49);
    CHECK(rig.modem->log.size() == 50);
    CHECK(rig.modem->count("AT+CMGS=") == 50);
    for (int i = 0; i < 50; ++i) CHECK(rig.host.outcomes[static_cast<std::size_t>(i)].token == i);
}

TEST_CASE("an incoming message is deleted after it was persisted, and between messages alone") {
    Up rig;
    rig.modem->store(3, delivered_pdu);
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->say("+CMTI: \"ME\",3");
        return false;
    };
    rig.host.on_incoming = [&] { CHECK(rig.modem->storage.contains(3)); };
    rig.queue(1, true);
    rig.queue(2, true);
    rig.queue(3, false);
    rig.outcome(2);
    REQUIRE(rig.until([&] { return rig.modem->storage.empty(); }));
    std::vector<std::string> order;
    for (const std::string& line : rig.modem->log)
        if (line.starts_with("AT+CMGS=") || line.starts_with("AT+CMGR=") || line.starts_with("AT+CMGD="))
            order.push_back(line.substr(3, 4));
    CHECK(order == std::vector<std::string>{"CMGS", "CMGS", "CMGS", "CMGR", "CMGD"});
    REQUIRE(rig.host.incoming.size() >= 1);
    CHECK(rig.host.incoming[0].hex == delivered_pdu);
    CHECK(rig.host.incoming[0].memory == "ME");
    CHECK(rig.host.incoming[0].kind == Incoming::Kind::message);
    CHECK(rig.host.incoming[0].by.iccid == "8988200000000000017");
}

TEST_CASE("what was not persisted stays in the modem and is tried again") {
    Up rig;
    rig.host.persist_failures = 2;
    rig.modem->store(1, delivered_pdu);
    rig.modem->say("+CMTI: \"ME\",1");
    rig.pass(5s);
    CHECK(rig.modem->storage.contains(1));
    CHECK(rig.host.incoming.empty());
    CHECK(rig.until([&] { return rig.modem->storage.empty(); }, 60s));
    CHECK(rig.host.incoming.size() == 1);
}

TEST_CASE("what cannot be persisted is tried every 10 s, registered or not") {
    for (const char* registration : {"+CREG: 1,1", "+CREG: 1,2", "+CREG: 1,3"}) {
        CAPTURE(registration);
        Up rig;
        rig.modem->answers["AT+CREG?"] = "\r\n" + std::string{registration} + "\r\n\r\nOK\r\n";
        rig.modem->say(std::string{registration}.replace(7, 2, ""));
        rig.pass(1s);
        rig.host.persist_failures = 30;
        rig.modem->store(1, delivered_pdu);
        rig.modem->say("+CMTI: \"ME\",1");
        rig.pass(65s);
        CHECK(rig.modem->storage.contains(1));
        const int tried = 30 - rig.host.persist_failures;
        CHECK(tried >= 5);
        CHECK(tried <= 8);
    }
}

TEST_CASE("a lost +CMTI is found by the sweep, one before the start too") {
    Rig rig;
    rig.modem->store(0, delivered_pdu);
    rig.start();
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 1; }));
    rig.modem->store(4, delivered_pdu);
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 2; }, 70s));
    CHECK(rig.until([&] { return rig.modem->storage.empty(); }));
}

TEST_CASE("odd storages: T29, T57, T31, T67, blank records, undecodable PDUs") {
    Up rig;
    rig.modem->say("+CMTI: ,-1");       // T29: nothing there, nothing breaks
    rig.modem->say("+CMTI: \"ME\",9");  // T31: an empty slot
    rig.pass(3s);
    CHECK(rig.host.incoming.empty());
    CHECK(rig.modem->count("AT+CMGR=-1") == 0);
    rig.modem->storage[1] = "3,,18\r\n0011000B811000000000F00000AA0AE8329BFD4697D9EC37";  // T67: our own
    rig.modem->storage[2] = "0,,20\r\nFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";        // row 58
    rig.modem->storage[5] = "0,,5\r\n00ABCDEF1234";                                       // nonsense, but incoming
    rig.modem->storage[6] = "1,,2\r\n079100";                                             // cut, and cut again
    rig.modem->say("+CMTI: \"SL\",5");                                                    // T57
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 2; }));
    CHECK(rig.until([&] { return rig.modem->storage.size() == 2; }));
    CHECK(rig.modem->storage.contains(1));
    CHECK(rig.modem->storage.contains(2));
}

TEST_CASE("+CMT and +CDS are persisted while a submission waits") {
    Up rig;
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->raw("\r\n+CDS: 25\r\n00060A0B915155100132F4621111010140006211110101400000\r\n");
        rig.modem->raw("\r\n+CMT: ,28\r\n" + std::string{delivered_pdu} + "\r\n");
        return true;
    };
    rig.host.persist_failures = 1;
    rig.queue(1);
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 2; }, 20s));
    CHECK(rig.host.outcomes.empty());
    CHECK(rig.host.incoming[0].kind == Incoming::Kind::report);
    CHECK(rig.host.incoming[1].kind == Incoming::Kind::message);
    CHECK(rig.host.incoming[1].memory.empty());
    rig.modem->raw("\r\n+CMGS: 9\r\n\r\nOK\r\n");
    CHECK(rig.outcome().tp_mr == 9);
}

TEST_CASE("+CDSI: the slot is believed only if a report is in it (T27)") {
    Up rig;
    rig.modem->store(0, delivered_pdu);
    rig.modem->say("+CDSI: \"ME\",0");
    rig.pass(2s);
    CHECK(rig.host.incoming.empty());
    CHECK(rig.modem->count("AT+CMGD") == 0);
    rig.modem->storage[0] = "0,,25\r\n00060A0B915155100132F4621111010140006211110101400000";
    rig.modem->say("+CDSI: \"ME\",0");
    REQUIRE(rig.until([&] { return !rig.host.incoming.empty(); }, 5s));
    CHECK(rig.host.incoming[0].kind == Incoming::Kind::report);
    CHECK(rig.until([&] { return rig.modem->storage.empty(); }));
}

TEST_CASE("a mute modem: the queue is settled, the ladder climbs, and it is back soon after") {
    Up rig;
    rig.modem->mute = true;
    rig.pass(600s);
    CHECK(to_string(rig.driver->status().state) == "recovering");
    CHECK(rig.driver->status().resets <= 3);
    rig.modem->mute = false;
    CHECK(rig.until_state("ready", 60s));
    rig.queue(1);
    CHECK(rig.outcome().ending == Ending::accepted);
}

TEST_CASE("a reboot is noticed, and everything is set up anew") {
    Up rig;
    rig.modem->log.clear();
    rig.modem->say("RDY");
    REQUIRE(rig.until([&] { return rig.modem->saw("AT+CNMI=2,1,0,1,0"); }));
    CHECK(rig.until_state("ready"));
    CHECK(rig.driver->status().boots_seen == 1);
}

TEST_CASE("a restart without a word is noticed by its echo") {
    Up rig;
    rig.modem->echo = true;
    rig.modem->log.clear();
    REQUIRE(rig.until([&] { return rig.modem->saw("AT+CNMI=2,1,0,1,0"); }, 70s));
    CHECK(rig.until_state("ready"));
    CHECK(!rig.modem->echo);
    rig.modem->echo = true;
    rig.modem->log.clear();
    rig.queue(1);
    CHECK(rig.outcome().ending == Ending::accepted);
    CHECK(rig.until([&] { return rig.modem->saw("AT+CNMI=2,1,0,1,0"); }, 5s));
}

TEST_CASE("registration: lost and found; +CREG with SMS only counts") {
    Up rig;
    rig.modem->answers["AT+CREG?"] = "\r\n+CREG: 1,2\r\n\r\nOK\r\n";
    rig.modem->answers["AT+CEREG?"] = "\r\n+CEREG: 1,0\r\n\r\nOK\r\n";
    rig.modem->answers["AT+CGREG?"] = "\r\n+CGREG: 1,0\r\n\r\nOK\r\n";
    rig.modem->say("+CREG: 2");
    REQUIRE(rig.until_state("searching"));
    rig.queue(1);
    rig.pass(5s);
    CHECK(rig.modem->pdus.empty());
    rig.modem->answers["AT+CEREG?"] = "\r\n+CEREG: 1,6\r\n\r\nOK\r\n";
    CHECK(rig.outcome(0, 30s).ending == Ending::accepted);
}

TEST_CASE("PIN: entered once, never on the last try, never again after a refusal") {
    struct Row {
        const char* name;
        const char* tries;
        bool allowed, accepted;
        const char* state;
        std::size_t entered;
    };
    const Row rows[] = {{"accepted", "\r\n+CPINR: SIM PIN,3\r\n\r\nOK\r\n", true, true, "ready", 1},
                        {"tries unknown", "\r\nERROR\r\n", true, true, "ready", 1},
                        {"last try", "\r\n+CPINR: SIM PIN,1\r\n\r\nOK\r\n", true, true, "blocked:pin-last-try", 0},
                        {"tried before", "\r\n+CPINR: SIM PIN,3\r\n\r\nOK\r\n", false, true, "blocked:pin-refused", 0},
                        {"refused", "\r\n+CPINR: SIM PIN,3\r\n\r\nOK\r\n", true, false, "blocked:pin-refused", 1}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ModemSettings settings;
        settings.pin = "1234";
        Rig rig{settings};
        rig.host.pin_ok = row.allowed;
        ScriptedModem& m = *rig.modem;
        m.answers["AT+CPIN?"] = "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n";
        m.answers["AT+CPINR=\"SIM PIN\""] = row.tries;
        m.answers["AT+CPIN=\"1234\""] = row.accepted ? "\r\nOK\r\n" : "\r\n+CME ERROR: 16\r\n";
        rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
            inner(octets);
            if (row.accepted && octets == "AT+CPIN=\"1234\"\r") m.answers["AT+CPIN?"] = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
        };
        rig.start();
        CHECK(rig.until([&] { return !rig.host.states.empty() && rig.host.states.back() == row.state; }));
        rig.pass(300s);
        CHECK(m.count("AT+CPIN=") == row.entered);
        CHECK(m.count("AT+CPIN=\"1234\"") == row.entered);
        if (!rig.host.pins.empty()) CHECK(rig.host.pins[0] == "8988200000000000017/1234");
        CHECK(rig.host.accepted_pins.size() == (row.state == std::string_view{"ready"} ? 1 : 0));
    }
}

TEST_CASE("SIM and modem that do not fit hold the modem") {
    struct Row {
        const char* name;
        ModemSettings settings;
        bool sim_ok;
        const char* state;
    };
    ModemSettings imei, iccid;
    imei.imei = "350000000000099";
    iccid.iccid = "8900000000000000000";
    const Row rows[] = {{"imei", imei, true, "blocked:wrong-modem"},
                        {"iccid", iccid, true, "blocked:wrong-sim"},
                        {"swapped", {}, false, "blocked:sim-changed"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Rig rig{row.settings};
        rig.host.sim_ok = row.sim_ok;
        rig.queue(1);
        rig.start();
        CHECK(rig.until([&] { return !rig.host.states.empty() && rig.host.states.back() == row.state; }));
        rig.pass(10s);
        CHECK(rig.modem->pdus.empty());
        if (row.sim_ok) continue;
        rig.host.sim_ok = true;
        rig.host.wake().raise();
        CHECK(rig.outcome_soon());
    }
}

TEST_CASE("calls are hung up; USSD and commands of a technician; stop and disable") {
    Up rig;
    rig.modem->say("RING");
    REQUIRE(rig.until([&] { return rig.modem->saw("ATH"); }));
    CHECK(rig.driver->status().calls == 1);

    rig.modem->answers["AT+CUSD=1,\"*100#\",15"] = "\r\n+CUSD: 0,\"00420061006C003A00200035\",72\r\n\r\nOK\r\n";
    std::optional<Result<UssdAnswer>> text;
    std::optional<Result<AtAnswer>> answer, forbidden;
    boost::asio::co_spawn(rig.ctx, rig.driver->ussd("*100#"), [&](std::exception_ptr, Result<UssdAnswer> r) { text = std::move(r); });
    boost::asio::co_spawn(rig.ctx, rig.driver->command("ATI"), [&](std::exception_ptr, Result<AtAnswer> r) { answer = std::move(r); });
    boost::asio::co_spawn(rig.ctx, rig.driver->command("AT+CMGS=5"),
                          [&](std::exception_ptr, Result<AtAnswer> r) { forbidden = std::move(r); });
    rig.modem->answers["ATI"] = "\r\nExample EX100\r\nRevision: 1.0\r\n\r\nOK\r\n";
    REQUIRE(rig.until([&] { return text && answer && forbidden; }));
    REQUIRE(text->has_value());
    CHECK((*text)->text == "Bal: 5");
    CHECK(!(*text)->open);
    REQUIRE(answer->has_value());
    CHECK((*answer)->lines == std::vector<std::string>{"Example EX100", "Revision: 1.0"});
    CHECK(!forbidden->has_value());
    forbidden.reset();
    boost::asio::co_spawn(rig.ctx, rig.driver->command("AT+CSQ;A"),
                          [&](std::exception_ptr, Result<AtAnswer> r) { forbidden = std::move(r); });
    REQUIRE(rig.until([&] { return forbidden.has_value(); }));
    REQUIRE(forbidden->has_error());
    CHECK(forbidden->error().is(at::AtErrc::forbidden));
    CHECK(!rig.modem->saw("AT+CSQ;A"));

    rig.host.on = false;
    rig.host.wake().raise();
    CHECK(rig.until_state("disabled", 2s));
    rig.host.on = true;
    rig.host.wake().raise();
    CHECK(rig.until_state("ready", 10s));
}

TEST_CASE("stop: at once when idle or before Ctrl-Z, with the final result after it") {
    for (const bool past : {false, true}) {
        CAPTURE(past);
        Up rig;
        rig.modem->no_prompt = !past;
        rig.modem->on_pdu = [](const std::string&) { return true; };
        rig.queue(1);
        REQUIRE(rig.until([&] { return past ? !rig.modem->pdus.empty() : rig.modem->saw("AT+CMGS=16"); }));
        rig.host.stop = true;
        rig.host.wake().raise();
        if (past) {
            rig.pass(3s);
            CHECK(!rig.ended);
            rig.modem->raw("\r\n+CMGS: 5\r\n\r\nOK\r\n");
        }
        CHECK(rig.until([&] { return rig.ended; }, 1s));
        REQUIRE(rig.host.outcomes.size() == 1);
        CHECK(rig.host.outcomes[0].ending == (past ? Ending::accepted : Ending::not_sent));
    }
}

TEST_CASE("an idle modem is asked little") {
    Up rig;
    rig.pass(30s);
    rig.modem->log.clear();
    rig.pass(600s);
    CHECK(rig.modem->log.size() >= 10);
    CHECK(rig.modem->log.size() <= 70);  // 10 polls: signal, registration, two memories; some more every fifth
}
