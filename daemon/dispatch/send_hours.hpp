#pragma once
// When something may be sent at a place: weekly windows in one or several time zones, all of which must be open. Local times follow the
// wall clock there: a window that a DST gap swallows does not open that day, and one in a fold opens in both passes.
#include <date/tz.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/core/clock.hpp"

namespace conductor::dispatch {

/// One calendar. A window that crosses midnight belongs wholly to the day on which it begins.
struct Hours {
    std::array<std::optional<config::Window>, 7> week;  ///< Monday first; empty is closed
    std::vector<config::Date> holidays;                 ///< closed
    bool federal_holidays = false;                      ///< closed on those of the US
};
Hours hours_of(config::Days days, const config::Window& window, const std::vector<config::Date>& holidays);

/// nullptr when tzdata lacks it.
const date::time_zone* zone_named(std::string_view name);

class SendHours {
public:
    void add(const date::time_zone* zone, Hours hours) { rows_.push_back({zone, std::move(hours)}); }
    bool empty() const { return rows_.empty(); }
    bool open_at(WallTime t) const;
    /// The first moment at or after `t` when all are open; empty when there is none within `horizon`.
    std::optional<WallTime> next_open(WallTime t) const;
    /// The first moment after `t` (at which it is open) when one of them is closed; empty when it stays open for a week.
    std::optional<WallTime> next_closed(WallTime t) const;

    static constexpr std::chrono::days horizon{62};

private:
    struct Row {
        const date::time_zone* zone;
        Hours hours;
    };
    static bool open_at(const Row& row, WallTime t);
    static std::optional<WallTime> next_open(const Row& row, WallTime t);
    static WallTime next_edge(const Row& row, WallTime t);
    std::vector<Row> rows_;
};

/// "2026-11-21 09:00 PST" at a place.
std::string local_text(const date::time_zone* zone, WallTime t);
/// The first midnight after `t` at a place.
WallTime next_midnight(const date::time_zone* zone, WallTime t);

}  // namespace conductor::dispatch
