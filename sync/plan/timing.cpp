#include "sync/plan/timing.hpp"

#include <algorithm>

namespace conductor::sync {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

nanoseconds drift(nanoseconds age) {
    return age / 10'000;
}

}  // namespace

void ServerClock::add(Instant start, Instant end, WallTime server_now) {
    if (end < start) return;
    const nanoseconds half = (end - start) / 2;
    const Sample sample{start + half, server_now, half};
    if (!best_ || half <= best_->half + drift(sample.middle - best_->middle)) best_ = sample;
}

std::optional<WallTime> ServerClock::now(Instant at) const {
    if (!best_) return std::nullopt;
    return best_->server + std::chrono::round<milliseconds>(at - best_->middle);
}

Instant lease_deadline(Instant requested_at, WallTime server_now, WallTime lease_expires_at, int parts) {
    const milliseconds lease = lease_expires_at - server_now;
    const milliseconds guard = std::max<milliseconds>(5s, lease / 100) + std::max(parts, 1) * worst_part_time;
    return requested_at + lease - guard;
}

}  // namespace conductor::sync
