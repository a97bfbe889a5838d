#include "daemon/dispatch/sim_limits.hpp"

#include <algorithm>

namespace conductor::dispatch {

using namespace std::chrono_literals;

std::array<SimWindow::Window, 4> SimWindow::windows() const {
    return {Window{1min, limits_.per_minute}, Window{1h, limits_.per_hour}, Window{24h, limits_.per_day},
            Window{24h * 31, limits_.per_month}};
}

void SimWindow::add(WallTime at) {
    int largest = 0;
    for (const Window& w : windows()) largest = std::max(largest, w.limit);
    if (largest == 0) return;
    times_.push_back(at);
    while (times_.size() > static_cast<std::size_t>(largest)) times_.pop_front();
}

WallTime SimWindow::next_slot(WallTime now) {
    WallTime slot = now;
    std::chrono::milliseconds longest{0};
    for (const Window& w : windows()) {
        if (w.limit == 0) continue;
        longest = std::max(longest, w.length);
        const auto limit = static_cast<std::size_t>(w.limit);
        if (times_.size() < limit) continue;
        slot = std::max(slot, times_[times_.size() - limit] + w.length);
    }
    while (!times_.empty() && times_.front() + longest <= now) times_.pop_front();
    return slot;
}

}  // namespace conductor::dispatch
