// What the driver does about modems that fall silent, lose the network, lack power or a SIM: seen by what it writes to them.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

struct Healing : Rig {
    explicit Healing(const char* manufacturer = "Example", const char* model = "EX100") {
        name(manufacturer, model);
        start();
        REQUIRE(until_state("ready"));
    }
    void name(const char* manufacturer, const char* model) {
        modem->answers["AT+CGMI"] = "\r\n" + std::string{manufacturer} + "\r\n\r\nOK\r\n";
        modem->answers["AT+CGMM"] = "\r\n" + std::string{model} + "\r\n\r\nOK\r\n";
    }
    void registration(const char* cs, const char* eps) {
        modem->answers["AT+CREG?"] = "\r\n+CREG: 1," + std::string{cs} + "\r\n\r\nOK\r\n";
        modem->answers["AT+CEREG?"] = "\r\n+CEREG: 1," + std::string{eps} + "\r\n\r\nOK\r\n";
    }
    bool advised(std::string_view code) const {
        const auto& advice = driver->status().advice;
        return std::ranges::any_of(advice, [&](const Advice& a) { return a.code == code && !a.text.empty(); });
    }
    /// Which of these commands came, in their order.
    std::vector<std::string> heard(std::initializer_list<std::string_view> wanted) const {
        std::vector<std::string> out;
        for (const std::string& command : modem->log)
            if (std::ranges::find(wanted, command) != wanted.end()) out.push_back(command);
        return out;
    }
    using Rig::queue;
};

}  // namespace

TEST_CASE("mute: software's rungs, then the USB port, then power; back within a minute of the end") {
    Healing rig;
    rig.host.usb_reset = rig.host.power_reset = true;
    rig.modem->mute = true;
    rig.modem->log.clear();
    rig.pass(600s);
    CHECK(rig.host.resets == std::vector<std::string>{"usb", "power"});
    CHECK(rig.heard({"AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1,1"}) == std::vector<std::string>{"AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1,1"});
    CHECK(rig.driver->status().resets == 3);
    CHECK(rig.driver->status().rung == "human");
    CHECK(rig.advised("human"));
    rig.pass(45min);
    CHECK(rig.driver->status().resets == 3);  // no more within the hour
    rig.modem->mute = false;
    CHECK(rig.until_state("ready", 60s));
    CHECK(rig.driver->status().rung.empty());
    CHECK(!rig.advised("human"));
}

TEST_CASE("mute for 10 s or 60 s: back within a minute, never more than one hard reset") {
    for (const auto fault : {10s, 60s})
        for (const bool flood : {false, true}) {  // URCs must not shorten the ladder's pauses
            CAPTURE(fault.count());
            CAPTURE(flood);
            Healing rig;
            rig.host.usb_reset = rig.host.power_reset = true;
            rig.modem->mute = true;
            rig.queue(1);
            const Instant end = VirtualTime::current() + fault;
            while (VirtualTime::current() < end) {
                if (flood) rig.modem->raw("\r\n+CREG: 2\r\n\r\n+CMTI: ,-1\r\n");
                rig.pass(200ms);
            }
            rig.modem->mute = false;
            CHECK(rig.until([&] { return !rig.modem->pdus.empty() || rig.driver->status().state == ModemState::ready; }, 60s));
            CHECK(rig.driver->status().resets <= 1);
            CHECK(rig.host.resets.empty());
        }
}

TEST_CASE("^BOOT and nothing else for a minute (row 16): its power is cycled, past the other rungs") {
    Healing rig("huawei", "E220");
    rig.host.usb_reset = rig.host.power_reset = true;
    rig.modem->mute = true;
    rig.modem->log.clear();
    rig.host.on_reset = [&] {
        if (rig.host.resets.back() == "power") rig.modem->mute = false;  // only that helps
    };
    const Instant start = VirtualTime::current();
    while (rig.modem->mute && VirtualTime::current() - start < 300s) {
        rig.modem->raw("\r\n^BOOT:35323129,0,0,0,26\r\n");
        rig.pass(5s);
    }
    REQUIRE(!rig.host.resets.empty());
    CHECK(rig.host.resets.back() == "power");
    CHECK(rig.modem->count("AT+CFUN=1,1") == 0);  // row 11: it would come back as a CD-ROM
    CHECK(rig.until_state("ready", 30s));
}

TEST_CASE("no helper for the power rung: it is said who can help, and the looking goes on") {
    Healing rig;
    rig.host.power_reset = true;
    rig.host.helper = false;
    rig.modem->mute = true;
    REQUIRE(rig.until([&] { return !rig.host.resets.empty(); }, 300s));
    CHECK(rig.until([&] { return rig.advised("reset-helper"); }, 30s));
    rig.pass(10s);                                                          // a rung that was begun is done
    CHECK(rig.driver->status().resets == rig.modem->count("AT+CFUN=1,1"));  // what was not done does not count
    rig.modem->log.clear();
    rig.pass(60min);
    CHECK(rig.modem->count("AT+CFUN=1,1") >= 1);  // what can be done is done meanwhile
    CHECK(rig.host.resets.size() <= 2);
    rig.modem->mute = false;
    CHECK(rig.until_state("ready", 60s));
}

TEST_CASE("deaf to the network for minutes: registered anew, then CFUN=4 and 1 (row 34); a working modem is left alone") {
    Healing rig("SIMCOM INCORPORATED", "SIMCOM_SIM7600E");
    rig.modem->log.clear();
    rig.pass(400s);
    CHECK(rig.heard({"AT+COPS=0", "AT+CFUN=4", "AT+CFUN=1", "AT+CRESET"}).empty());
    rig.registration("2", "2");
    rig.modem->say("+CREG: 2");
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        inner(octets);
        if (octets == "AT+CFUN=1\r") rig.registration("1", "1");  // only that helps
    };
    REQUIRE(rig.until_state("searching"));
    CHECK(rig.driver->status().reason == "unregistered");
    rig.pass(170s);
    CHECK(rig.heard({"AT+COPS=0", "AT+CFUN=4"}).empty());  // it gets time to find one by itself
    REQUIRE(rig.until_state("ready", 700s));
    CHECK(rig.heard({"AT+COPS=0", "AT+CFUN=4", "AT+CFUN=1", "AT+CRESET"}) ==
          std::vector<std::string>{"AT+COPS=0", "AT+CFUN=4", "AT+CFUN=1"});
    CHECK(rig.driver->status().resets == 0);
}

TEST_CASE("no network for hours: restarts as far apart as the ladder says, though each opens the port anew") {
    Healing rig;
    rig.registration("2", "2");
    rig.modem->say("+CREG: 2");
    std::vector<long> restarts;
    const Instant begun = VirtualTime::current();
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        inner(octets);
        if (octets == "AT+CFUN=1,1\r")
            restarts.push_back(std::chrono::duration_cast<std::chrono::minutes>(VirtualTime::current() - begun).count());
    };
    rig.pass(85min);
    REQUIRE(restarts.size() == 2);
    CHECK(restarts[1] - restarts[0] >= 39);  // 2400 s
    for (std::size_t i = 2; i < restarts.size(); ++i) CHECK(restarts[i] - restarts[i - 1] >= 59);
}

TEST_CASE("a modem that restarts again and again before it is set up: its power is cycled, and it is said") {
    Rig rig;
    rig.host.power_reset = true;
    rig.modem->on_command = [&](const std::string& line) {
        if (line == "AT+CPIN?" && rig.host.resets.empty()) rig.modem->say("RDY");
    };
    rig.start();
    REQUIRE(rig.until([&] { return rig.driver->status().reason == "boot-loop"; }, 30s));
    CHECK(rig.until([&] { return !rig.host.resets.empty(); }, 60s));
    CHECK(rig.until_state("ready", 60s));
    CHECK(std::ranges::count(rig.host.incidents, "boot-loop") == 1);
}

TEST_CASE("a person's reset: by a restart only where that brings the modem back as a modem (rows 11, 72)") {
    struct Row {
        const char *name, *maker;
        bool usb;
        const char* seen;  ///< of the modem; empty: a reset of its USB device
    };
    const Row rows[] = {
        {"generic", "Example", true, "AT+CFUN=1,1"}, {"Huawei, USB", "huawei", true, ""}, {"Huawei, no USB", "huawei", false, "AT+CFUN="}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Healing rig(row.maker);
        rig.host.usb_reset = row.usb;
        rig.modem->log.clear();
        CHECK(rig.driver->request_reset());
        CHECK(
            rig.until([&] { return *row.seen ? rig.modem->count(row.seen) > 0 : rig.host.resets == std::vector<std::string>{"usb"}; }, 5s));
        CHECK((rig.modem->count("AT+CFUN=1,1") > 0) == (row.maker == std::string_view{"Example"}));
        CHECK(rig.host.has_note("modem-reset"));
        CHECK(rig.until_state("ready", 30s));
        rig.pass(60s);
        CHECK(rig.modem->count("AT+CFUN=1,1") <= 1);
        CHECK(rig.host.resets.size() <= 1);
    }
}

TEST_CASE("an operator that a person chose is not taken back") {
    Healing rig;
    rig.modem->answers["AT+COPS?"] = "\r\n+COPS: 1,0,\"Example\"\r\n\r\nOK\r\n";
    rig.registration("2", "2");
    rig.modem->say("+CREG: 2");
    rig.pass(250s);
    CHECK(rig.modem->count("AT+COPS=") == 0);
}

TEST_CASE("radio off, whoever did it: switched on at the bring-up") {
    Rig rig;
    rig.modem->answers["AT+CFUN?"] = "\r\n+CFUN: 4\r\n\r\nOK\r\n";
    rig.start();
    REQUIRE(rig.until_state("ready"));
    CHECK(rig.modem->count("AT+CFUN=1") == 1);
    Rig test_form;  // T15
    test_form.modem->answers["AT+CFUN?"] = "\r\n+CFUN: (0-1,4-7),(0-1)\r\n\r\nOK\r\n";
    test_form.start();
    REQUIRE(test_form.until_state("ready"));
    CHECK(test_form.modem->count("AT+CFUN=1") == 0);
}

TEST_CASE("denied: the cause is asked once and told, no hard reset follows, URC mode stays 1") {
    Healing rig;
    rig.registration("3", "3");
    rig.modem->say("+CREG: 3");
    REQUIRE(rig.until_state("searching"));
    CHECK(rig.driver->status().reason == "denied");
    rig.modem->answers["AT+CREG=3"] = "\r\nOK\r\n";
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        inner(octets);
        if (octets == "AT+CREG=3\r") rig.modem->answers["AT+CREG?"] = "\r\n+CREG: 3,3,\"00C3\",\"0000A12F\",0,0,13\r\n\r\nOK\r\n";
        if (octets == "AT+CREG=1\r") rig.registration("3", "3");
    };
    rig.modem->answers["AT+CEER"] = "\r\n+CEER: \"Roaming not allowed in this LA\"\r\n\r\nOK\r\n";
    REQUIRE(rig.until([&] { return rig.driver->status().reason_text.find("Cause 13:") != std::string::npos; }, 30s));
    CHECK(rig.driver->status().reason_text.find("Roaming not allowed in this LA") != std::string::npos);
    rig.pass(20min);
    CHECK(rig.modem->count("AT+CREG=3") >= 1);
    CHECK(rig.heard({"AT+CREG=3", "AT+CREG=1"}).back() == "AT+CREG=1");
    CHECK(rig.driver->status().resets == 0);
    rig.registration("1", "1");
    rig.modem->say("+CREG: 1");
    CHECK(rig.until_state("ready", 5s));
    CHECK(rig.driver->status().reason_text.find("Cause") == std::string::npos);
}

TEST_CASE("CREG denied while packet service goes on (row 32): it sends, and says what to ask the operator") {
    Healing rig("SIMCOM INCORPORATED", "SIM7000E");
    CHECK(!rig.advised("plan-without-sms"));
    rig.registration("3", "5");
    rig.modem->say("+CREG: 3");
    CHECK(rig.until([&] { return rig.advised("plan-without-sms"); }, 5s));
    rig.queue(1);
    CHECK(rig.outcome_soon());
}

TEST_CASE("CREG denied and a submission refused for it (row 32): the next ones wait, an hour or until +CREG says other") {
    for (const bool served : {true, false}) {
        CAPTURE(served);
        Healing rig;
        rig.modem->answers["AT+CGREG?"] = "\r\n+CGREG: 1,1\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CREG?"] = "\r\n+CREG: 1,3\r\n\r\nOK\r\n";
        rig.modem->say("+CGREG: 1");
        rig.modem->say("+CREG: 3");
        rig.pass(1s);
        CHECK(rig.driver->status().state == ModemState::ready);
        rig.modem->on_pdu = [&](const std::string&) {
            rig.modem->raw("\r\n+CMS ERROR: 500\r\n");
            return true;
        };
        for (int i = 0; i < 3; ++i) rig.queue(i);
        rig.pass(600s);
        CHECK(rig.host.outcomes.size() == 1);
        CHECK(rig.driver->status().reason == "plan-without-sms");
        CHECK(rig.advised("plan-without-sms"));
        CHECK(rig.heard({"AT+COPS=0", "AT+CFUN=4", "AT+CFUN=1,1"}).empty());  // no remedy helps a plan
        rig.modem->on_pdu = nullptr;
        if (served) rig.modem->answers["AT+CREG?"] = "\r\n+CREG: 1,1\r\n\r\nOK\r\n";
        CHECK(rig.until([&] { return rig.host.outcomes.size() == 3; }, served ? BootClock::duration{15s} : BootClock::duration{3200s}));
    }
}

TEST_CASE("only states that carry SMS count (row 35), in whatever domain") {
    struct Row {
        const char *cs, *eps, *state;
    };
    for (const Row& row : {Row{"0", "11", "searching"}, Row{"8", "0", "searching"}, Row{"2", "6", "ready"}, Row{"2", "7", "ready"},
                           Row{"0", "9", "ready"}, Row{"4", "0", "searching"}}) {
        CAPTURE(row.cs);
        CAPTURE(row.eps);
        Rig rig;
        rig.modem->answers["AT+CREG?"] = "\r\n+CREG: 1," + std::string{row.cs} + "\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CEREG?"] = "\r\n+CEREG: 1," + std::string{row.eps} + "\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CGREG?"] = "\r\nERROR\r\n";
        rig.modem->answers["AT+C5GREG?"] = "\r\nERROR\r\n";
        rig.start();
        CHECK(rig.until_state(row.state));
    }
    Healing five_g;
    five_g.registration("0", "0");
    five_g.modem->say("+CREG: 0");
    REQUIRE(five_g.until_state("searching"));
    five_g.modem->say("+C5GREG: 1");
    CHECK(five_g.until_state("ready", 2s));
    CHECK(five_g.modem->saw("AT+C5GREG=1"));
    CHECK(five_g.modem->saw("AT+CGREG=1"));
}

TEST_CASE("no answer from the network though registered (rows 33, 43): another bearer is proposed, not set") {
    Healing rig("SIMCOM INCORPORATED", "SIMCOM_SIM7600E");
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->raw("\r\n+CMS ERROR: 500\r\n");
        return true;
    };
    for (int i = 0; i < 3; ++i) {
        rig.queue(i);
        REQUIRE(rig.until([&] { return rig.host.outcomes.size() == static_cast<std::size_t>(i) + 1; }));
    }
    CHECK(rig.until([&] { return rig.advised("bearer"); }, 70s));
    CHECK(rig.modem->count("AT+CGSMS") == 0);
    CHECK(rig.modem->count("AT+CNMP") == 0);
    rig.modem->on_pdu = nullptr;
    rig.queue(9);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 4; }));
    CHECK(rig.until([&] { return !rig.advised("bearer"); }, 70s));
}

TEST_CASE("low voltage: a warning is no restart; restarts while transmitting name the supply (row 27)") {
    Healing rig("SIMCOM_Ltd", "SIMCOM_SIM800L");
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->say("UNDER-VOLTAGE WARNNING");
        rig.modem->raw("\r\n+CMGS: 4\r\n\r\nOK\r\n");
        return true;
    };
    rig.queue(1);
    REQUIRE(rig.outcome_soon());
    CHECK(rig.host.outcomes[0].ending == Ending::accepted);
    CHECK(rig.until([&] { return rig.driver->status().brown_outs == 1 && rig.advised("power-supply"); }, 70s));
    CHECK(rig.driver->status().boots_seen == 0);

    Healing falls("SIMCOM_Ltd", "SIMCOM_SIM800L");
    falls.modem->on_pdu = [&](const std::string&) {
        falls.modem->say("RDY");
        return true;
    };
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(!falls.advised("power-supply"));
        falls.queue(static_cast<int>(i));
        REQUIRE(falls.until([&] { return falls.host.outcomes.size() == i + 1; }));
        REQUIRE(falls.until_state("ready"));
        CHECK(falls.host.outcomes[i].ending == Ending::ambiguous);
    }
    CHECK(falls.until([&] { return falls.advised("power-supply"); }, 5s));
    CHECK(falls.driver->status().restarts_last_hour == 3);

    Healing down;
    down.modem->say("UNDER-VOLTAGE POWER DOWN");
    CHECK(down.until([&] { return down.driver->status().boots_seen == 1; }, 5s));
}

TEST_CASE("a SIM that is put in late is not seen (row 17): its power is cycled once, not its radio; others wait for a person") {
    for (const bool late : {true, false}) {
        CAPTURE(late);
        Rig rig;
        rig.host.power_reset = true;
        rig.modem->answers["AT+CGMI"] = "\r\nhuawei\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CGMM"] = late ? "\r\nE353\r\n\r\nOK\r\n" : "\r\nE173\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CPIN?"] = "\r\n+CME ERROR: 10\r\n";
        rig.start();
        REQUIRE(rig.until_state("blocked"));
        rig.host.on_reset = [&] { rig.modem->answers.erase("AT+CPIN?"); };
        rig.pass(100s);
        CHECK(rig.host.resets.size() == (late ? 1 : 0));
        CHECK(rig.modem->count("AT+CFUN=4") == 0);
        CHECK((rig.driver->status().state == ModemState::ready) == late);
    }
}

TEST_CASE("radio switch (row 18): the software one is switched on, the hardware one is a person's") {
    for (const bool hardware_on : {true, false}) {
        CAPTURE(hardware_on);
        Rig rig;
        rig.modem->answers["AT+CGMI"] = "\r\nhuawei\r\n\r\nOK\r\n";
        rig.modem->answers["AT^RFSWITCH?"] = hardware_on ? "\r\n^RFSWITCH:1,1\r\n\r\nOK\r\n" : "\r\n^RFSWITCH:1,0\r\n\r\nOK\r\n";
        rig.start();
        REQUIRE(rig.until_state("ready"));
        CHECK(rig.modem->saw("AT^RFSWITCH=1"));
        const auto& advice = rig.driver->status().advice;
        CHECK(std::ranges::any_of(advice, [](const Advice& a) { return a.code == "radio-switch"; }) == !hardware_on);
    }
}

TEST_CASE(
    "a restart is never asked of a modem that comes back as mass storage (row 72), radio-off never of one that falls silent (row 73)") {
    struct Row {
        const char *manufacturer, *model, *never;
    };
    for (const Row& row :
         {Row{"qualcomm", "QUALCOMM 6000", "AT+CFUN=1,1"}, Row{"neoway", "M590", "AT+CFUN=4"}, Row{"neoway", "M590", "AT+CFUN=0"}}) {
        CAPTURE(row.model);
        Healing rig(row.manufacturer, row.model);
        rig.modem->mute = true;
        rig.pass(400s);
        rig.modem->mute = false;
        REQUIRE(rig.until_state("ready"));
        rig.registration("2", "2");
        rig.modem->say("+CREG: 2");
        rig.pass(25min);
        CHECK(rig.modem->count(row.never) == 0);
        CHECK(rig.modem->count("AT+COPS=0") >= 1);
    }
}

TEST_CASE("after the PIN a modem that would crash is left alone (row 69)") {
    ModemSettings settings;
    settings.pin = "1234";
    Rig rig{settings};
    rig.modem->answers["AT+CGMI"] = "\r\nSierra Wireless\r\n\r\nOK\r\n";
    rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n";
    std::optional<Instant> entered, next;
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        if (entered && !next) next = VirtualTime::current();
        if (octets == "AT+CPIN=\"1234\"\r") {
            entered = VirtualTime::current();
            rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
        }
        inner(octets);
    };
    rig.start();
    REQUIRE(rig.until_state("ready"));
    REQUIRE(entered.has_value());
    CHECK(*next - *entered >= 3s);
}

TEST_CASE("slow starters: deaf after enumeration (rows 45, 49), busy or refusing at first (rows 26, 39, 50, 54)") {
    Rig deaf;
    deaf.modem->mute = true;
    deaf.start();
    deaf.pass(8s);
    deaf.modem->mute = false;
    CHECK(deaf.until_state("ready", 30s));
    CHECK(deaf.driver->status().resets == 0);

    for (const char* refusal : {"\r\n+CMS ERROR: 515\r\n", "\r\n+CMS ERROR: 314\r\n", "\r\nERROR\r\n"}) {
        CAPTURE(refusal);
        Rig early;
        early.modem->answers["AT+CMGF=0"] = refusal;
        early.start();
        early.pass(6s);
        CHECK(early.driver->status().state != ModemState::ready);
        early.modem->answers.erase("AT+CMGF=0");
        CHECK(early.until_state("ready", 10s));
        CHECK(early.driver->status().resets == 0);
    }
}

TEST_CASE("a restart without a word is seen by what the modem forgot, and by every domain") {
    Healing rig;
    rig.registration("1", "1");
    rig.pass(65s);
    rig.modem->log.clear();
    SUBCASE("it is set up anew") {
        rig.modem->answers["AT+CREG?"] = "\r\n+CREG: 0,1\r\n\r\nOK\r\n";
        CHECK(rig.until([&] { return rig.modem->count("AT+CREG=1") > 0; }, 70s));
        CHECK(rig.until_state("ready"));
    }
    SUBCASE("the domain that served last is asked with the others") {
        rig.registration("0", "0");
        CHECK(rig.until_state("searching", 70s));
    }
}

TEST_CASE("a SIM that is taken out is seen at once, by the modem's line or by a refusal, and looked for within half a minute") {
    for (const bool by_line : {true, false}) {
        for (const char* absent : {"\r\n+CME ERROR: 10\r\n", "\r\n+CPIN: NOT READY\r\n\r\nOK\r\n"}) {
            CAPTURE(by_line);
            CAPTURE(std::string{absent});
            Healing rig;
            rig.modem->answers["AT+CPIN?"] = absent;
            rig.modem->answers["AT+CCID"] = "\r\nERROR\r\n";
            if (by_line) {
                rig.modem->say("+CPIN: NOT READY");
            } else {
                rig.modem->on_pdu = [&](const std::string&) {
                    rig.modem->say("+CMS ERROR: 310");
                    return true;
                };
                rig.queue(1);
            }
            REQUIRE(rig.until([&] { return rig.driver->status().state != ModemState::ready; }, 5s));
            REQUIRE(rig.until_state("blocked", 45s));  // NOT READY is also what a SIM says that starts
            rig.pass(5s);
            rig.modem->on_pdu = {};
            rig.modem->answers.erase("AT+CPIN?");  // back, without a word
            rig.modem->answers.erase("AT+CCID");
            CHECK(rig.until_state("ready", 32s));
        }
    }
}

TEST_CASE("a device that hangs in the kernel is reset, and said so; the modem is back when it lets itself be opened") {
    Healing rig;
    rig.host.usb_reset = true;
    rig.refuse_open = port::PortErrc::hung;
    rig.unplug();
    CHECK(rig.until([&] { return rig.driver->status().reason == "port-hung"; }, 5s));
    CHECK(rig.until([&] { return !rig.host.resets.empty(); }, 30s));
    rig.pass(10min);
    CHECK(rig.host.resets.size() <= 3);  // and no storm of them
    rig.refuse_open.reset();
    rig.plug();
    CHECK(rig.until_state("ready", 30s));
}
