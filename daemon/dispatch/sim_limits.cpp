#include "daemon/dispatch/sim_limits.hpp"

#include <algorithm>
#include <climits>

namespace conductor::dispatch {

using namespace std::chrono_literals;

std::array<SimWindow::Window, 4> SimWindow::windows() const {
    return {Window{1min, limits_.per_minute}, Window{1h, limits_.per_hour}, Window{24h, limits_.per_day},
            Window{24h * 31, limits_.per_month}};
}

int SimWindow::most() const {
    int largest = 0;
    for (const Window& w : windows()) largest = std::max(largest, w.limit);
    return largest;
}

std::chrono::milliseconds SimWindow::reach() const {
    std::chrono::milliseconds longest{0};
    for (const Window& w : windows())
        if (w.limit > 0) longest = std::max(longest, w.length);
    return longest;
}

void SimWindow::add(WallTime at) {
    const int largest = most();
    if (largest == 0) return;
    // journaled before this one while the clock was ahead: it went out by now
    for (auto time = times_.rbegin(); time != times_.rend() && *time > at; ++time) *time = at;
    times_.push_back(at);
    while (times_.size() > static_cast<std::size_t>(largest)) times_.pop_front();
}

WallTime SimWindow::next_slot(WallTime now) {
    return next_slot(now, 1);
}

int SimWindow::most_room() const {
    int least = INT_MAX;
    for (const Window& w : windows())
        if (w.limit > 0) least = std::min(least, w.limit);
    return least;
}

int SimWindow::room(WallTime now) {
    next_slot(now);  // sets right what a clock that was ahead left behind
    int room = INT_MAX;
    for (const Window& w : windows()) {
        if (w.limit == 0) continue;
        const auto used = times_.end() - std::ranges::upper_bound(times_, now - w.length);
        room = std::min(room, w.limit - static_cast<int>(std::min<std::ptrdiff_t>(used, w.limit)));
    }
    return room;
}

WallTime SimWindow::next_slot(WallTime now, int parts) {
    parts = std::clamp(parts, 1, most_room());
    // a clock that was ahead has been set right: those parts went out by now, and hold the SIM as long as if they went out now
    for (auto time = times_.rbegin(); time != times_.rend() && *time > now; ++time) *time = now;
    WallTime slot = now;
    const auto longest = reach();
    for (const Window& w : windows()) {
        if (w.limit == 0) continue;
        const auto limit = static_cast<std::size_t>(w.limit - parts + 1);
        if (times_.size() < limit) continue;
        slot = std::max(slot, times_[times_.size() - limit] + w.length);
    }
    while (!times_.empty() && times_.front() + longest <= now) times_.pop_front();
    return slot;
}

}  // namespace conductor::dispatch
