#pragma once
// Two kinds of time. Instant (CLOCK_BOOTTIME) is for timeouts and rates; WallTime is for records and may jump.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace conductor {

/// CLOCK_BOOTTIME as a chrono clock, so that Asio timers can use it. Only daemon/aio and daemon/app call now().
struct BootClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept;
    /// Replaces the source of now() (simulation); nullptr restores the kernel's clock.
    static void set_source(time_point (*source)() noexcept) noexcept;
};

using Instant = BootClock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Passed by reference; tests own a fake one.
class Clock {
public:
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    virtual std::optional<WallTime> wall() const = 0;  ///< empty until RTC, NTP or NITZ made it sure
};

/// RFC 3339 in UTC with milliseconds: 2026-11-21T18:00:00.000Z.
std::string to_rfc3339(WallTime t);
/// Accepts RFC 3339 with any offset and 0-9 fraction digits (cut to ms); empty when it is not one. The offset is required.
std::optional<WallTime> parse_rfc3339(std::string_view text);

constexpr std::int64_t to_ms(WallTime t) {
    return t.time_since_epoch().count();
}
constexpr WallTime from_ms(std::int64_t ms) {
    return WallTime{std::chrono::milliseconds{ms}};
}

}  // namespace conductor
