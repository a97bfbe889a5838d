#pragma once
// The North American Numbering Plan: whose area code it is. State, territory and province by the postal services' two letters.
#include <string_view>

namespace conductor {

/// Where the numbers of one area code live.
struct AreaCode {
    std::string_view region;  ///< ISO 3166 alpha-2: "US", "CA", "JM", "PR" ...; "US" for a toll-free code
    std::string_view state;   ///< "FL", "ON" ...; empty outside the US and Canada, and for codes without a place
};

/// nullptr for a code that is not in service: 555 and all that were never assigned.
const AreaCode* find_area_code(int code);

/// A state of the US, DC, a territory, or a province of Canada.
bool is_state(std::string_view state);

/// State of a US ZIP code by its first three digits ("90001", "90001-1234"); empty when it is none.
std::string_view state_of_zip(std::string_view zip);

}  // namespace conductor
