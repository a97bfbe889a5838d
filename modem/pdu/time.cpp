#include <fmt/format.h>

#include <cstdlib>

#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {
namespace {

using namespace std::chrono;

constexpr minutes minutes_of(int octet) {
    if (octet <= 143) return minutes{5 * (octet + 1)};
    if (octet <= 167) return hours{12} + minutes{30 * (octet - 143)};
    if (octet <= 196) return days{octet - 166};
    return weeks{octet - 192};
}

}  // namespace

std::optional<WallTime> Timestamp::utc() const {
    const year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                              std::chrono::day{static_cast<unsigned>(day)}};
    constexpr int farthest_zone = 63;  // quarters: 15:45
    if (!date.ok() || hour > 23 || minute > 59 || second > 59 || std::abs(zone_quarters) > farthest_zone) return std::nullopt;
    return WallTime{sys_days{date} + hours{hour} + minutes{minute} + seconds{second} - minutes{15 * zone_quarters}};
}

std::string Timestamp::iso() const {
    const int zone = std::abs(zone_quarters);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}", year, month, day, hour, minute, second,
                       zone_quarters < 0 ? '-' : '+', zone / 4, zone % 4 * 15);
}

std::chrono::minutes RelativeValidity::duration() const {
    return minutes_of(octet);
}

RelativeValidity relative_validity(std::chrono::minutes wanted) {
    int octet = 0;
    while (octet < 255 && minutes_of(octet) < wanted) ++octet;
    return {static_cast<std::uint8_t>(octet)};
}

}  // namespace conductor::pdu
