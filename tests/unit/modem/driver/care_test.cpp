// What a modem needs beside messages: settings, SIM, memories, USSD, balance, the link of a message's parts, calls.
#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

struct Cared : Rig {
    explicit Cared(ModemSettings settings = {}) : Rig{std::move(settings)} {}
    Cared& up() {
        start();
        REQUIRE(until_state("ready"));
        return *this;
    }
    Result<UssdAnswer> ussd(std::string code) {
        std::optional<Result<UssdAnswer>> answer;
        boost::asio::co_spawn(ctx, driver->ussd(std::move(code)), [&](std::exception_ptr, Result<UssdAnswer> r) { answer = std::move(r); });
        REQUIRE(until([&] { return answer.has_value(); }, 300s));
        return *answer;
    }
    const ModemStatus::Setting& setting(std::string_view name) {
        REQUIRE(until([&] { return !driver->status().settings.empty(); }));
        const auto& all = driver->status().settings;
        const auto it = std::ranges::find(all, name, &ModemStatus::Setting::name);
        REQUIRE(it != all.end());
        return *it;
    }
};

}  // namespace

TEST_CASE("settings: read, compared, set where ours, differences told once") {
    Cared rig;
    auto& m = *rig.modem;
    m.answers["AT+CMGF?"] = info("+CMGF: 1");
    m.answers["AT+CSCS?"] = info("+CSCS: \"GSM\"");
    m.answers["AT+CSMP?"] = info("+CSMP: 17,167,0,0");
    m.answers["AT+CGSMS?"] = info("+CGSMS: 3");
    m.answers["AT+CSMS?"] = info("+CSMS: 0,1,1,1");
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        inner(octets);
        if (octets == "AT+CMGF=0\r") m.answers["AT+CMGF?"] = info("+CMGF: 0");
    };
    rig.up();
    CHECK(!m.saw("AT+CSMP?"));  // after the first submission could have gone
    CHECK(rig.setting("CMGF").found == "1");
    CHECK(rig.setting("CMGF").now == "0");
    CHECK(rig.setting("CMGF").held);
    CHECK(rig.setting("CSMP").found == "17,167,0,0");
    CHECK(rig.setting("CGSMS").found == "3");
    CHECK(rig.setting("CGSMS").wanted.empty());
    CHECK(rig.setting("CSCA").now == "+15550100199");
    CHECK(rig.setting("CPMS").now == "ME");
    CHECK(m.count("AT+CSMP=") == 0);
    CHECK(m.count("AT+CGSMS=") == 0);
    CHECK(m.count("AT+CSCS=") == 0);
    REQUIRE(rig.host.has_note("modem-settings"));
    CHECK(rig.host.notes[0].second.find("CMGF wanted 0, found 1") != std::string::npos);

    m.log.clear();
    rig.host.notes.clear();
    m.say("RDY");  // the same again after a restart of the modem, which finds all as it should be
    REQUIRE(rig.until([&] { return m.saw("AT+CGSMS?"); }));
    CHECK(m.count("AT+CMGF=0") == 0);
    CHECK(rig.host.incidents == std::vector<std::string>{"reboot"});
}

TEST_CASE("the audit waits for a queue that is empty") {
    Cared rig;
    for (int i = 0; i < 20; ++i) rig.queue(i);
    rig.modem->on_pdu = [&](const std::string&) {
        CHECK(!rig.modem->saw("AT+CSCS?"));
        return false;
    };
    rig.start();
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 20; }));
    REQUIRE(rig.until([&] { return rig.modem->saw("AT+CSCS?"); }, 10s));
}

TEST_CASE("service centre: cleared by AT+CSCS (row 84) or by a restart (row 62), it is put back") {
    Cared rig;
    auto& m = *rig.modem;
    m.answers["AT+CSCS?"] = info("+CSCS: \"UCS2\"");
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        inner(octets);
        if (octets == "AT+CSCS=\"GSM\"\r") m.answers["AT+CSCA?"] = info("+CSCA: \"\",129");
        if (octets.starts_with("AT+CSCA=")) m.answers["AT+CSCA?"] = info("+CSCA: \"+15550100199\",145");
    };
    rig.up();
    CHECK(rig.setting("CSCA").now == "+15550100199");
    CHECK(m.count("AT+CSCA=\"+15550100199\",145") == 1);
    CHECK(rig.driver->status().smsc == "+15550100199");
    m.answers["AT+CSCA?"] = info("+CSCA: \"\",129");
    m.say("RDY");
    REQUIRE(rig.until([&] { return m.count("AT+CSCA=\"+15550100199\",145") == 2; }));
}

TEST_CASE("service centre: set where it is configured") {
    ModemSettings settings;
    settings.smsc = "+15550100188";
    Cared rig{settings};
    rig.up();
    CHECK(rig.modem->count("AT+CSCA=\"+15550100188\",145") == 1);
}

TEST_CASE("tries of the PIN: every family's form, and no try with fewer than two") {
    struct Row {
        const char *maker, *command, *two, *one;
    };
    const Row rows[] = {{"Example", "AT+CPINR=\"SIM PIN\"", "+CPINR: SIM PIN,2", "+CPINR: SIM PIN,1"},
                        {"huawei", "AT^CPIN?", "^CPIN: SIM PIN,,10,2,10,3", "^CPIN: SIM PIN,,10,1,10,3"},
                        {"Quectel", "AT+QPINC=\"SC\"", "+QPINC: \"SC\",2,10", "+QPINC: \"SC\",1,10"},
                        {"u-blox", "AT+UPINCNT", "+UPINCNT: 2,3,10,10", "+UPINCNT: 1,3,10,10"},
                        {"Telit", "AT#PCT", "#PCT: 2", "#PCT: 1"},
                        {"Cinterion", "AT^SPIC", "^SPIC: 2", "^SPIC: 1"}};
    for (const Row& row : rows)
        for (const bool safe : {true, false}) {
            CAPTURE(row.maker);
            CAPTURE(safe);
            ModemSettings settings;
            settings.pin = "1234";
            Cared rig{settings};
            auto& m = *rig.modem;
            m.answers["AT+CGMI"] = info(row.maker);
            m.answers["AT+CPIN?"] = info("+CPIN: SIM PIN");
            m.answers[row.command] = info(safe ? row.two : row.one);
            rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
                inner(octets);
                if (octets == "AT+CPIN=\"1234\"\r") m.answers["AT+CPIN?"] = info("+CPIN: READY");
            };
            rig.start();
            CHECK(rig.until_state(safe ? "ready" : "blocked"));
            CHECK(m.count("AT+CPIN=") == (safe ? 1 : 0));
            if (safe) CHECK(rig.host.pin_tries == 2);
            if (!safe) CHECK(rig.driver->status().reason == "pin-last-try");
        }
}

TEST_CASE("a PIN that was said OK to, but is asked for again, is not sent twice") {
    ModemSettings settings;
    settings.pin = "1234";
    Cared rig{settings};
    rig.modem->answers["AT+CPIN?"] = info("+CPIN: SIM PIN");
    rig.start();
    REQUIRE(rig.until_state("blocked"));
    CHECK(rig.driver->status().reason == "pin-needed");
    CHECK(rig.modem->count("AT+CPIN=") == 1);
    CHECK(rig.host.accepted_pins.empty());
}

TEST_CASE("PUK: nothing is entered") {
    ModemSettings settings;
    settings.pin = "1234";
    Cared rig{settings};
    rig.modem->answers["AT+CPIN?"] = info("+CPIN: SIM PUK");
    rig.start();
    REQUIRE(rig.until_state("blocked"));
    rig.pass(200s);
    CHECK(rig.driver->status().reason == "puk-needed");
    CHECK(rig.modem->count("AT+CPIN=") == 0);
}

TEST_CASE("SM and ME that are one memory (row 73): found by emptying the one, each message once") {
    for (const bool one : {true, false}) {
        CAPTURE(one);
        Cared rig;
        rig.modem->one_store = one;
        rig.modem->store(1, delivered_pdu);
        rig.up();
        CHECK(rig.until([&] { return rig.modem->storage.empty(); }));
        CHECK(rig.host.incoming.size() == 1);
        CHECK(rig.driver->status().one_store == (one ? "SM = ME" : ""));
        CHECK(rig.host.has_note("stores-are-one") == one);
    }
}

TEST_CASE("storage: 70 % is told, full is a state, what cannot be deleted is quarantined and said") {
    Cared rig;
    rig.modem->answers["AT+CPMS=?"] = info("+CPMS: (\"ME\"),(\"ME\"),(\"ME\")");
    for (int i = 1; i <= 20; ++i) rig.modem->store(i, delivered_pdu);
    rig.modem->undeletable = true;
    rig.up();
    REQUIRE(rig.until([&] { return rig.driver->status().reason == "storage-full"; }));
    CHECK(rig.host.has_note("storage-full"));
    CHECK(rig.host.has_note("slot-quarantined"));
    CHECK(rig.host.incoming.size() == 20);  // each kept once, however often the sweep comes by
    rig.pass(700s);
    CHECK(rig.host.incoming.size() == 20);
    const auto& storage = rig.driver->status().storage;
    const auto me = std::ranges::find(storage, "ME", &ModemStatus::Storage::memory);
    REQUIRE(me != storage.end());
    CHECK(me->stuck == 20);
    rig.queue(1);  // sending goes on
    CHECK(rig.outcome_soon());
    rig.modem->undeletable = false;
    CHECK(rig.until([&] { return rig.driver->status().state == ModemState::ready && rig.driver->status().reason.empty(); }, 700s));
}

TEST_CASE("USSD: a menu of several lines, its reply, the end; a new code ends an open session") {
    Cared rig;
    auto& m = *rig.modem;
    m.answers["AT+CUSD=1,\"*100#\",15"] = "\r\nOK\r\n\r\n+CUSD: 1,\"1 Balance\r\n2 Data\r\n0 End\",15\r\n";
    m.answers["AT+CUSD=1,\"1\",15"] = "\r\n+CUSD: 0,\"Balance 5.20\",15\r\n\r\nOK\r\n";
    rig.up();
    const auto menu = rig.ussd("*100#");
    REQUIRE(menu.has_value());
    CHECK(menu->text == "1 Balance\n2 Data\n0 End");
    CHECK(menu->open);
    CHECK(rig.driver->status().ussd_open);
    const auto end = rig.ussd("1");
    REQUIRE(end.has_value());
    CHECK(end->text == "Balance 5.20");
    CHECK(!end->open);
    CHECK(!rig.driver->status().ussd_open);
    CHECK(m.count("AT+CUSD=2") == 0);

    REQUIRE(rig.ussd("*100#").has_value());
    REQUIRE(rig.ussd("*100#").has_value());
    CHECK(m.count("AT+CUSD=2") == 1);
    rig.pass(80s);
    CHECK(rig.driver->status().ussd_open);
    rig.pass(15s);  // nobody replied
    CHECK(!rig.driver->status().ussd_open);
    CHECK(m.count("AT+CUSD=2") == 2);
}

TEST_CASE("USSD: the packed form is found by retry and kept (row 8); the network's own word is noted") {
    Cared rig;
    auto& m = *rig.modem;
    m.answers["AT+CUSD=1,\"*100#\",15"] = "\r\nOK\r\n\r\n+CUSD: 4\r\n";
    m.answers["AT+CUSD=1,\"AA180C3602\",15"] = "\r\nOK\r\n\r\n+CUSD: 0,\"AA180C3602\",15\r\n";
    rig.up();
    for (int i = 0; i < 2; ++i) {
        const auto answer = rig.ussd("*100#");
        REQUIRE(answer.has_value());
        CHECK(answer->text == "*100#");
    }
    CHECK(m.count("AT+CUSD=1,\"*100#\"") == 1);
    m.say("+CUSD: 0,\"00480069\",72");
    REQUIRE(rig.until([&] { return rig.host.has_note("ussd-received"); }));
    CHECK(rig.host.notes.back().second == "Hi");
    m.answers["AT+CUSD=1,\"AA180C3602\",15"] = "\r\nERROR\r\n";
    CHECK(!rig.ussd("*100#").has_value());
}

TEST_CASE("USSD: what the network said before is no answer to what is asked now") {
    Cared rig;
    rig.up();
    rig.modem->on_command = [&](const std::string& line) {
        if (line.starts_with("AT+CMGL")) rig.modem->raw("\r\n+CUSD: 0,\"Welcome\",15\r\n");
    };
    rig.modem->answers["AT+CUSD=1,\"*100#\",15"] = "\r\nOK\r\n\r\n+CUSD: 0,\"Balance 5\",15\r\n";
    std::optional<Result<UssdAnswer>> answer;
    rig.modem->say("+CMTI: \"ME\",-1");  // a sweep, and the question right behind it
    boost::asio::co_spawn(rig.ctx, rig.driver->ussd("*100#"), [&](std::exception_ptr, Result<UssdAnswer> r) { answer = std::move(r); });
    REQUIRE(rig.until([&] { return answer.has_value(); }, 60s));
    REQUIRE(answer->has_value());
    CHECK((*answer)->text == "Balance 5");
}

TEST_CASE("USSD: read with the alphabet that AT+CSCS names, also before the first audit") {
    for (const char* alphabet : {"GSM", "IRA"}) {
        CAPTURE(std::string{alphabet});
        Cared rig;
        auto& m = *rig.modem;
        m.answers["AT+CSCS?"] = info("+CSCS: \"" + std::string{alphabet} + "\"");
        m.answers["AT+CUSD=1,\"*100#\",15"] = "\r\nOK\r\n\r\n+CUSD: 0,\"w{hlen\",15\r\n";
        rig.up();
        const auto answer = rig.ussd("*100#");
        REQUIRE(answer.has_value());
        CHECK(answer->text == (alphabet == std::string_view{"GSM"} ? "w\u00e4hlen" : "w{hlen"));
    }
}

TEST_CASE("balance: asked when idle, answered while messages go out, its silence told") {
    Cared rig;
    auto& m = *rig.modem;
    rig.up();
    rig.host.ask_balance_at = VirtualTime::current();
    rig.host.wake().raise();
    rig.queue(1);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 1; }));
    CHECK(m.count("AT+CUSD=") == 0);
    REQUIRE(rig.until([&] { return m.saw("AT+CUSD=1,\"*100#\",15"); }, 15s));
    rig.queue(2);  // the answer has not come
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 2; }, 1s));
    m.say("+CUSD: 0,\"Balance 5.20\",15");
    REQUIRE(rig.until([&] { return !rig.host.balances.empty(); }));
    REQUIRE(rig.host.balances[0].has_value());
    CHECK(*rig.host.balances[0] == "Balance 5.20");
    CHECK(!rig.host.has_note("ussd-received"));

    rig.host.ask_balance_at = VirtualTime::current();
    REQUIRE(rig.until([&] { return rig.host.balances.size() == 2; }, 120s));
    CHECK(!rig.host.balances[1].has_value());
    CHECK(rig.driver->status().state == ModemState::ready);
}

TEST_CASE("AT+CMMS: again when its window passed (row 47), never 2, off where it is refused") {
    Cared rig;
    auto& m = *rig.modem;
    rig.up();
    for (int i = 0; i < 3; ++i) rig.queue(i, true);
    rig.queue(3, false);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 4; }));
    CHECK(m.count("AT+CMMS=1") == 1);  // each part came within the window

    rig.queue(4, true);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 5; }));
    CHECK(m.count("AT+CMMS=1") == 2);
    rig.pass(6s);  // the next part is late
    rig.queue(5, true);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 6; }));
    CHECK(m.count("AT+CMMS=1") == 3);
    rig.pass(6s);

    m.answers["AT+CMMS=1"] = "\r\nERROR\r\n";
    for (int i = 0; i < 4; ++i) rig.queue(10 + i, true);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 10; }));
    CHECK(m.count("AT+CMMS=1") == 4);
    CHECK(m.count("AT+CMMS=2") == 0);
    for (const auto& outcome : rig.host.outcomes) CHECK(outcome.ending == Ending::accepted);
}

TEST_CASE("a call that rings on gets another way to hang up, and is one call") {
    Cared rig;
    auto& m = *rig.modem;
    rig.up();
    m.say("RING");
    REQUIRE(rig.until([&] { return m.count("ATH") == 1; }));
    rig.pass(3s);
    m.say("RING");
    REQUIRE(rig.until([&] { return m.saw("AT+CHUP"); }));
    CHECK(rig.driver->status().calls == 1);
    rig.pass(3s);
    m.say("RING");
    REQUIRE(rig.until([&] { return m.saw("AT+CVHU=0"); }));
    rig.pass(20s);
    m.log.clear();
    m.say("RING");
    REQUIRE(rig.until([&] { return m.saw("ATH"); }));
    CHECK(m.saw("AT+CVHU=0"));  // what helped is kept
    CHECK(rig.driver->status().calls == 2);
    CHECK(rig.host.has_note("call-refused"));
}

TEST_CASE("each call is counted and told with its number, where the modem gives it") {
    Cared rig;
    auto& m = *rig.modem;
    rig.up();
    REQUIRE(rig.until([&] { return m.saw("AT+CLIP=1"); }));
    rig.pass(1s);
    const auto calls = [&] {
        std::vector<std::string> told;
        for (const auto& [what, detail] : rig.host.notes)
            if (what == "call-refused") told.push_back(detail);
        return told;
    };
    const auto from = [](const char* n) { return "an incoming call from +155501001" + std::string{n} + " was hung up"; };
    for (const char* n : {"31", "32", "33"}) {  // 5 s apart: three calls, since the numbers differ
        m.say("RING");
        rig.pass(100ms);
        m.raw("\r\n+CLIP: \"+155501001" + std::string{n} + "\",145,,,,0\r\n");
        rig.pass(5s);
    }
    CHECK(calls() == std::vector<std::string>{from("31"), from("32"), from("33")});
    CHECK(rig.driver->status().calls == 3);
    CHECK(m.count("ATH") == 3);
    CHECK(m.count("AT+CHUP") == 0);
    rig.pass(10s);
    for (int i = 0; i < 2; ++i) {
        m.raw("\r\nRING\r\n\r\n+CLIP: \"\",128,,,,1\r\n");  // withheld
        rig.pass(9s);
    }
    CHECK(rig.driver->status().calls == 5);
    CHECK(calls().back() == "an incoming call was hung up; its number was not told");
    // two that came and rang on while a message was sent, with the second form of RING: each once, and hung up once
    m.on_pdu = [&](const std::string&) {
        for (const char* n : {"34", "34", "35"})
            m.raw("\r\nRING\r\n\r\n+CRING: VOICE\r\n\r\n+CLIP: \"+155501001" + std::string{n} + "\",145\r\n");
        return false;
    };
    m.log.clear();
    rig.queue(1);
    REQUIRE(rig.outcome_soon());
    rig.pass(3s);
    CHECK(rig.driver->status().calls == 7);
    CHECK(calls().size() == 7);
    CHECK(calls().back() == from("35"));
    CHECK(m.count("ATH") == 1);
    rig.pass(10s);
    m.raw("\r\n+CLIP: 1,1\r\n");  // the late answer to a question
    rig.pass(1s);
    CHECK(rig.driver->status().calls == 7);
}

TEST_CASE("incidents: what is worth a flight record") {
    Cared rig;
    rig.up();
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->raw("\r\nERROR\r\n");
        return true;
    };
    rig.queue(1);
    REQUIRE(rig.outcome_soon());
    CHECK(rig.host.incidents == std::vector<std::string>{"ambiguous"});
    rig.modem->mute = true;
    REQUIRE(rig.until_state("recovering", 200s));
    rig.pass(100s);
    CHECK(rig.host.incidents == std::vector<std::string>{"ambiguous", "mute"});
}

TEST_CASE("the modem's clock is told once it is up and registered, where the network may have set it; and asked to be set where not") {
    struct Row {
        const char* clock;
        const char* registration;
        bool told, asked;
    };
    const Row rows[] = {{"+CCLK: \"26/11/22,10:15:30-32\"", "1,1", true, false},
                        {"+CCLK: \"26/11/22,10:15:30-32\"", "1,2", false, false},
                        {"+CCLK: \"26/11/22,10:15:30\"", "1,1", false, true},  // local time of nowhere
                        {"+CCLK: \"04/01/01,00:00:12+00\"", "1,1", false, true},
                        {"", "1,1", false, false}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.clock});
        CAPTURE(std::string{row.registration});
        Cared rig;
        rig.modem->answers["AT+CCLK?"] = *row.clock ? info(row.clock) : "\r\nERROR\r\n";
        rig.modem->answers["AT+CREG?"] = info(std::string{"+CREG: "} + row.registration);
        rig.start();
        REQUIRE(rig.until([&] { return rig.modem->saw("AT+CCLK?"); }, 20s));
        rig.pass(1s);
        CHECK(rig.modem->saw("AT+CTZU=1") == row.asked);
        REQUIRE(rig.host.clocks.size() == (row.told ? 1 : 0));
        if (row.told) CHECK(rig.host.clocks[0] == *parse_rfc3339("2026-11-22T18:15:30Z"));
        if (row.told || row.asked || !*row.clock) continue;
        rig.modem->answers.erase("AT+CREG?");  // registered, a while later
        CHECK(rig.until([&] { return rig.host.clocks.size() == 1; }, 2min));
    }
}

TEST_CASE("a phone whose input overruns (row 75) gets its PDU in pieces, and Ctrl-Z behind an echo that is whole alone") {
    struct Row {
        const char* name;
        bool echoes;
        int lose_at, urc_at;
        bool taken;
    };
    const Row rows[] = {{"all of it", true, -1, -1, true},
                        {"an octet was lost", true, 20, -1, false},
                        {"the last one was lost", true, 33, -1, false},
                        {"a URC in between", true, -1, 7, true},
                        {"no echo at all", false, -1, -1, true}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.name});
        Cared rig;
        rig.modem->answers["AT+CGMI"] = info("Nokia");
        rig.modem->can_echo = row.echoes;
        rig.up();
        REQUIRE(rig.modem->saw("ATE1"));
        std::size_t longest = 0;
        rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
            if (!octets.starts_with("AT")) longest = std::max(longest, octets.size());
            inner(octets);
        };
        rig.modem->lose_at = row.lose_at;
        rig.modem->urc_at = row.urc_at;
        rig.queue(1);
        REQUIRE(rig.outcome_soon());
        CHECK(longest <= 18);
        CHECK(rig.host.outcomes[0].ending == (row.taken ? Ending::accepted : Ending::not_sent));
        CHECK(rig.host.outcomes[0].reason == (row.taken ? "" : "echo-differs"));
        CHECK(rig.modem->pdus.size() == (row.taken ? 1 : 0));
        rig.queue(2);
        REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 2; }));
        CHECK(rig.host.outcomes[1].ending == Ending::accepted);
    }
}
