#pragma once
// Places: which time zones a state or a number may be in, and the stricter law of states. Tables; no clock.
#include <span>
#include <string_view>
#include <vector>

#include "daemon/config/config.hpp"

namespace conductor::dispatch {

/// tzdata names; more than one where a line runs through the state. Empty when the state is unknown.
std::vector<std::string_view> zones_of_state(std::string_view state);

/// Zones that a number may be in: by area code for +1, else those at the ends of its country. Empty when nothing is known of it: short
/// codes, global services, area codes that are not in service or have no place (toll-free).
std::vector<std::string_view> zones_of_number(std::string_view e164);

/// State of the US or province of Canada that an area code belongs to; empty when it tells none.
std::string_view state_of_number(std::string_view e164);

/// One line of the law of a US state about marketing texts, or about calls where texts count as calls. Several lines of one state divide
/// the week; a day that none of them names is closed.
struct PlaceRule {
    std::string_view state;  ///< empty: every state (47 CFR 64.1200(c)(1))
    config::Days days;
    config::Window window;  ///< recipient's local time
    int per_day;            ///< messages in 24 h; 0 = no limit of this law
    bool holidays_closed;   ///< nothing on federal holidays
};
std::span<const PlaceRule> us_rules();

/// A state, DC or a territory of the US, where us_rules() bind.
bool is_us_state(std::string_view state);

/// A federal holiday (5 USC 6103), or the weekday on which it is observed.
bool is_federal_holiday(const config::Date& day);

}  // namespace conductor::dispatch
