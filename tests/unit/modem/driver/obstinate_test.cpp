// Modems that leave a command without an answer, refuse what they took before, or answer every message with an error of their own.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

struct Obstinate : Rig {
    explicit Obstinate(ModemSettings settings = {}) : Rig{std::move(settings)} {}
    Obstinate& up() {
        start();
        REQUIRE(until_state("ready"));
        return *this;
    }
    /// The n-th submission, refused or not; the Host gives one at a time, as it does after a failure.
    const SubmitOutcome& send(std::int64_t token) {
        const std::size_t before = host.outcomes.size();
        queue(token);
        REQUIRE(until([&] { return host.outcomes.size() > before; }, 120s));
        return host.outcomes.back();
    }
};

/// Every command of a bring-up, of the audit behind it, and of the first five polls.
std::set<std::string> all_commands() {
    Obstinate rig;
    rig.up();
    rig.pass(330s);
    return {rig.modem->log.begin(), rig.modem->log.end()};
}

}  // namespace

TEST_CASE("each command in turn is swallowed, once or always: the modem is up within a minute, and no remedy is tried") {
    for (const std::string& command : all_commands())
        for (const int times : {1, 1000}) {
            CAPTURE(command);
            CAPTURE(times);
            if (command == "AT") continue;  // then it is mute
            Obstinate rig;
            rig.modem->swallow[command] = times;
            rig.start();
            CHECK(rig.until_state("ready", 60s));
            if (times > 1) rig.pass(70s);
            CHECK(rig.driver->status().state == ModemState::ready);
            CHECK(rig.driver->status().resets == 0);
            CHECK(std::ranges::count(rig.host.states, "recovering:mute") == 0);
            CHECK(rig.host.incidents.empty());
            CHECK(rig.modem->count("AT+CFUN=4") == 0);
            rig.modem->store(1, delivered_pdu);
            rig.modem->say("+CMTI: \"ME\",1");
            CHECK(rig.until([&] { return !rig.host.incoming.empty(); }, 130s));
        }
}

TEST_CASE("a modem that answers a bare AT alone is mute") {
    Obstinate rig;
    rig.up();
    rig.line->to_modem = [inner = rig.line->to_modem](std::string_view octets) {
        if (octets == "AT\r" || octets.starts_with('\x1b')) inner(octets);
    };
    CHECK(rig.until_state("recovering", 300s));
}

TEST_CASE("the first command after a pause is ignored (row 74): the polls see everything all the same") {
    Obstinate rig;
    rig.up();
    rig.pass(10s);
    rig.modem->store_in("SM", 1, delivered_pdu);
    rig.modem->swallow["AT+CSQ"] = 1;
    rig.modem->answers["AT+CREG?"] = info("+CREG: 1,2");
    rig.pass(70s);
    CHECK(rig.modem->swallow["AT+CSQ"] == 0);
    CHECK(rig.driver->status().state == ModemState::searching);
    CHECK(rig.host.incoming.size() == 1);
}

TEST_CASE("without PDU mode nothing is sent; a modem that has no modes at all sends") {
    struct Row {
        const char* name;
        const char *read, *set;
        const char* state;
        bool sends;
    };
    const std::string text = info("+CMGF: 1"), error = "\r\nERROR\r\n";
    const Row rows[] = {{"stays in text mode", text.c_str(), error.c_str(), "blocked", false},
                        {"says nothing of it", error.c_str(), error.c_str(), "ready", true}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Obstinate rig;
        rig.modem->answers["AT+CMGF?"] = row.read;
        rig.modem->answers["AT+CMGF=0"] = row.set;
        rig.queue(1);
        rig.start();
        CHECK(rig.until_state(row.state, 90s));
        rig.pass(30s);
        CHECK(rig.modem->pdus.empty() != row.sends);
        if (!row.sends) CHECK(rig.driver->status().reason == "no-pdu-mode");
        rig.modem->answers["AT+CMGF?"] = info("+CMGF: 0");
        rig.modem->log.clear();
        if (row.sends) rig.modem->say("SMS Ready");  // then it is asked again
        CHECK(rig.until([&] { return rig.modem->saw("AT+CMGF?") && rig.driver->status().state == ModemState::ready; }, 70s));
        CHECK(rig.until([&] { return !rig.modem->pdus.empty(); }, 5s));
    }
}

TEST_CASE("PDU mode is refused until the modem's SMS are ready: it waits for them") {
    Obstinate rig;
    rig.modem->answers["AT+CMGF?"] = info("+CMGF: 1");
    rig.modem->answers["AT+CMGF=0"] = "\r\n+CMS ERROR: 302\r\n";
    rig.queue(1);
    rig.start();
    rig.pass(18s);
    CHECK(rig.modem->pdus.empty());
    CHECK(rig.modem->count("AT+CMGS") == 0);
    rig.modem->answers.erase("AT+CMGF=0");
    CHECK(rig.until([&] { return !rig.modem->pdus.empty(); }, 15s));
}

TEST_CASE("errors of the modem itself climb the ladder, and only a message that went ends that") {
    struct Row {
        const char* name;
        const char* answer;  ///< to AT+CMGS=16; empty: none
        bool after_ctrl_z;
        int before_radio;  ///< failures
    };
    const Row rows[] = {{"CMS 300", "\r\n+CMS ERROR: 300\r\n", false, 3}, {"CMS 300 behind the PDU", "\r\n+CMS ERROR: 300\r\n", true, 3},
                        {"CMS 210", "\r\n+CMS ERROR: 210\r\n", true, 3},  {"CME 0", "\r\n+CME ERROR: 0\r\n", false, 3},
                        {"CME 100", "\r\n+CME ERROR: 100\r\n", false, 3}, {"no prompt", "", false, 3},
                        {"bare ERROR", "\r\nERROR\r\n", false, 6}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Obstinate rig;
        rig.up();
        if (row.after_ctrl_z) {
            rig.modem->on_pdu = [&](const std::string&) {
                rig.modem->raw(row.answer);
                return true;
            };
        } else {
            rig.modem->answers["AT+CMGS=16"] = row.answer;
        }
        int token = 0;
        for (; token < row.before_radio; ++token) {
            CHECK(rig.modem->count("AT+CFUN=4") == 0);
            CHECK(rig.send(token).ending != Ending::accepted);
            REQUIRE(rig.until_state("ready", 120s));
            rig.pass(100s);  // low traffic: a bring-up between them proves nothing
        }
        CHECK(rig.until([&] { return rig.modem->count("AT+CFUN=4") == 1; }, 5s));
        REQUIRE(rig.until_state("ready", 120s));
        for (int i = 0; i < 6; ++i) {
            rig.send(++token);
            REQUIRE(rig.until_state("ready", 120s));
            rig.pass(100s);
        }
        CHECK(rig.modem->count("AT+CFUN=4") == 2);
        CHECK(rig.driver->status().resets == 1);
        CHECK(rig.modem->saw("AT+CFUN=1,1"));
        REQUIRE(rig.until_state("ready", 120s));
        rig.modem->on_pdu = nullptr;
        rig.modem->answers.erase("AT+CMGS=16");
        CHECK(rig.send(++token).ending == Ending::accepted);
        CHECK(rig.driver->status().rung.empty());
    }
}

TEST_CASE("what the network refuses says nothing about the modem") {
    Obstinate rig;
    rig.up();
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->raw("\r\n+CMS ERROR: 38\r\n");
        return true;
    };
    for (int i = 0; i < 12; ++i) CHECK(rig.send(i).reason == "cms-38");
    CHECK(rig.modem->count("AT+CFUN=4") == 0);
    CHECK(rig.driver->status().state != ModemState::recovering);
}

TEST_CASE("a late reference is told, whatever waits before it and though the line drops") {
    for (const bool drops : {false, true}) {
        CAPTURE(drops);
        Obstinate rig;
        rig.up();
        rig.modem->on_pdu = [](const std::string&) { return true; };
        rig.queue(1);
        REQUIRE(rig.until([&] { return !rig.host.outcomes.empty(); }, 120s));
        rig.modem->swallow["ATH"] = 1000;
        rig.modem->swallow["AT+CHUP"] = 1000;
        rig.modem->raw("\r\nRING\r\n\r\n+CMGS: 77\r\n");
        if (drops) {
            rig.unplug();
            rig.plug();
        } else {
            rig.modem->mute = true;
        }
        CHECK(rig.until([&] { return rig.host.late == std::vector<int>{77}; }, 30s));
    }
}

TEST_CASE("handed over: one that the Host refuses for good does not keep the others out; all are tried at a stop") {
    Obstinate rig;
    rig.up();
    const auto hand_over = [&](const std::string& pdu) { rig.modem->say("+CMT: ," + std::to_string(pdu.size() / 2 - 8) + "\r\n" + pdu); };
    const std::string bad{delivered_pdu};
    std::string good{delivered_pdu};
    good.replace(good.size() - 18, 2, "07");
    rig.host.refuses = [&](const Incoming& one) { return one.hex == bad; };
    hand_over(bad);
    hand_over(good);
    CHECK(rig.until([&] { return rig.host.incoming.size() == 1; }, 30s));
    CHECK(rig.until([&] { return rig.host.has_note("pdu-quarantined"); }, 30s));
    rig.pass(300s);
    CHECK(rig.host.incoming.size() == 1);
    rig.host.refuses = nullptr;
    rig.host.on_incoming = nullptr;
    rig.host.stop = true;  // in the midst of its pause
    rig.host.wake().raise();
    CHECK(rig.until([&] { return rig.ended; }, 1s));
    REQUIRE(rig.host.incoming.size() == 2);
    CHECK(rig.host.incoming[1].hex == bad);
}

TEST_CASE("handed over while nothing can be stored: their order stays") {
    Obstinate rig;
    rig.up();
    rig.host.refuses = [](const Incoming&) { return true; };
    std::vector<std::string> sent;
    for (const char* last : {"01", "02", "03", "04"}) {
        std::string pdu{delivered_pdu};
        sent.push_back(pdu.replace(pdu.size() - 18, 2, last));
        rig.modem->say("+CMT: ,29\r\n" + pdu);
    }
    rig.pass(300s);
    rig.host.refuses = nullptr;
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 4; }, 31s));
    for (std::size_t i = 0; i < 4; ++i) CHECK(rig.host.incoming[i].hex == sent[i]);
}

TEST_CASE("a blocked modem that talks all the time is asked now and then alone; its SIM, a person and the Host are heard") {
    Rig rig;
    auto& m = *rig.modem;
    m.answers["AT+CPIN?"] = "\r\n+CME ERROR: 10\r\n";
    m.on_command = [&](const std::string& line) {
        if (line == "AT+CGMI") m.raw("\r\n+CREG: 2\r\n\r\n+CPIN: NOT INSERTED\r\n");
    };
    rig.start();
    REQUIRE(rig.until_state("blocked"));
    m.log.clear();
    for (int i = 0; i < 120; ++i) {
        m.say("+CREG: 2");
        rig.pass(500ms);
    }
    CHECK(m.count("AT+CGMI") <= 3);
    m.log.clear();
    m.say("+CPIN: READY");
    CHECK(rig.until([&] { return m.saw("AT+CGMI"); }, 2s));
    REQUIRE(rig.until_state("blocked"));
    rig.pass(1s);
    m.log.clear();
    rig.host.wake().raise();
    CHECK(rig.until([&] { return m.saw("AT+CGMI"); }, 2s));
    rig.pass(1s);
    m.answers.erase("AT+CPIN?");
    CHECK(rig.until_state("ready", 35s));
}

TEST_CASE("another modem than the configured one that is pulled out is not said to be there any more") {
    ModemSettings settings;
    settings.imei = "350000000000099";
    Rig rig{settings};
    rig.start();
    REQUIRE(rig.until([&] { return rig.driver->status().reason == "wrong-modem"; }));
    rig.unplug();  // "pty:/example/modem0" is no file either
    CHECK(rig.until([&] { return rig.driver->status().reason == "no-port"; }, 15s));
}

TEST_CASE("a command that nobody waits for any more is not given") {
    Obstinate rig;
    rig.up();
    rig.pass(5s);
    rig.modem->answers["AT+CMGL=4"] = "";
    rig.modem->say("+CMTI: \"ME\",-1");
    REQUIRE(rig.until([&] { return rig.modem->saw("AT+CMGL=4"); }));
    rig.pass(100ms);
    std::optional<Result<AtAnswer>> answer;
    boost::asio::co_spawn(rig.ctx, rig.driver->command("AT+CSQ;+CSQ"),
                          [&](std::exception_ptr, Result<AtAnswer> r) { answer = std::move(r); });
    for (int i = 1; i <= 40; ++i) {  // a list that takes 200 s
        rig.modem->raw("\r\n+CMGL: " + std::to_string(i) + ",1,,29\r\n" + delivered_pdu + "\r\n");
        rig.pass(5s);
    }
    REQUIRE(answer.has_value());
    REQUIRE(answer->has_error());
    CHECK(answer->error().is(at::AtErrc::timeout));
    rig.modem->answers.erase("AT+CMGL=4");
    rig.modem->raw("\r\nOK\r\n");
    rig.pass(60s);
    CHECK(rig.driver->status().state == ModemState::ready);
    CHECK(!rig.modem->saw("AT+CSQ;+CSQ"));
}

TEST_CASE("a slot that is empty for half a second (row 6): looked at again after it") {
    Obstinate rig;
    rig.modem->answers["AT+CGMI"] = info("huawei");
    rig.modem->answers["AT+CGMM"] = info("E3531");
    rig.up();
    rig.pass(5s);
    rig.modem->store(3, delivered_pdu);
    rig.modem->answers["AT+CMGR=3"] = "\r\nOK\r\n";
    rig.modem->raw("\r\n+CMTI: \"ME\",3\r\n");
    rig.pass(400ms);
    rig.modem->answers.erase("AT+CMGR=3");
    CHECK(rig.until([&] { return rig.host.incoming.size() == 1; }, 1s));
    CHECK(rig.modem->count("AT+CMGR=3") == 2);
}

TEST_CASE("deleting one part deletes all (row 30): each was read and kept before") {
    Obstinate rig;
    rig.up();
    rig.pass(5s);
    std::string other{delivered_pdu};
    other.replace(other.size() - 4, 2, "00");
    rig.modem->store(3, delivered_pdu);
    rig.modem->store(4, other);
    std::size_t kept_before_delete = 0;
    rig.modem->on_command = [&](const std::string& line) {
        if (!line.starts_with("AT+CMGD=")) return;
        if (kept_before_delete == 0) kept_before_delete = rig.host.incoming.size();
        rig.modem->storage.clear();
    };
    rig.modem->raw("\r\n+CMTI: \"ME\",3\r\n\r\n+CMTI: \"ME\",4\r\n");
    REQUIRE(rig.until([&] { return kept_before_delete > 0; }, 2s));
    rig.pass(2s);
    CHECK(kept_before_delete == 2);
    CHECK(rig.host.incoming.size() == 2);
}

TEST_CASE("+CPIN: READY without OK (row 53): up, and not taken for mute by the polls") {
    Rig rig;
    rig.modem->answers["AT+CGMI"] = info("WAVECOM MODEM");
    rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: READY\r\n";
    rig.start();
    REQUIRE(rig.until_state("ready"));
    rig.pass(900s);
    CHECK(rig.driver->status().state == ModemState::ready);
    CHECK(rig.host.incidents.empty());
    CHECK(rig.modem->count("AT+CFUN=") == 0);
    CHECK(rig.modem->count("AT+CPIN?") >= 3);
}

TEST_CASE("a modem that applies the first memory alone until it was given another (row 71)") {
    Rig rig;
    bool other = false;
    rig.modem->answers["AT+CPMS?"] = info("+CPMS: \"SM\",0,20,\"SM\",0,20,\"SM\",0,20");
    rig.modem->on_command = [&](const std::string& line) {
        if (line == "AT+CPMS=\"SM\",\"SM\",\"SM\"") other = true;
        if (!other && line.starts_with("AT+CPMS=\"ME\""))
            rig.modem->answers["AT+CPMS?"] = info("+CPMS: \"ME\",0,20,\"SM\",0,20,\"SM\",0,20");
        if (other && line == "AT+CPMS=\"ME\",\"ME\",\"ME\"")
            rig.modem->answers["AT+CPMS?"] = info("+CPMS: \"ME\",0,20,\"ME\",0,20,\"ME\",0,20");
    };
    rig.start();
    REQUIRE(rig.until_state("ready"));
    CHECK(other);
    CHECK(rig.modem->answers["AT+CPMS?"].find("\"ME\",0,20,\"ME\",0,20,\"ME\"") != std::string::npos);
}

TEST_CASE("the rate is found after some octets (row 28): no remedy is tried") {
    for (const int lost : {1, 2, 3}) {
        CAPTURE(lost);
        Rig rig;
        rig.modem->swallow["AT"] = lost;
        rig.start();
        CHECK(rig.until_state("ready", 20s));
        CHECK(rig.host.incidents.empty());
    }
}

TEST_CASE("a technician's ATZ (row 82): every setting is brought back before the next message") {
    Obstinate rig;
    rig.up();
    rig.pass(5s);
    rig.modem->log.clear();
    std::optional<Result<AtAnswer>> answer;
    boost::asio::co_spawn(rig.ctx, rig.driver->command("ATZ"), [&](std::exception_ptr, Result<AtAnswer> r) { answer = std::move(r); });
    rig.pass(10ms);
    rig.queue(1);
    REQUIRE(rig.outcome_soon());
    const auto at = [&](std::string_view prefix) {
        const auto found = std::ranges::find_if(rig.modem->log, [&](const std::string& line) { return line.starts_with(prefix); });
        return found - rig.modem->log.begin();
    };
    CHECK(at("ATZ") < at("ATE0"));
    CHECK(at("AT+CMGF?") < at("AT+CMGS="));
    CHECK(at("AT+CNMI=") < at("AT+CMGS="));
    CHECK(rig.modem->saw("AT+CMGS=16"));
}

TEST_CASE("the most of +CNMI that a modem takes (row 77)") {
    for (const char* taken : {"2,1,0,0,0", "1,1,0,0,0", "2,1"}) {
        CAPTURE(std::string{taken});
        Rig rig;
        rig.modem->on_command = [&](const std::string& line) {
            if (line.starts_with("AT+CNMI=") && line != "AT+CNMI=" + std::string{taken})
                rig.modem->answers[line] = "\r\n+CMS ERROR: 303\r\n";
        };
        rig.start();
        REQUIRE(rig.until_state("ready"));
        CHECK(rig.modem->saw("AT+CNMI=" + std::string{taken}));
        CHECK(rig.driver->status().routing == "plain");
        rig.modem->store(3, delivered_pdu);
        rig.modem->raw("\r\n+CMTI: \"ME\",3\r\n");
        CHECK(rig.until([&] { return rig.host.incoming.size() == 1; }, 2s));
    }
}
