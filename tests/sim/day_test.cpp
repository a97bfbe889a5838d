// The simulated day: eight modems, every fault on each of them, messages both ways all the time.
#include <doctest/doctest.h>

#include <iostream>

#include "tools/simulate/day.hpp"

using namespace conductor::simulate;

TEST_CASE("a day of faults: every modem comes back in time, and nothing is lost or doubled") {
    const Day day = run_day({.seed = 1});
    std::cout << day.table();
    for (const auto& what : day.findings()) CHECK_MESSAGE(false, what);
    CHECK(day.faults.size() == 8 * 9);
    CHECK(day.outbound > 1000);
    CHECK(day.inbound > 1000);
}
