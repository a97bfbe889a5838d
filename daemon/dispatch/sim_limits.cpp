#include "daemon/dispatch/sim_limits.hpp"

#include <algorithm>

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
    times_.push_back(at);
    while (times_.size() > static_cast<std::size_t>(largest)) times_.pop_front();
}

WallTime SimWindow::next_slot(WallTime now) {
    // a clock that was ahead has been set right: those parts went out by now, and hold the SIM as long as if they went out now
    for (auto time = times_.rbegin(); time != times_.rend() && *time > now; ++time) *time = now;
    WallTime slot = now;
    const auto longest = reach();
    for (const Window& w : windows()) {
        if (w.limit == 0) continue;
        const auto limit = static_cast<std::size_t>(w.limit);
        if (times_.size() < limit) continue;
        slot = std::max(slot, times_[times_.size() - limit] + w.length);
    }
    while (!times_.empty() && times_.front() + longest <= now) times_.pop_front();
    return slot;
}

}  // namespace conductor::dispatch
