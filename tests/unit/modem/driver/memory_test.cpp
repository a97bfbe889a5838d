// The memories of a modem: which one is read and deleted in, what is in it, and what is not ours to delete.
#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

struct Up : Rig {
    Up& up() {
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
    Up rig;
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

TEST_CASE("what was cut on its way is read again in its own memory") {
    Up rig;
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
        Up rig;
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
    Up rig;
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
