#include "daemon/dispatch/places.hpp"

#include <doctest/doctest.h>

#include <set>

#include "daemon/core/calling_codes.hpp"
#include "daemon/core/nanp.hpp"
#include "daemon/dispatch/places_zones.hpp"
#include "daemon/dispatch/send_hours.hpp"

using namespace conductor;
using namespace conductor::dispatch;

TEST_CASE("places: every zone is in tzdata, every key once, every state and country has one") {
    for (const auto rows : {state_zones(), area_zones(), region_zones()}) {
        std::set<std::string_view> keys;
        for (const ZoneRow& row : rows) {
            CAPTURE(std::string{row.key});
            CHECK(keys.insert(row.key).second);
            std::string_view rest = row.zones;
            while (!rest.empty()) {
                const std::size_t end = std::min(rest.find(' '), rest.size());
                CAPTURE(std::string{rest.substr(0, end)});
                CHECK(zone_named(rest.substr(0, end)) != nullptr);
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
    }
    for (int code = 200; code < 1000; ++code) {
        const AreaCode* area = find_area_code(code);
        if (!area) continue;
        CAPTURE(code);
        const std::string number = "+1" + std::to_string(code) + "5550100";
        const bool has_place = !area->state.empty() || (area->region != "US" && area->region != "CA");
        CHECK(zones_of_number(number).empty() == !has_place);
        CHECK(state_of_number(number) == area->state);
    }
    for (const CallingCode& code : calling_codes())
        for (std::size_t i = 0; i + 2 <= code.regions.size(); i += 3) {
            const std::string_view region = code.regions.substr(i, 2);
            CAPTURE(std::string{region});
            CHECK(std::any_of(region_zones().begin(), region_zones().end(), [&](const ZoneRow& r) { return r.key == region; }));
        }
    for (const ZoneRow& row : area_zones()) {  // an area's zones are among its state's, and it is in service
        CAPTURE(std::string{row.key});
        const AreaCode* area = find_area_code(std::stoi(std::string{row.key}));
        REQUIRE(area != nullptr);
        if (row.key == "867") continue;  // three territories
        const auto of_state = zones_of_state(area->state);
        for (const auto zone : zones_of_number("+1" + std::string{row.key} + "5550100"))
            CHECK(std::find(of_state.begin(), of_state.end(), zone) != of_state.end());
    }
}

TEST_CASE("places: examples") {
    struct Row {
        std::string number;
        std::vector<std::string_view> want;
    };
    const Row rows[] = {{"+13055550100", {"America/New_York"}},
                        {"+18505550100", {"America/New_York", "America/Chicago"}},
                        {"+19155550100", {"America/Denver"}},
                        {"+18075550100", {"America/Toronto", "America/Winnipeg"}},
                        {"+447700900123", {"Europe/London"}},
                        {"+18765550100", {"America/Jamaica"}},
                        {"+18005550100", {}},
                        {"+15550100123", {}},
                        {"+1", {}},
                        {"+1abc", {}},
                        {"12345", {}}};
    for (const Row& row : rows) {
        CAPTURE(row.number);
        CHECK(zones_of_number(row.number) == row.want);
    }
    CHECK(zones_of_state("ZZ").empty());
    CHECK(is_us_state("DC"));
    CHECK_FALSE(is_us_state("ON"));
    CHECK_FALSE(is_us_state("ZZ"));
}

TEST_CASE("places: the law's lines of one state do not overlap, and each state exists") {
    std::set<std::pair<std::string_view, unsigned>> seen;
    for (const PlaceRule& rule : us_rules()) {
        CAPTURE(std::string{rule.state});
        if (!rule.state.empty()) CHECK(is_us_state(rule.state));
        CHECK(rule.window.begin >= 8 * 60);  // no state allows more than federal law
        CHECK(rule.window.end <= 21 * 60);
        for (unsigned i = 0; i < 7; ++i)
            if (rule.days >> i & 1) CHECK(seen.insert({rule.state, i}).second);
    }
}

TEST_CASE("places: federal holidays") {
    struct Row {
        config::Date day;
        bool want;
    };
    const Row rows[] = {{{2026, 1, 1}, true},   {{2026, 1, 19}, true},   {{2026, 2, 16}, true},  {{2026, 5, 25}, true},
                        {{2026, 5, 18}, false}, {{2026, 6, 19}, true},   {{2026, 7, 3}, true},   {{2026, 7, 4}, true},
                        {{2026, 7, 6}, false},  {{2026, 9, 7}, true},    {{2026, 10, 12}, true}, {{2026, 11, 11}, true},
                        {{2026, 11, 26}, true}, {{2026, 11, 27}, false}, {{2026, 12, 25}, true}, {{2027, 12, 24}, true},
                        {{2027, 12, 31}, true}, {{2023, 1, 2}, true},    {{2026, 3, 17}, false}, {{2026, 2, 30}, false}};
    for (const Row& row : rows) {
        CAPTURE(row.day.year * 10000 + row.day.month * 100 + row.day.day);
        CHECK(is_federal_holiday(row.day) == row.want);
    }
}
