// How reports reach us: acknowledged after their commit, stored and read in batches, or neither.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* error = "\r\nERROR\r\n";
constexpr const char* ok = "\r\nOK\r\n";

/// SMS-STATUS-REPORT, each its own by TP-MR.
std::string report_pdu(int mr) {
    constexpr const char* hex = "0123456789ABCDEF";
    return "07915155100010F906" + std::string{hex[mr / 16 % 16], hex[mr % 16]} + "0B915155100132F4621111010140006211110101400000";
}

struct Reports : Rig {
    void up() {
        start();
        REQUIRE(until_state("ready"));
        modem->log.clear();
    }
    void report(int mr) { modem->say("+CDS: 25\r\n" + report_pdu(mr)); }
    bool routed(std::string_view how) {
        return until([&] { return driver->status().routing == how; }, 5s);
    }
    bool acknowledged(std::uint64_t times, BootClock::duration limit = 5s) {
        return until([&] { return driver->status().acknowledged >= times; }, limit);
    }
    /// The network takes this long for each message from now on.
    void take_time(BootClock::duration d) {
        modem->on_pdu = [this, d](const std::string&) {
            boost::asio::co_spawn(ctx, answer_after(*this, d), boost::asio::detached);
            return true;
        };
    }
    static aio::awaitable<void> answer_after(Reports& rig, BootClock::duration d) {
        co_await aio::sleep_for(d);
        rig.modem->raw("\r\n+CMGS: " + std::to_string(rig.modem->next_mr++) + "\r\n\r\nOK\r\n");
    }
};

}  // namespace

TEST_CASE("a report is acknowledged after its commit, never before") {
    Reports rig;
    rig.up();
    CHECK(rig.driver->status().routing == "acknowledged");
    rig.host.persist_failures = 3;
    rig.host.on_incoming = [&] { CHECK(rig.modem->count("AT+CNMA") == 0); };
    rig.report(1);
    REQUIRE(rig.until([&] { return !rig.host.incoming.empty(); }));
    CHECK(rig.host.incoming[0].needs_ack);
    CHECK(rig.host.incoming[0].kind == Incoming::Kind::report);
    CHECK(rig.acknowledged(1));
    CHECK(rig.modem->count("AT+CNMA") == 1);
    rig.pass(120s);
    CHECK(rig.modem->count("AT+CNMA") == 1);
}

TEST_CASE("the form of the acknowledgement that works is found and remembered (rows 37, 64)") {
    Reports rig;
    rig.up();
    rig.modem->answers["AT+CNMA"] = error;
    rig.modem->answers["AT+CNMA=1"] = error;
    rig.report(1);
    REQUIRE(rig.acknowledged(1));
    CHECK(rig.modem->log == std::vector<std::string>{"AT+CNMA", "AT+CNMA=1", "AT+CNMA=0"});
    rig.modem->log.clear();
    rig.report(2);
    REQUIRE(rig.acknowledged(2));
    CHECK(rig.modem->log == std::vector<std::string>{"AT+CNMA=0"});
}

TEST_CASE("where acknowledgements are refused: stored reports if the modem has a memory for them, else plain ones") {
    struct Row {
        const char* name;
        const char* stores;
        const char* refused;  ///< the command that is refused
        const char* answer;
        const char* routing;
        const char* cnmi;
    };
    const Row rows[] = {
        {"CSMS=1 refused, SR", "(\"SM\",\"SR\"),(\"SM\"),(\"SM\")", "AT+CSMS=1", error, "stored", "AT+CNMI=2,1,0,2,0"},
        {"CSMS=1 refused, no SR", "(\"SM\"),(\"SM\"),(\"SM\")", "AT+CSMS=1", error, "plain", "AT+CNMI=2,1,0,1,0"},
        {"CNMA refused, SR", "(\"SM\",\"SR\"),(\"SM\"),(\"SM\")", "AT+CNMA", error, "stored", "AT+CNMI=2,1,0,2,0"},
        {"CNMA refused, no SR", "(\"SM\"),(\"SM\"),(\"SM\")", "AT+CNMA", error, "plain", "AT+CNMI=2,1,0,1,0"},
        {"CNMA refused with 340 at once (row 66)", "(\"SM\"),(\"SM\"),(\"SM\")", "AT+CNMA", "\r\n+CMS ERROR: 340\r\n", "plain",
         "AT+CNMI=2,1,0,1,0"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Reports rig;
        rig.modem->answers["AT+CPMS=?"] = "\r\n+CPMS: " + std::string{row.stores} + "\r\n\r\nOK\r\n";
        rig.modem->memory = "SM";
        rig.modem->answers[row.refused] = row.answer;
        if (std::string_view{row.refused} == "AT+CNMA")
            for (const char* form : {"AT+CNMA=1", "AT+CNMA=0"}) rig.modem->answers[form] = row.answer;
        rig.start();
        REQUIRE(rig.until_state("ready"));
        rig.report(1);
        CHECK(rig.routed(row.routing));
        CHECK(rig.modem->saw("AT+CSMS=0"));
        CHECK(rig.modem->saw(row.cnmi));
        const std::size_t before = rig.modem->count("AT+CNMA");
        rig.report(2);
        REQUIRE(rig.until([&] { return rig.host.incoming.size() == 2; }));
        rig.pass(120s);
        CHECK(rig.modem->count("AT+CNMA") == before);  // and it is not tried again
        CHECK(!rig.host.incoming[1].needs_ack);
        CHECK(rig.driver->status().routing == row.routing);
    }
}

TEST_CASE("an acknowledgement that came too late, or none: the routing is set again, and the modem is not set up anew") {
    SUBCASE("340 (row 81)") {
        Reports rig;
        rig.up();
        rig.report(1);
        REQUIRE(rig.acknowledged(1));
        rig.modem->answers["AT+CNMA"] = "\r\n+CMS ERROR: 340\r\n";
        rig.report(2);
        CHECK(rig.until([&] { return rig.modem->saw("AT+CNMI=2,1,0,1,0"); }, 5s));
        CHECK(rig.driver->status().routing == "acknowledged");
        CHECK(rig.modem->count("AT+CGMI") == 0);
        rig.modem->answers["AT+CNMA"] = ok;
        rig.report(2);
        CHECK(rig.acknowledged(2));
    }
    SUBCASE("no answer (T73)") {
        Reports rig;
        rig.up();
        rig.report(1);
        REQUIRE(rig.acknowledged(1));
        rig.modem->answers["AT+CNMA"] = "";
        rig.queue(7);
        rig.report(2);
        CHECK(rig.until([&] { return rig.modem->saw("AT+CNMI=2,1,0,1,0"); }, 60s));
        CHECK(rig.outcome_soon());
    }
    SUBCASE("the modem ended the routing on its own (TS 27.005 §3.4.4)") {
        Reports rig;
        rig.up();
        rig.modem->answers["AT+CNMI?"] = "\r\n+CNMI: 2,0,0,0,0\r\n\r\nOK\r\n";
        CHECK(rig.until([&] { return rig.modem->saw("AT+CNMI=2,1,0,1,0"); }, 60s));
        CHECK(rig.modem->count("AT+CGMI") == 0);
    }
}

TEST_CASE("in a burst acknowledgements stand where the modem would wait anyway") {
    Reports rig;
    rig.up();
    rig.take_time(500ms);
    rig.host.on_outcome = [&] { CHECK(rig.modem->log.back() == "AT+CMGS=16"); };  // nothing between +CMGS and next()
    for (int i = 0; i < 20; ++i) rig.queue(i);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(rig.until([&] { return rig.modem->pdus.size() > static_cast<std::size_t>(i); }));
        rig.report(i);
    }
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 20; }));
    CHECK(rig.acknowledged(20));
    for (std::size_t i = 0; i + 1 < rig.modem->log.size(); ++i)
        if (rig.modem->log[i].starts_with("AT+CNMA")) CHECK(!rig.modem->log[i + 1].starts_with("AT+CNMA"));
    CHECK(std::ranges::all_of(rig.host.incoming, [](const Incoming& one) { return one.needs_ack; }));
    CHECK(rig.host.incoming.front().patient);
}

TEST_CASE("in a burst +CNMI is looked at beside a commit: no message waits for one of its own") {
    Reports rig;
    rig.up();
    rig.take_time(500ms);
    for (int i = 0; i < 50; ++i) rig.queue(i);
    rig.host.on_outcome = [&] { CHECK(rig.host.settled_alone == 0); };
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 50; }));
    CHECK(rig.modem->count("AT+CNMI?") == 4);  // after 2, 5, 10 and 20 s
    rig.host.on_outcome = {};
    rig.pass(20s);
    CHECK(rig.modem->count("AT+CNMI?") >= 5);
}

TEST_CASE("a modem that has lost its settings in a burst gets no message before it is set up again") {
    struct Row {
        std::string name, indications, next;
    };
    const Row rows[] = {{"a restart without a word", "0,0,0,0,0", "AT+CMGF=0"},
                        {"a missed acknowledgement", "2,0,0,0,0", "AT+CNMI=2,1,0,1,0"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Reports rig;
        rig.up();
        rig.take_time(500ms);
        for (int i = 0; i < 10; ++i) rig.queue(i);
        rig.modem->on_command = [&](const std::string& line) {
            if (line == row.next) rig.modem->answers.erase("AT+CNMI?");
        };
        REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 2; }));
        rig.modem->answers["AT+CNMI?"] = "\r\n+CNMI: " + row.indications + "\r\n\r\nOK\r\n";
        REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 10; }));
        const auto& log = rig.modem->log;
        const auto look = std::ranges::find(log, "AT+CNMI?"), mended = std::ranges::find(look, log.end(), row.next);
        REQUIRE(mended != log.end());
        CHECK(std::none_of(look, mended, [](const std::string& line) { return line.starts_with("AT+CMGS"); }));
        const auto kept = std::ranges::find(rig.host.outcomes, Ending::not_sent, &SubmitOutcome::ending);
        REQUIRE(kept != rig.host.outcomes.end());
        CHECK(kept->reason == "rebooted");
        CHECK(rig.modem->pdus.size() == 9);  // one of the ten is the Host's to give again
    }
}

TEST_CASE("messages that take no time acknowledge on their way, so that the reports share their commits") {
    Reports rig;
    rig.up();
    rig.modem->on_pdu = [&](const std::string&) {
        if (rig.modem->pdus.size() == 5) rig.report(1);
        return false;
    };
    rig.host.on_outcome = [&] {
        if (rig.host.outcomes.size() == 10) CHECK(rig.modem->count("AT+CNMA") == 1);
    };
    for (int i = 0; i < 50; ++i) rig.queue(i);
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 50; }));
    CHECK(rig.acknowledged(1));
}

TEST_CASE("stored reports wait for the end of a burst, but not longer than their memory has room") {
    Reports rig;
    rig.modem->answers["AT+CPMS=?"] = "\r\n+CPMS: (\"SM\",\"SR\"),(\"SM\"),(\"SM\")\r\n\r\nOK\r\n";
    rig.modem->answers["AT+CSMS=1"] = error;
    rig.modem->answers["AT+CPMS=\"SR\""] = "\r\n+CPMS: 1,12,0,20,0,20\r\n\r\nOK\r\n";
    rig.up();
    REQUIRE(rig.routed("stored"));
    rig.pass(1s);
    rig.modem->log.clear();
    rig.take_time(500ms);
    for (int i = 0; i < 10; ++i) rig.queue(i);
    for (int i = 1; i <= 8; ++i) {
        REQUIRE(rig.until([&] { return rig.modem->pdus.size() >= static_cast<std::size_t>(i); }));
        rig.modem->store_in("SR", i, report_pdu(i));
        rig.modem->say("+CDSI: \"SR\"," + std::to_string(i));
        if (i < 6) CHECK(rig.modem->count("AT+CMGL") == 0);
    }
    REQUIRE(rig.until([&] { return rig.host.outcomes.size() == 10; }));
    CHECK(rig.until([&] { return rig.host.incoming.size() == 8; }, 5s));
    CHECK(rig.modem->count("AT+CMGL") <= 2);  // at half full, and at the end
    CHECK(rig.modem->in("SR").empty());
}

TEST_CASE("a modem without a memory hands its messages over, and they are acknowledged") {
    Reports rig;
    for (const char* store : {"ME", "SM", "MT"}) {
        const std::string q = "\"" + std::string{store} + "\"";
        for (const std::string& form : {q + "," + q + "," + q, q + "," + q, q}) rig.modem->answers["AT+CPMS=" + form] = error;
    }
    rig.start();
    REQUIRE(rig.until_state("ready"));
    CHECK(rig.modem->saw("AT+CNMI=2,2,0,1,0"));
    rig.modem->say("+CMT: ,28\r\n" + std::string{delivered_pdu});
    REQUIRE(rig.acknowledged(1));
    CHECK(rig.host.incoming.at(0).kind == Incoming::Kind::message);
    CHECK_FALSE(rig.host.incoming.at(0).patient);
}

TEST_CASE("a stop acknowledges what is committed") {
    Reports rig;
    rig.up();
    rig.host.on_incoming = [&] {
        rig.host.stop = true;
        rig.host.wake().raise();
    };
    rig.report(1);
    REQUIRE(rig.until([&] { return rig.ended; }));
    CHECK(rig.modem->count("AT+CNMA") == 1);
}

TEST_CASE("acknowledgements due to a modem that falls silent do not hold up the ladder") {
    Reports rig;
    rig.up();
    rig.host.on_incoming = [&] { rig.modem->mute = true; };
    for (int i = 0; i < 30; ++i) rig.report(i);
    CHECK(rig.until([&] { return !rig.host.incidents.empty(); }, 30s));
    CHECK(rig.host.incoming.size() == 30);
    CHECK(rig.modem->count("AT+CNMA") == 1);
}

TEST_CASE("AT&W is written where the modem starts with other figures, not where it tells fewer of them") {
    for (const char* found : {"2,1,0,1", "2,1,0,1,1", "0,0,0,0,0"}) {
        CAPTURE(found);
        Reports rig;
        rig.modem->answers["AT+CNMI?"] = "\r\n+CNMI: " + std::string{found} + "\r\n\r\nOK\r\n";
        rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
            if (octets.starts_with("AT+CNMI=")) rig.modem->answers.erase("AT+CNMI?");
            inner(octets);
        };
        rig.start();
        REQUIRE(rig.until_state("ready"));
        CHECK(rig.modem->count("AT&W") == (found[0] == '0' ? 1 : 0));
    }
}

TEST_CASE("a modem that keeps no +CNMI at all is not brought up for it again and again") {
    Reports rig;
    rig.modem->answers["AT+CNMI?"] = "\r\n+CNMI: 0,0,0,0,0\r\n\r\nOK\r\n";
    rig.up();
    CHECK(rig.driver->status().routing == "plain");
    rig.pass(1800s);
    CHECK(rig.modem->count("ATE0") == 0);
    rig.modem->store(1, delivered_pdu);
    CHECK(rig.until([&] { return !rig.host.incoming.empty(); }, 70s));  // the sweeps find it
}
