#include "daemon/dispatch/retry.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace conductor::dispatch {
namespace {

using at::ErrorClass;
using at::Scope;
using at::Verdict;
using std::chrono::milliseconds;

constexpr milliseconds busy_most{30'000};
constexpr milliseconds slow_from{600'000};        // a code with so long a pause of its own grows by slow_factor
constexpr milliseconds slow_most{4 * 3'600'000};  // 15 min, 1 h, 4 h
constexpr double slow_factor = 4.0;
constexpr int last_try_waits = 10;  // times as long: an outage of minutes must not use up the tries of a code with a limit of its own

/// first * factor^n, at most `most`, times 1 +- jitter.
milliseconds grown(milliseconds first, double factor, int n, milliseconds most, double jitter, std::uint64_t random) {
    const double raw = static_cast<double>(first.count()) * std::pow(factor, std::min(n, 64));
    const double capped = std::min(raw, static_cast<double>(most.count()));
    const double unit = static_cast<double>(random >> 11) / static_cast<double>(std::uint64_t{1} << 53);  // [0, 1)
    return milliseconds{std::llround(capped * (1.0 + jitter * (2.0 * unit - 1.0)))};
}

milliseconds pause_of(const Verdict& v, int n, const config::Retry& retry, std::uint64_t random) {
    const milliseconds own = v.first_delay;
    if (own >= slow_from) return grown(own, slow_factor, n, std::max(slow_most, retry.max), retry.jitter, random);
    return grown(std::max(own, retry.first), retry.factor, n, retry.max, retry.jitter, random);
}

bool own_limit_reached(const Verdict& v, const Tried& tried) {
    return v.tries > 0 && tried.strikes + 1 >= v.tries;
}

/// An attempt that counted, or would have: again while attempts are left.
NextTry again_or(Then otherwise, const Verdict& v, const Tried& tried, const config::Send& config, std::uint64_t random) {
    NextTry next{.then = Then::again, .counts = v.counts, .reason = v.word};
    const bool used_up = v.counts && tried.counted + 1 >= config.max_attempts;
    if (used_up || (v.counts && own_limit_reached(v, tried))) {
        next.then = otherwise;
        return next;
    }
    next.delay = pause_of(v, v.counts ? tried.counted : tried.strikes, config.retry, random);
    const bool may_pass = v.error_class == ErrorClass::transient && v.scope != Scope::sim && v.tries > 0;
    if (may_pass && tried.strikes + 2 >= v.tries) next.delay *= last_try_waits;
    return next;
}

/// The same command again on the same modem within seconds; when that has not helped, elsewhere and later.
NextTry busy(const Verdict& v, const Tried& tried, const config::Send& config, std::uint64_t random) {
    if (own_limit_reached(v, tried)) {
        Verdict late = v;
        late.counts = v.counts || v.scope == Scope::message;  // it is this message alone: it must not come back for ever
        late.tries = 0;
        late.first_delay = {};
        return again_or(Then::give_up, late, tried, config, random);
    }
    const milliseconds first = std::max<milliseconds>(v.first_delay, std::chrono::seconds{1});
    return {.then = Then::again,
            .delay = grown(first, 2.0, tried.strikes, busy_most, config.retry.jitter, random),
            .counts = v.counts,
            .reason = v.word};
}

/// SIM, plan or PIN: that SIM rests and another takes over. A code with a limit of its own may be about this recipient, or pass: the SIM
/// goes on until then, and SimStrikes sees whether others are refused too.
NextTry human(const Verdict& v, const Tried& tried, const config::Send& config, std::uint64_t random) {
    NextTry next{.then = Then::again, .counts = false, .pause_sim = v.tries == 0, .reason = v.word};
    if (own_limit_reached(v, tried)) {
        if (v.at_limit == at::AtLimit::rest_sim)
            next.pause_sim = true;
        else
            next.then = Then::give_up;
    }
    if (tried.strikes > 0) next.delay = pause_of(v, tried.strikes - 1, config.retry, random);
    return next;
}

}  // namespace

std::chrono::milliseconds back_off(const config::Retry& retry, int n, std::uint64_t random) {
    return grown(retry.first, retry.factor, n, retry.max, retry.jitter, random);
}

NextTry next_try(const Verdict& v, const Tried& tried, const config::Send& config, std::uint64_t random) {
    if (tried.may_be_out || v.error_class == ErrorClass::ambiguous) {
        if (tried.on_unknown == OnUnknown::hold) return {.then = Then::unknown, .counts = true, .reason = v.word};
        Verdict open = v;
        open.counts = true;
        open.tries = 0;
        return again_or(Then::unknown, open, tried, config, random);  // attempts used up: still it may have gone out
    }
    switch (v.error_class) {
        case ErrorClass::duplicate:
            if (tried.resubmission) return {.then = Then::accepted, .counts = true, .reason = v.word};
            return again_or(Then::give_up, v, tried, config, random);  // no copy of ours can be there: the centre errs
        case ErrorClass::permanent_recipient: return {.then = Then::give_up, .counts = true, .reason = v.word};
        case ErrorClass::permanent_content:
            if (v.tries == 0 || own_limit_reached(v, tried)) return {.then = Then::give_up, .counts = true, .reason = v.word};
            return again_or(Then::give_up, v, tried, config, random);
        case ErrorClass::transient: return again_or(Then::give_up, v, tried, config, random);
        case ErrorClass::busy: return busy(v, tried, config, random);
        case ErrorClass::modem: return again_or(Then::give_up, v, tried, config, random);
        case ErrorClass::human: return human(v, tried, config, random);
        case ErrorClass::ambiguous: break;  // above
    }
    return {.then = Then::unknown, .counts = true, .reason = v.word};
}

void SimStrikes::accepted() {
    strikes_.clear();
    rests_ = 0;
}

SimStrikes::Outcome SimStrikes::refused(const Verdict& v, std::string phone_number, MessageId message, WallTime now) {
    const bool about_number = v.error_class == ErrorClass::permanent_recipient;
    const bool open = v.error_class == ErrorClass::ambiguous && v.scope == Scope::sim;  // CMS 500: often balance or plan
    const bool about_sim = v.scope == Scope::sim && (v.error_class == ErrorClass::transient || v.error_class == ErrorClass::human);
    if (!about_number && !about_sim && !open) return {};
    std::erase_if(strikes_, [&](const Strike& s) { return s.at + window <= now || s.at > now; });
    strikes_.push_back({now, std::move(phone_number), message, about_number, open});
    if (strikes_.size() > most) strikes_.pop_front();
    std::set<std::string_view> refused, all;
    for (const Strike& s : strikes_) {
        all.insert(s.phone_number);
        if (!s.open) refused.insert(s.phone_number);
    }
    const bool proved = rests_ > 0 && !about_number;  // a number may be dead by itself
    if (!proved && std::ssize(refused) < recipients && std::ssize(all) < open_recipients) return {};
    Outcome out{.pause = true, .reason = "sim-refused"};
    if (!about_number) out.rest = std::min(out.rest * (1 << 2 * std::min(rests_++, 4)), most_rest);
    for (const Strike& s : strikes_)
        if (s.ended) out.reopen.push_back(s.message);
    strikes_.clear();
    return out;
}

}  // namespace conductor::dispatch
