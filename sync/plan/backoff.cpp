#include "sync/plan/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace conductor::sync {

using std::chrono::milliseconds;

namespace {

milliseconds scaled(milliseconds base, milliseconds cap, int failures) {
    const double grown = static_cast<double>(base.count()) * std::pow(2.0, std::min(failures, 40));
    return milliseconds{static_cast<std::int64_t>(std::min(grown, static_cast<double>(cap.count())))};
}

milliseconds part_of(milliseconds whole, double random) {
    return milliseconds{static_cast<std::int64_t>(static_cast<double>(whole.count()) * random)};
}

}  // namespace

milliseconds BackOff::failed(Instant now, Action action, std::optional<std::chrono::seconds> retry_after, double random, Reached reached) {
    const auto cap = reached == Reached::nobody ? policy_.unreached_cap : policy_.cap;
    milliseconds wait{0};
    switch (action) {
        case Action::none:
        case Action::bisect:
        case Action::retry: wait = part_of(scaled(policy_.base, cap, failures_), random); break;
        case Action::not_ready: wait = part_of(scaled(policy_.schema_base, policy_.schema_cap, failures_), random); break;
        case Action::refresh:
        case Action::other_key: wait = part_of(policy_.unauthorized, 0.8 + 0.4 * random); break;
        case Action::restricted: {
            const milliseconds top = scaled(policy_.restricted_least, policy_.restricted_cap, failures_ + 1);
            wait = policy_.restricted_least + part_of(top - std::min(top, policy_.restricted_least), random);
            break;
        }
    }
    if (retry_after) wait = std::max<milliseconds>(wait, *retry_after);
    wait = std::max(wait, policy_.least);
    ++failures_;
    passing_ = action == Action::retry ? passing_ + 1 : 0;
    next_ = now + wait;
    return wait;
}

milliseconds BackOff::left(Instant now) const {
    if (failures_ == 0 || next_ <= now) return milliseconds{0};
    return std::chrono::ceil<milliseconds>(next_ - now);
}

}  // namespace conductor::sync
