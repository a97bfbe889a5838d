// The memories of a modem: which one is read and deleted in, what is in it, and what is not ours to delete.
#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

struct Keeping : Rig {
    Keeping& up() {
        start();
        REQUIRE(until_state("ready"));
        pass(5s);
        return *this;
    }
};

/// Another text than delivered_pdu has.
std::string delivered(int n) {
    std::string pdu{delivered_pdu};
    return pdu.replace(pdu.size() - 18, 2, n < 10 ? "0" + std::to_string(n) : std::to_string(n));
}

constexpr const char* refused = "\r\n+CMS ERROR: 314\r\n";

}  // namespace

TEST_CASE("two memories in one batch: each message is deleted where it lies") {
    Keeping rig;
    rig.up();
    rig.host.on_incoming = [&] {
        if (rig.host.incoming.size() == 1) rig.modem->store_in("SM", 3, delivered(9));  // told to nobody yet
    };
    rig.modem->store(3, delivered(1));
    rig.modem->store_in("SM", 5, delivered(2));
    rig.modem->raw("\r\n+CMTI: \"ME\",3\r\n\r\n+CMTI: \"SM\",5\r\n");
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 2; }, 5s));
    rig.pass(1s);
    CHECK(rig.modem->storage.empty());
    CHECK(rig.modem->in("SM").size() == 1);
    CHECK(rig.modem->in("SM").contains(3));
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 3; }, 70s));  // by the poll
    CHECK(rig.host.incoming[2].hex == delivered(9));
    CHECK(rig.host.incoming[2].memory == "SM");
}

TEST_CASE("a full memory on a slow line: 250 messages take 95 s to list, and the modem is not taken for mute") {
    Keeping rig;
    rig.modem->answers["AT+CPMS=?"] = "\r\n+CPMS: (\"ME\"),(\"ME\"),(\"ME\")\r\n\r\nOK\r\n";
    rig.modem->answers["AT+CMGL=4"] = "";
    for (int i = 1; i <= 250; ++i) rig.modem->store(i, delivered(i % 100));
    rig.start();
    REQUIRE(rig.until([&] { return rig.modem->saw("AT+CMGL=4"); }));
    const auto list = rig.modem->storage;
    for (const auto& [index, entry] : list) {
        rig.modem->raw("\r\n+CMGL: " + std::to_string(index) + "," + entry);
        rig.pass(380ms);
    }
    rig.modem->raw("\r\n\r\nOK\r\n");
    CHECK(rig.until([&] { return rig.host.incoming.size() == 250 && rig.modem->storage.empty(); }, 5s));
    CHECK(rig.host.incidents.empty());
    CHECK(rig.modem->count("AT+CFUN=") == 0);
}

TEST_CASE("what was cut on its way is read again in its own memory") {
    Keeping rig;
    rig.up();
    const std::string whole = delivered(1);
    rig.modem->answers["AT+CMGR=3"] = "\r\n+CMGR: 0,,29\r\n" + whole.substr(0, 40) + "\r\n\r\nOK\r\n";
    rig.modem->store(3, whole);
    rig.modem->store_in("SM", 5, delivered(2));
    rig.line->to_modem = [&, inner = rig.line->to_modem](std::string_view octets) {
        inner(octets);
        if (octets == "AT+CMGR=3\r") rig.modem->answers.erase("AT+CMGR=3");
    };
    rig.modem->raw("\r\n+CMTI: \"ME\",3\r\n\r\n+CMTI: \"SM\",5\r\n");
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 2; }, 70s));
    for (const Incoming& one : rig.host.incoming) CHECK((one.hex == whole || one.hex == delivered(2)));
    CHECK(rig.until([&] { return rig.modem->storage.empty() && rig.modem->in("SM").empty(); }, 5s));
}

TEST_CASE("a memory that is refused once, or for an hour, is read again afterwards") {
    struct Row {
        const char* name;
        const char* memory;
        BootClock::duration time, found_within;
    };
    const Row rows[] = {{"the receive store, once", "ME", 61s, 70s},
                        {"the other, once", "SM", 61s, 70s},
                        {"the receive store, for an hour", "ME", 3600s, 70s},
                        {"the other, for an hour", "SM", 3600s, 700s}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Keeping rig;
        rig.up();
        const std::string q = "\"" + std::string{row.memory} + "\"", one = "AT+CPMS=" + q, three = one + ",\"ME\",\"ME\"";
        rig.modem->answers[one] = rig.modem->answers[three] = refused;
        rig.pass(row.time);
        CHECK(rig.host.has_note("memory-refused") == (row.time > 300s));
        CHECK(rig.modem->count(one + ",") + rig.modem->count(one) < 200);
        rig.modem->answers.erase(one);
        rig.modem->answers.erase(three);
        rig.modem->store_in(row.memory, 1, delivered(1));
        CHECK(rig.until([&] { return rig.host.incoming.size() == 1; }, row.found_within));
        CHECK(rig.until([&] { return rig.modem->in(row.memory).empty(); }, 5s));
        CHECK(rig.driver->status().state == ModemState::ready);
    }
}

TEST_CASE("a modem that wants all three memories at once is read and emptied (row 44)") {
    Keeping rig;
    for (const char* memory : {"ME", "SM"}) rig.modem->answers["AT+CPMS=\"" + std::string{memory} + "\""] = "\r\nERROR\r\n";
    rig.modem->store(1, delivered(1));
    rig.up();
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 1; }));
    rig.modem->store(2, delivered(2));
    rig.modem->store_in("SM", 4, delivered(3));
    rig.modem->raw("\r\n+CMTI: \"ME\",2\r\n\r\n+CMTI: \"SM\",4\r\n");
    REQUIRE(rig.until([&] { return rig.host.incoming.size() == 3; }, 5s));
    CHECK(rig.until([&] { return rig.modem->storage.empty() && rig.modem->in("SM").empty(); }, 5s));
    CHECK(rig.modem->receive_memory == "ME");
    rig.modem->log.clear();
    rig.pass(300s);
    CHECK(rig.modem->count("AT+CPMS=\"SM\",") > 0);
    CHECK(rig.modem->count("AT+CPMS=\"SM\"") == rig.modem->count("AT+CPMS=\"SM\","));  // the form that works comes first
}

TEST_CASE("octets that look like an SMS-SUBMIT are kept and deleted where they are no host's") {
    constexpr const char* submit = "0011000B915155100021F3000AA705E8329BFD06";
    struct Row {
        const char* name;
        int stat;
        SlotRuling ruling;
        bool kept;
    };
    const Row rows[] = {{"received", 0, SlotRuling::leave, true},
                        {"received and read", 1, SlotRuling::leave, true},
                        {"a part of ours that the modem lists so", 1, SlotRuling::look_again, false},
                        {"a draft", 2, SlotRuling::leave, false},
                        {"sent by hand", 3, SlotRuling::leave, false}};
    for (const Row& row : rows)
        for (const bool told : {true, false}) {
            CAPTURE(row.name);
            CAPTURE(told);
            Keeping rig;
            rig.host.ruling = row.ruling;
            rig.up();
            rig.modem->store(1, submit, 1);
            rig.modem->mark(1, row.stat);
            if (told) rig.modem->say("+CMTI: \"ME\",1");
            CHECK(rig.until([&] { return !rig.host.incoming.empty(); }, told ? 5s : 70s) == row.kept);
            rig.pass(1s);
            CHECK(rig.modem->storage.empty() == row.kept);
            CHECK(rig.host.incoming.size() == (row.kept ? 1 : 0));
            if (row.kept) CHECK(rig.host.incoming[0].hex == submit);
        }
}

TEST_CASE("slots of ours are given up as gone only where the whole memory was read") {
    struct Row {
        const char* name;
        std::function<void(ScriptedModem&)> lists;
        bool whole;
    };
    constexpr const char* entry = "\r\n+CMGL: 1,2,,16\r\n0011000B915155101032F50000A702E834\r\n";
    const std::string error = "\r\n+CMS ERROR: 300\r\n", ok = "\r\nOK\r\n";
    const Row rows[] = {
        {"a list", [&](auto& m) { m.answers["AT+CMGL=4"] = entry + ok; }, true},
        {"nothing", [&](auto& m) { m.answers["AT+CMGL=4"] = ok; }, true},
        {"a PDU was lost on the line", [&](auto& m) { m.answers["AT+CMGL=4"] = entry + std::string{"\r\n+CMGL: 3,2,,16\r\n"} + ok; },
         false},
        {"a PDU was cut", [&](auto& m) { m.answers["AT+CMGL=4"] = "\r\n+CMGL: 1,2,,16\r\n0011000B9151551010\r\n" + ok; }, false},
        {"slot by slot", [&](auto& m) { m.answers["AT+CMGL=4"] = error; }, true},
        {"slot by slot, one is busy",
         [&](auto& m) {
             m.answers["AT+CMGL=4"] = error;
             m.answers["AT+CMGR=7"] = "\r\n+CMS ERROR: 314\r\n";
         },
         false},
        {"slot by slot, one gets no answer",
         [&](auto& m) {
             m.answers["AT+CMGL=4"] = error;
             m.swallow["AT+CMGR=7"] = 99;
         },
         false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ModemSettings settings;
        settings.journal_in_modem = true;
        Rig rig{settings};
        rig.host.storing = "ok";
        rig.modem->answers["AT+CMSS=?"] = ok;
        row.lists(*rig.modem);
        rig.start();
        const auto read = [&] { return std::ranges::find(rig.host.readings, "ME", &SlotReading::memory); };
        REQUIRE(rig.until([&] { return read() != rig.host.readings.end(); }));
        CHECK(read()->whole == row.whole);
    }
}

TEST_CASE("slot by slot: up to the last slot that the modem names, and no further than it says there is something") {
    Keeping rig;
    rig.modem->slots = 400;
    rig.modem->answers["AT+CMGL=4"] = "\r\nERROR\r\n";
    rig.modem->answers["AT+CPMS=?"] = "\r\n+CPMS: (\"ME\"),(\"ME\"),(\"ME\")\r\n\r\nOK\r\n";
    rig.modem->store(0, delivered(1));
    rig.modem->store(390, delivered(2));
    rig.up();
    REQUIRE(rig.until([&] { return rig.modem->storage.empty(); }, 60s));
    CHECK(rig.host.incoming.size() == 2);
    CHECK(rig.modem->count("AT+CMGR=") <= 392);
    rig.modem->store(2, delivered(3));
    rig.modem->log.clear();
    REQUIRE(rig.until([&] { return rig.modem->storage.empty(); }, 70s));
    CHECK(rig.modem->count("AT+CMGR=") <= 4);
}

TEST_CASE("a slot that nobody can read and drafts of others are counted, and said where the memory is full") {
    Keeping rig;
    rig.modem->slots = 4;
    rig.modem->answers["AT+CPMS=?"] = "\r\n+CPMS: (\"ME\"),(\"ME\"),(\"ME\")\r\n\r\nOK\r\n";
    for (const int i : {1, 2}) rig.modem->storage[i] = "2,,16\r\n0011000B915155101032F40000A702E834";
    rig.modem->storage[3] = "3,,16\r\n0011000B915155101032F40000A702E834";
    rig.modem->store(4, delivered(1));
    rig.up();
    const auto& me = [&]() -> const ModemStatus::Storage& { return rig.driver->status().storage.front(); };
    REQUIRE(rig.until([&] { return rig.modem->storage.size() == 3; }, 10s));
    rig.modem->storage[4] = "0,,29";
    REQUIRE(rig.until([&] { return rig.driver->status().reason == "storage-full"; }, 130s));
    CHECK(me().foreign == 3);
    CHECK(me().stuck == 1);
    CHECK(rig.host.has_note("slot-unreadable"));
    CHECK(rig.driver->status().reason_text.find("1 of them cannot be read") != std::string::npos);
    rig.modem->storage[4] = "2,,16\r\n0011000B915155101032F40000A702E834";
    REQUIRE(rig.until([&] { return me().foreign == 4; }, 130s));
    REQUIRE(rig.until([&] { return rig.driver->status().reason_text.find("4 of them are drafts") != std::string::npos; }, 130s));
    CHECK(me().stuck == 0);
    for (int i = 1; i <= 4; ++i) rig.modem->store(i, delivered(i));
    CHECK(rig.until([&] { return rig.modem->storage.empty(); }, 130s));
    CHECK(std::ranges::count(rig.host.notes, "slot-unreadable", [](const auto& n) { return n.first; }) == 1);
}

TEST_CASE("a memory that is refused while the two are compared proves nothing") {
    Keeping rig;
    rig.modem->store(1, delivered(1));
    rig.modem->store_in("SM", 1, delivered(2));
    bool refuses = false;
    rig.modem->on_command = [&](const std::string& line) {
        if (line.starts_with("AT+CMGD=")) refuses = true;
        for (const char* form : {"AT+CPMS=\"SM\"", "AT+CPMS=\"SM\",\"ME\",\"ME\""}) {
            if (refuses) rig.modem->answers[form] = refused;
            if (!refuses) rig.modem->answers.erase(form);
        }
    };
    rig.up();
    rig.pass(30s);
    CHECK(rig.driver->status().one_store.empty());
    CHECK(!rig.host.has_note("stores-are-one"));
    rig.modem->on_command = nullptr;
    rig.modem->answers.clear();
    CHECK(rig.until([&] { return rig.modem->in("SM").empty(); }, 70s));
    CHECK(rig.host.incoming.size() == 2);
}

TEST_CASE("a submission that the modem's memory or centre stops: swept, or the centre put back, at once") {
    Keeping rig;
    rig.up();
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->raw("\r\n+CMS ERROR: 322\r\n");
        return true;
    };
    rig.modem->log.clear();
    rig.queue(1);
    REQUIRE(rig.outcome_soon());
    CHECK(rig.until([&] { return rig.modem->count("AT+CMGL") > 0; }, 2s));
    rig.modem->on_pdu = [&](const std::string&) {
        rig.modem->raw("\r\n+CMS ERROR: 330\r\n");
        return true;
    };
    rig.modem->answers["AT+CSCA?"] = "\r\n+CSCA: \"\",129\r\n\r\nOK\r\n";
    for (int i = 2; i <= 3; ++i) {
        rig.queue(i);
        rig.pass(20s);
    }
    CHECK(rig.modem->count("AT+CSCA=\"+15550100199\"") == 1);
    CHECK(rig.driver->status().state == ModemState::ready);
}

TEST_CASE("a modem that refuses all its memories is not called well") {
    Keeping rig;
    rig.up();
    const auto advised = [&] {
        return std::ranges::any_of(rig.driver->status().advice, [](const Advice& a) { return a.code == "memories-refused"; });
    };
    CHECK(!advised());
    for (const char* memory : {"ME", "SM", "SR"}) {
        const std::string q = "\"" + std::string{memory} + "\"";
        for (const std::string& form : {q, q + ",\"ME\",\"ME\""}) rig.modem->answers["AT+CPMS=" + form] = "\r\n+CMS ERROR: 500\r\n";
    }
    CHECK(rig.until(advised, 130s));
    std::erase_if(rig.modem->answers, [](const auto& one) { return one.first.starts_with("AT+CPMS=\""); });
    CHECK(rig.until([&] { return !advised(); }, 130s));
}
