// The simulator as the tests use it: it starts, takes requests, and refuses what it does not know.
#include <doctest/doctest.h>

#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"

using namespace conductor::harness;

TEST_CASE("harness: the simulator comes up with its ports") {
    REQUIRE(fs::exists(program("modemsim")));
    const TempDir folder;
    const Sim sim{folder.path(), {.modems = 3}};
    CHECK(sim.ports().size() == 3);
    for (const std::string& port : sim.ports()) CHECK(fs::is_character_file(fs::canonical(port.substr(4))));
    CHECK(sim.submissions().empty());
    CHECK(sim.request({{"do", "state"}})["modems"].size() == 3);
    sim.inject(1, "+15550100123", "hello");
    CHECK_THROWS(sim.request({{"do", "no such thing"}}));
    sim.unplug(2);
    CHECK(eventually(milliseconds{5'000}, [&] { return !fs::exists(sim.port(2).substr(4)); }));
    sim.plug(2);
    CHECK(eventually(milliseconds{5'000}, [&] { return fs::exists(sim.port(2).substr(4)); }));
}

TEST_CASE("harness: invented numbers are in the range that is nobody's, and all different") {
    std::map<std::string, int> seen;
    for (int n = 0; n < 8'000; ++n) {
        const std::string number = invented_number(n);
        CHECK(number.size() == 12);
        CHECK(number.substr(5, 5) == "55501");
        CHECK(number[3] == '9');
        ++seen[number];
    }
    CHECK(seen.size() == 8'000);
}
