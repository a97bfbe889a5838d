// The SIM: its PIN, its ICCID, and which SIM a modem may use.
#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

/// A SIM behind its PIN; AT+CPIN= with another is refused. `open` once it was entered.
struct Locked {
    explicit Locked(Rig& r) : rig{r} { fit(); }
    /// For the modem that is plugged in now.
    void fit() {
        rig.modem->answers["AT+CPIN?"] = open ? "\r\n+CPIN: READY\r\n\r\nOK\r\n" : "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CPINR=\"SIM PIN\""] = "\r\n+CPINR: SIM PIN,3\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CPIN=\"1234\""] = right ? "\r\nOK\r\n" : "\r\n+CME ERROR: 16\r\n";
        rig.line->to_modem = [this, inner = rig.line->to_modem](std::string_view octets) {
            inner(octets);
            if (octets != "AT+CPIN=\"1234\"\r") return;
            ++entered;
            if (right) open = true;
            if (open) rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
        };
    }
    void tell_iccid(const std::string& iccid) {
        rig.modem->answers["AT+CCID"] = iccid.empty() ? "\r\nERROR\r\n" : "\r\n+CCID: " + iccid + "\r\n\r\nOK\r\n";
        rig.modem->answers["AT+CRSM=176,12258,0,0,10"] = "\r\nERROR\r\n";
    }
    Rig& rig;
    bool right = true, open = false;
    int entered = 0;
};

ModemSettings with_pin(std::string iccid = {}) {
    ModemSettings settings;
    settings.pin = "1234";
    settings.iccid = std::move(iccid);
    return settings;
}

}  // namespace

TEST_CASE("PIN: a refused one is not tried again when the ICCID is told later, or no more") {
    const std::string sim = "8988200000000000017";
    for (const bool told_first : {true, false}) {
        CAPTURE(told_first);
        Rig rig{with_pin()};
        Locked locked{rig};
        locked.right = false;
        rig.modem->answers["AT+CPIN=\"1234\""] = "\r\n+CME ERROR: 16\r\n";
        locked.tell_iccid(told_first ? sim : "");
        rig.start();
        REQUIRE(rig.until([&] { return locked.entered == 1; }));
        CHECK(rig.host.pins[0] == (told_first ? sim : "") + "/1234");
        locked.tell_iccid(told_first ? "" : sim);
        rig.pass(5min);
        CHECK(locked.entered == 1);
        CHECK(rig.driver->status().reason == "pin-refused");
    }
}

TEST_CASE("PIN: the ICCID is waited for before it is entered") {
    Rig rig{with_pin()};
    Locked locked{rig};
    locked.tell_iccid("");
    rig.start();
    rig.pass(5s);
    CHECK(locked.entered == 0);
    locked.tell_iccid("8988200000000000017");
    REQUIRE(rig.until_state("ready"));
    CHECK(rig.host.pins == std::vector<std::string>{"8988200000000000017/1234"});
}

TEST_CASE("PIN: right, though the modem restarts before it says that the SIM is open") {
    Rig rig{with_pin()};
    Locked locked{rig};
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        if (locked.entered == 1 && octets == "AT+CPIN?\r") return rig.unplug();
        inner(octets);
    };
    rig.start();
    REQUIRE(rig.until([&] { return !rig.plugged; }));
    CHECK(rig.host.accepted_pins.empty());
    CHECK(rig.host.pin_answered);
    rig.plug();
    locked.fit();
    REQUIRE(rig.until_state("ready"));
    CHECK(locked.entered == 1);
    CHECK(rig.host.accepted_pins == std::vector<std::string>{"8988200000000000017/1234"});
}

TEST_CASE("PIN: not to a SIM that this modem may not use") {
    const std::string other = "8988200000000000025";
    SUBCASE("the configuration names another") {
        Rig rig{with_pin("8988200000000000017")};
        Locked locked{rig};
        locked.tell_iccid(other);
        rig.start();
        REQUIRE(rig.until_state("blocked"));
        rig.pass(3min);
        CHECK(rig.driver->status().reason == "wrong-sim");
        CHECK(locked.entered == 0);
        CHECK(rig.host.pins.empty());
    }
    SUBCASE("it was swapped and not accepted") {
        Rig rig{with_pin()};
        rig.host.foreign_sim = other;
        Locked locked{rig};
        locked.tell_iccid(other);
        rig.start();
        REQUIRE(rig.until_state("blocked"));
        rig.pass(3min);
        CHECK(rig.driver->status().reason == "sim-changed");
        CHECK(locked.entered == 0);
        CHECK(rig.host.pins.empty());
    }
    SUBCASE("the same, told with its check digit") {
        Rig rig{with_pin("898820000000000001")};
        Locked locked{rig};
        locked.tell_iccid("8988200000000000017");
        rig.start();
        CHECK(rig.until_state("ready"));
        CHECK(locked.entered == 1);
    }
}

TEST_CASE("an ICCID that is not told for a while is no other SIM") {
    struct Row {
        const char* name;
        const char* named;
        const char* answer;  ///< meanwhile
        const char* state;   ///< meanwhile
    };
    const Row rows[] = {{"configured", "8988200000000000017", "\r\nERROR\r\n", "opening:"},
                        {"configured, busy", "8988200000000000017", "\r\n+CME ERROR: 14\r\n", "opening:"},
                        {"not configured: goes on without", "", "\r\nERROR\r\n", "ready:"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ModemSettings settings;
        settings.iccid = row.named;
        Rig rig{settings};
        Locked locked{rig};
        locked.open = true;
        locked.fit();
        rig.modem->answers["AT+CCID"] = rig.modem->answers["AT+CRSM=176,12258,0,0,10"] = row.answer;
        rig.start();
        rig.pass(25s);
        CHECK(std::string{to_string(rig.driver->status().state)} + ":" + rig.driver->status().reason == row.state);
        locked.tell_iccid("8988200000000000017");
        CHECK(rig.until([&] { return rig.driver->status().identity.iccid == "8988200000000000017"; }, 10min));
        CHECK(rig.until_state("ready"));
        for (const std::string& state : rig.host.states) CHECK(!state.starts_with("blocked"));
    }
}

TEST_CASE("a SIM that never tells the ICCID that the configuration names is said, and taken when it does") {
    ModemSettings settings;
    settings.iccid = "8988200000000000017";
    Rig rig{settings};
    Locked locked{rig};
    locked.open = true;
    locked.fit();
    locked.tell_iccid("");
    rig.start();
    REQUIRE(rig.until([&] { return rig.driver->status().reason == "sim-unread"; }, 120s));
    rig.pass(10min);
    CHECK(rig.driver->status().reason == "sim-unread");
    locked.tell_iccid("8988200000000000017");
    CHECK(rig.until_state("ready", 90s));
}

TEST_CASE("+CPIN? that is busy for longer than the patience is asked again, not passed over") {
    Rig rig;
    rig.modem->answers["AT+CPIN?"] = "\r\n+CME ERROR: 14\r\n";
    rig.start();
    rig.pass(20s);
    CHECK(rig.driver->status().state == ModemState::opening);
    CHECK(rig.modem->count("AT+CMGF") == 0);
    rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
    CHECK(rig.until_state("ready", 15s));
}

TEST_CASE("a SIM that was lost for a moment gets its remedy, one that never was here waits for a person") {
    struct Row {
        const char* name;
        const char* answer;
        const char* reason;
        bool was_here, remedy;
    };
    const Row rows[] = {{"not inserted, after it was here", "\r\n+CME ERROR: 10\r\n", "sim-absent", true, true},
                        {"told as a state", "\r\n+CPIN: NOT INSERTED\r\n\r\nOK\r\n", "sim-absent", true, true},
                        {"failure, after it was here", "\r\n+CME ERROR: 13\r\n", "sim-failure", true, true},
                        {"failure at the start", "\r\n+CMS ERROR: 313\r\n", "sim-failure", false, true},
                        {"busy for ever", "\r\n+CME ERROR: 14\r\n", "sim-busy", false, true},
                        {"not ready for ever", "\r\n+CPIN: NOT READY\r\n\r\nOK\r\n", "sim-busy", true, true},
                        {"none at the start", "\r\n+CME ERROR: 10\r\n", "sim-absent", false, false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Rig rig;
        if (!row.was_here) rig.modem->answers["AT+CPIN?"] = row.answer;
        rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
            inner(octets);
            if (octets == "AT+CFUN=4\r") rig.modem->answers.erase("AT+CPIN?");
        };
        rig.start();
        if (row.was_here) {
            REQUIRE(rig.until_state("ready"));
            rig.modem->answers["AT+CPIN?"] = row.answer;
            rig.modem->say("+CPIN: NOT READY");
        }
        REQUIRE(rig.until([&] { return rig.driver->status().reason == row.reason; }, 60s));
        CHECK(rig.until_state("ready", 30s) == row.remedy);
        rig.pass(2min);
        CHECK(rig.modem->count("AT+CFUN=4") == (row.remedy ? 1 : 0));
        CHECK(rig.modem->count("AT+CFUN=1,1") == 0);
    }
}

TEST_CASE("a SIM that was taken out: its radio off and on, one restart, and it is seen as soon as it is back") {
    Rig rig;
    rig.start();
    REQUIRE(rig.until_state("ready"));
    rig.modem->answers["AT+CPIN?"] = "\r\n+CME ERROR: 10\r\n";
    rig.modem->say("+CPIN: NOT INSERTED");
    rig.pass(17min);
    CHECK(rig.driver->status().reason == "sim-absent");
    CHECK(rig.modem->count("AT+CFUN=1,1") == 1);
    CHECK(rig.modem->count("AT+CFUN=4") == 2);
    rig.modem->answers.erase("AT+CPIN?");
    CHECK(rig.until_state("ready", 70s));
}

TEST_CASE("a SIM that starts with NOT READY is waited for") {
    Rig rig;
    rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: NOT READY\r\n\r\nOK\r\n";
    rig.start();
    rig.pass(5s);
    CHECK(rig.driver->status().state == ModemState::opening);
    rig.modem->answers.erase("AT+CPIN?");
    CHECK(rig.until_state("ready", 5s));
    for (const std::string& state : rig.host.states) CHECK(!state.starts_with("blocked"));
}

TEST_CASE("a technician's restart is made of a blocked modem at once, and of an absent one never") {
    Rig rig;
    rig.modem->answers["AT+CPIN?"] = "\r\n+CME ERROR: 10\r\n";
    rig.start();
    REQUIRE(rig.until_state("blocked"));
    CHECK(rig.driver->request_reset());
    CHECK(rig.until([&] { return rig.modem->saw("AT+CFUN=1,1"); }, 5s));
    rig.unplug();
    REQUIRE(rig.until_state("absent"));
    CHECK(!rig.driver->request_reset());
    rig.plug();
    REQUIRE(rig.until_state("ready"));
    rig.pass(5min);
    CHECK(rig.modem->count("AT+CFUN=1,1") == 0);
}

TEST_CASE("an IMEI that is not told for a moment makes no other modem") {
    for (const bool named : {true, false}) {
        CAPTURE(named);
        ModemSettings settings;
        if (named) settings.imei = "350000000000017";
        Rig rig{settings};
        rig.start();
        REQUIRE(rig.until_state("ready"));
        rig.modem->answers["AT+CGSN"] = "\r\nERROR\r\n";
        rig.modem->say("+CPIN: SIM PIN");  // whatever brings it up anew
        rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: NOT READY\r\n\r\nOK\r\n";
        rig.pass(2s);
        rig.modem->answers.erase("AT+CPIN?");
        rig.modem->answers.erase("AT+CGSN");
        CHECK(rig.until_state("ready"));
        CHECK(rig.driver->status().identity.imei == "350000000000017");
        for (const std::string& state : rig.host.states) CHECK(!state.starts_with("blocked"));
    }
}

TEST_CASE("result codes as numbers, or none, are switched back at once") {
    struct Row {
        const char* name;
        const char* answer;
        bool later;
    };
    const Row rows[] = {
        {"ATV0 before the start", "0\r", false}, {"ATQ1 before the start", "", false}, {"ATV0", "0\r", true}, {"ATQ1", "", true}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Rig rig;
        if (!row.later) rig.modem->terse = row.answer;
        rig.start();
        CHECK(rig.until_state("ready", 10s));
        if (row.later) {
            rig.modem->terse = row.answer;
            CHECK(rig.until([&] { return !rig.modem->terse; }, 3min));
            CHECK(rig.until_state("ready", 10s));
            rig.queue(1);
            CHECK(rig.outcome_soon());
        }
        CHECK(rig.modem->count("AT+CFUN=4") == 0);
        CHECK(rig.driver->status().resets == 0);
    }
}

TEST_CASE("a pin_file that holds no PIN: nothing is entered, and the modem says why") {
    ModemSettings settings;
    settings.pin_problem = "pin_file sim0-pin holds no PIN";
    Rig rig{settings};
    rig.modem->answers["AT+CPIN?"] = "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n";
    rig.start();
    REQUIRE(rig.until_state("blocked"));
    CHECK(rig.driver->status().reason == "pin-needed");
    CHECK(rig.driver->status().reason_text.find("pin_file sim0-pin holds no PIN: mend it") != std::string::npos);
    CHECK(rig.modem->count("AT+CPIN=") == 0);
}

TEST_CASE("PIN: one that is configured while it runs is entered at once") {
    Rig rig;
    Locked locked{rig};
    rig.start();
    REQUIRE(rig.until([&] { return rig.driver->status().reason == "pin-needed"; }));
    rig.driver->set_pin("1234");
    CHECK(rig.until_state("ready", 15s));
    CHECK(locked.entered == 1);
}
