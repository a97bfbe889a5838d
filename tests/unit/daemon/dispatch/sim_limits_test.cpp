#include "daemon/dispatch/sim_limits.hpp"

#include <doctest/doctest.h>

#include <climits>
#include <random>
#include <vector>

using namespace conductor;
using namespace conductor::dispatch;
using namespace std::chrono_literals;

namespace {
const WallTime start = *parse_rfc3339("2026-11-24T18:00:00Z");
}

TEST_CASE("SimWindow: the next slot") {
    using std::chrono::milliseconds;
    struct Row {
        std::string name;
        SimWindow::Limits limits;
        std::vector<milliseconds> sent;  ///< since the start, rising
        milliseconds now, slot;
    };
    const Row rows[] = {
        {"no limit", {}, {0ms, 0ms, 0ms, 0ms}, 0ms, 0ms},
        {"nothing sent", {.per_minute = 1}, {}, 0ms, 0ms},
        {"one left", {.per_minute = 2}, {0ms}, 1s, 1s},
        {"minute full", {.per_minute = 2}, {0s, 10s}, 20s, 60s},
        {"minute full: the oldest of the last two counts", {.per_minute = 2}, {0s, 10s, 61s}, 62s, 70s},
        {"a millisecond before", {.per_minute = 1}, {0s}, 60s - 1ms, 60s},
        {"a whole minute later", {.per_minute = 1}, {0s}, 60s, 60s},
        {"hour full", {.per_minute = 20, .per_hour = 3}, {0s, 1s, 2s}, 3s, 1h},
        {"the stricter one binds", {.per_minute = 1, .per_hour = 3}, {0s, 60s, 3590s}, 3591s, 3650s},
        {"day full", {.per_day = 2}, {0s, 1h}, 2h, 24h},
        {"month full", {.per_month = 1}, {0s}, 24h * 30, 24h * 31},
        {"month over", {.per_month = 1}, {0s}, 24h * 31, 24h * 31},
        {"day and month", {.per_day = 1, .per_month = 2}, {0s, 24h}, 25h, 24h * 31},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        SimWindow window{row.limits};
        for (const auto at : row.sent) window.add(start + at);
        CHECK(window.next_slot(start + row.now) == start + row.slot);
        CHECK(window.next_slot(start + row.now) == start + row.slot);  // asking changes nothing
    }
}

TEST_CASE("SimWindow: a clock that was ahead and is set right does not stop the SIM") {
    SimWindow window{{.per_minute = 2, .per_day = 3}};
    window.add(start - 2h);
    window.add(start + 24h * 365);
    window.add(start + 24h * 365 + 1s);
    CHECK(window.next_slot(start) == start + 22h);  // the true one is remembered
    CHECK(window.next_slot(start + 22h) == start + 22h);
    window.add(start + 22h);
    CHECK(window.next_slot(start + 22h + 1s) == start + 24h);  // the two of the correction are over after a day
}

TEST_CASE("SimWindow: a journal of a clock that was ahead in between") {
    SimWindow window{{.per_minute = 20, .per_hour = 200}};
    for (int n = 0; n < 30; ++n) window.add(start + 24h + n * 1s);
    for (int n = 0; n < 10; ++n) window.add(start + n * 1s);
    const WallTime now = start + 10s;
    CHECK(window.next_slot(now) == start + 60s);  // nobody knows when in that minute the others went out
    CHECK(window.room(start + 61s) == 12);        // of the last minute: the eight that were journaled behind the first two
    CHECK(window.room(start + 70s) == 20);
}

TEST_CASE("SimWindow: how much of the journal it must be told") {
    CHECK(SimWindow{{}}.most() == 0);
    CHECK(SimWindow{{}}.reach() == 0ms);
    const SimWindow window{{.per_minute = 20, .per_hour = 200, .per_day = 100}};
    CHECK(window.most() == 200);
    CHECK(window.reach() == 24h);
    CHECK(SimWindow{{.per_month = 1}}.reach() == 24h * 31);
}

TEST_CASE("SimWindow: room for several parts at once") {
    SimWindow window{{.per_minute = 4, .per_hour = 6}};
    CHECK(window.most_room() == 4);
    CHECK(window.room(start) == 4);
    for (int n = 0; n < 3; ++n) window.add(start + n * 1s);
    CHECK(window.room(start + 3s) == 1);
    CHECK(window.next_slot(start + 3s, 1) == start + 3s);
    CHECK(window.next_slot(start + 3s, 3) == start + 61s);  // when the first two have left the minute
    CHECK(window.next_slot(start + 3s, 9) == start + 1h);   // as many as it ever has: 4, and the hour has room for 3
    CHECK(window.room(start + 2min) == 3);
    CHECK(window.next_slot(start + 2min, 4) == start + 1h);
    CHECK(SimWindow{{}}.room(start) == INT_MAX);
}

TEST_CASE("SimWindow: clear() forgets") {
    SimWindow window{{.per_day = 1}};
    window.add(start);
    CHECK(window.next_slot(start) == start + 24h);
    window.clear();
    CHECK(window.next_slot(start) == start);
    CHECK(window.size() == 0);
}

TEST_CASE("SimWindow: it holds no more than its largest limit, and forgets what is over") {
    SimWindow window{{.per_minute = 3, .per_hour = 10}};
    for (int n = 0; n < 100; ++n) window.add(start + n * 1min);
    CHECK(window.size() == 10);
    window.next_slot(start + 100min + 59min);
    CHECK(window.size() == 0);
    SimWindow unlimited{{}};
    for (int n = 0; n < 100; ++n) unlimited.add(start);
    CHECK(unlimited.size() == 0);
}

TEST_CASE("SimWindow: whoever keeps to it never passes a limit in any window") {
    std::mt19937 rng{20261122};
    for (int run = 0; run < 20; ++run) {
        CAPTURE(run);
        const SimWindow::Limits limits{
            .per_minute = static_cast<int>(rng() % 5), .per_hour = static_cast<int>(rng() % 20), .per_day = static_cast<int>(rng() % 60)};
        SimWindow window{limits};
        std::vector<WallTime> sent;
        WallTime now = start;
        for (int n = 0; n < 200; ++n) {
            now += std::chrono::milliseconds{rng() % 40'000};
            now = window.next_slot(now);
            window.add(now);
            sent.push_back(now);
        }
        const std::pair<std::chrono::milliseconds, int> windows[] = {
            {1min, limits.per_minute}, {1h, limits.per_hour}, {24h, limits.per_day}};
        for (const auto& [length, limit] : windows) {
            if (limit == 0) continue;
            for (std::size_t n = static_cast<std::size_t>(limit); n < sent.size(); ++n)
                REQUIRE(sent[n] - sent[n - static_cast<std::size_t>(limit)] >= length);
        }
    }
}
