#include "modem/driver/power_watch.hpp"

#include <algorithm>

namespace conductor::driver {

void PowerWatch::restarted(Instant now, std::optional<Instant> ctrl_z) {
    if (now < expected_until_) return;
    const bool transmitted = ctrl_z && *ctrl_z <= now && now - *ctrl_z <= transmitting;
    if (restarts_.size() == most) restarts_.pop_front();
    restarts_.push_back({now, transmitted});
}

void PowerWatch::warned(Instant now) {
    if (warnings_.size() == most) warnings_.pop_front();
    warnings_.push_back(now);
}

std::size_t PowerWatch::restarts(Instant now) const {
    return static_cast<std::size_t>(std::ranges::count_if(restarts_, [&](const Restart& r) { return now - r.at < window; }));
}

std::optional<std::string> PowerWatch::verdict(Instant now) const {
    const auto warnings = std::ranges::count_if(warnings_, [&](Instant at) { return now - at < window; });
    const auto fell = std::ranges::count_if(restarts_, [&](const Restart& r) { return r.while_transmitting && now - r.at < window; });
    constexpr const char* remedy =
        " Its power supply is too weak: a GSM modem draws 2 A for moments. Use a powered hub, a shorter cable or a "
        "stronger supply.";
    if (warnings > 0) return "The modem said " + std::to_string(warnings) + " times in an hour that its voltage is too low." + remedy;
    if (fell < static_cast<std::ptrdiff_t>(enough)) return std::nullopt;
    return "The modem restarted " + std::to_string(fell) + " times in an hour while it transmitted." + remedy;
}

}  // namespace conductor::driver
