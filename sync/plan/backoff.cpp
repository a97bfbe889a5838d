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

/// How long what asks for this action lasts, against the others.
int lasts(Action action) {
    switch (action) {
        case Action::none:
        case Action::bisect:
        case Action::retry: return 0;
        case Action::not_ready: return 1;
        case Action::refresh:
        case Action::other_key:
        case Action::restricted: break;
    }
    return 2;
}

}  // namespace

milliseconds BackOff::wait_after(int failures, Action action, double random, Reached reached) const {
    const auto cap = reached == Reached::nobody ? policy_.unreached_cap : policy_.cap;
    switch (action) {
        case Action::none:
        case Action::bisect:
        case Action::retry: return part_of(scaled(policy_.base, cap, failures), random);
        case Action::not_ready: return part_of(scaled(policy_.schema_base, policy_.schema_cap, failures), random);
        case Action::refresh:
        case Action::other_key: return part_of(policy_.unauthorized, 0.8 + 0.4 * random);
        case Action::restricted: break;
    }
    const milliseconds top = scaled(policy_.restricted_least, policy_.restricted_cap, failures + 1);
    return policy_.restricted_least + part_of(top - std::min(top, policy_.restricted_least), random);
}

milliseconds BackOff::failed(Call call, Action action, std::optional<std::chrono::seconds> retry_after, double random, Reached reached) {
    const bool counts = failures_ == 0 || (call.begun >= failed_at_ && call.ended >= next_);
    const bool harder = lasts(action) > lasts(last_);
    milliseconds wait{0};
    if (counts || harder) {
        wait = std::max(wait_after(counts ? failures_ : failures_ - 1, action, random, reached), policy_.least);
        passing_ = action == Action::retry ? passing_ + 1 : 0;
        last_ = action;
    }
    if (counts) {
        ++failures_;
        failed_at_ = call.ended;
    }
    if (retry_after) wait = std::max<milliseconds>(wait, *retry_after);
    next_ = std::max(next_, call.ended + wait);
    return left(call.ended);
}

milliseconds BackOff::left(Instant now) const {
    if (failures_ == 0 || next_ <= now) return milliseconds{0};
    return std::chrono::ceil<milliseconds>(next_ - now);
}

}  // namespace conductor::sync
