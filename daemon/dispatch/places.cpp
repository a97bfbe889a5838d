#include "daemon/dispatch/places.hpp"

#include <algorithm>
#include <chrono>

#include "daemon/core/calling_codes.hpp"
#include "daemon/core/msisdn.hpp"
#include "daemon/core/nanp.hpp"
#include "daemon/dispatch/places_zones.hpp"

namespace conductor::dispatch {
namespace {

constexpr config::Days every_day = 0b1111111, mon_to_sat = 0b0111111, mon_to_fri = 0b0011111, saturday = 0b0100000, sunday = 0b1000000;
constexpr config::Window clock(int begin, int end) {
    return {begin * 60, end * 60};
}

// Where a law may be read as binding calls alone, it is taken to bind texts: a text that waits harms nobody.
constexpr PlaceRule rules[] = {
    {"", every_day, clock(8, 21), 0, false},   {"AL", mon_to_sat, clock(8, 20), 0, true},  {"CT", every_day, clock(9, 20), 0, false},
    {"FL", every_day, clock(8, 20), 3, false}, {"IN", every_day, clock(9, 20), 0, false},  {"KY", every_day, clock(10, 21), 0, false},
    {"LA", mon_to_sat, clock(8, 20), 0, true}, {"MA", every_day, clock(8, 20), 0, false},  {"MD", every_day, clock(8, 20), 3, false},
    {"MI", every_day, clock(9, 21), 0, false}, {"MN", every_day, clock(9, 21), 0, false},  {"MS", mon_to_sat, clock(8, 20), 0, true},
    {"NM", every_day, clock(9, 21), 0, false}, {"NV", every_day, clock(9, 20), 0, false},  {"OK", every_day, clock(8, 20), 3, false},
    {"OR", every_day, clock(8, 20), 3, false}, {"PA", every_day, clock(8, 21), 0, true},   {"RI", mon_to_fri, clock(9, 18), 0, true},
    {"RI", saturday, clock(10, 17), 0, true},  {"SD", mon_to_sat, clock(9, 21), 0, false}, {"TX", mon_to_sat, clock(9, 21), 0, false},
    {"TX", sunday, clock(12, 21), 0, false},   {"UT", mon_to_sat, clock(8, 21), 0, true},  {"WA", every_day, clock(8, 20), 0, false},
    {"WY", every_day, clock(8, 20), 0, false},
};

std::vector<std::string_view> words(std::string_view list) {
    std::vector<std::string_view> out;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(' '), list.size());
        if (end > 0) out.push_back(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return out;
}

std::string_view zones_named(std::span<const ZoneRow> rows, std::string_view key) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const ZoneRow& r) { return r.key == key; });
    return row == rows.end() ? std::string_view{} : row->zones;
}

/// "+1305…" to "305"; empty for other numbers.
std::string_view area_code_of(std::string_view e164) {
    if (!e164.starts_with("+1") || e164.size() < 5) return {};
    const std::string_view code = e164.substr(2, 3);
    return code.find_first_not_of("0123456789") == std::string_view::npos ? code : std::string_view{};
}

const AreaCode* area_of(std::string_view e164) {
    const std::string_view code = area_code_of(e164);
    return code.empty() ? nullptr : find_area_code((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
}

}  // namespace

std::vector<std::string_view> zones_of_state(std::string_view state) {
    return words(zones_named(state_zones(), state));
}

std::vector<std::string_view> zones_of_number(std::string_view e164) {
    if (const std::string_view code = area_code_of(e164); !code.empty()) {
        if (const std::string_view own = zones_named(area_zones(), code); !own.empty()) return words(own);
        const AreaCode* area = area_of(e164);
        if (!area) return {};
        if (!area->state.empty()) return zones_of_state(area->state);
        return area->region == "US" || area->region == "CA" ? std::vector<std::string_view>{}
                                                            : words(zones_named(region_zones(), area->region));
    }
    const auto region = region_of(e164);
    return region ? words(zones_named(region_zones(), *region)) : std::vector<std::string_view>{};
}

std::string_view state_of_number(std::string_view e164) {
    const AreaCode* area = area_of(e164);
    return area ? area->state : std::string_view{};
}

std::span<const PlaceRule> us_rules() {
    return rules;
}

bool is_us_state(std::string_view state) {
    constexpr std::string_view provinces[] = {"AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"};
    return is_state(state) && std::find(std::begin(provinces), std::end(provinces), state) == std::end(provinces);
}

bool is_federal_holiday(const config::Date& d) {
    using namespace std::chrono;
    const year_month_day ymd{year{d.year}, month{unsigned(d.month)}, day{unsigned(d.day)}};
    if (!ymd.ok()) return false;
    const sys_days date{ymd};
    const weekday on{date};
    const auto nth = [&](unsigned m, weekday w, unsigned n) {
        return ymd.month() == month{m} && on == w && (unsigned(ymd.day()) - 1) / 7 + 1 == n;
    };
    const bool last_monday_of_may = ymd.month() == May && on == Monday && unsigned(ymd.day()) > 24;
    if (nth(1, Monday, 3) || nth(2, Monday, 3) || last_monday_of_may || nth(9, Monday, 1) || nth(10, Monday, 2) || nth(11, Thursday, 4))
        return true;
    const auto fixed = [](sys_days at) {
        const year_month_day x{at};
        const unsigned md = unsigned(x.month()) * 100 + unsigned(x.day());
        return md == 101 || md == 619 || md == 704 || md == 1111 || md == 1225;
    };
    if (fixed(date)) return true;
    if (on == Friday && fixed(date + days{1})) return true;  // a Saturday's holiday is observed on Friday
    return on == Monday && fixed(date - days{1});            // a Sunday's on Monday
}

}  // namespace conductor::dispatch
