#pragma once
// Sticks in a state without a serial port, told by their USB ids: still a CD-ROM with drivers, or a network card with a web page.
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace conductor::profile {

struct StickState {
    std::string_view state;  ///< "mass-storage" or "network-only"
    std::string text;        ///< what it is, and what a technician can do
};

/// By a table of USB ids; for ids of makers of modems alone also by the interface classes (FIELD rows 10, 11). Ids and classes are
/// lower-case hex digits. Empty: nothing is known of it, or it is no modem.
std::optional<StickState> stick_state(std::string_view vendor_id, std::string_view product_id, std::string_view product,
                                      std::span<const std::string> classes);

}  // namespace conductor::profile
