#pragma once
// How many parts a SIM may send in rolling windows of a minute, an hour, a day and 31 days.
#include <array>
#include <deque>
#include <optional>

#include "daemon/core/clock.hpp"

namespace conductor::dispatch {

class SimWindow {
public:
    /// Limits in parts; 0 = none.
    struct Limits {
        int per_minute = 0, per_hour = 0, per_day = 0, per_month = 0;
    };
    explicit SimWindow(Limits limits) : limits_{limits} {}
    /// A part was given to the SIM at `at`, after all that were added before: what of them lies behind `at` is taken for one of `at`.
    void add(WallTime at);
    void clear() { times_.clear(); }
    void set_limits(Limits limits) { limits_ = limits; }
    /// The first moment at or after `now` at which one more part keeps every limit. Forgets what no window holds any more;
    /// takes a part of the future for one of `now`.
    WallTime next_slot(WallTime now);
    /// The same for `parts` at once, or for as many as the limits ever allow at once.
    WallTime next_slot(WallTime now, int parts);
    /// How many parts the limits allow now, and ever at once; INT_MAX without any.
    int room(WallTime now);
    int most_room() const;
    /// The longest window that has a limit; zero without any.
    std::chrono::milliseconds reach() const;
    /// The largest limit: so many parts are remembered at most.
    int most() const;
    std::size_t size() const { return times_.size(); }
    /// The part that was added last, while a window holds it.
    std::optional<WallTime> last() const { return times_.empty() ? std::nullopt : std::optional{times_.back()}; }

private:
    struct Window {
        std::chrono::milliseconds length;
        int limit;
    };
    std::array<Window, 4> windows() const;
    Limits limits_;
    std::deque<WallTime> times_;  // no longer than the largest limit
};

}  // namespace conductor::dispatch
