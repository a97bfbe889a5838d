#pragma once
// How long to wait after a failure: full jitter, a longer scale for what only a person ends, and a breaker.
#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/core/clock.hpp"
#include "sync/plan/errors.hpp"

namespace conductor::sync {

struct BackOffPolicy {
    std::chrono::milliseconds base{1'000}, cap{300'000};                             ///< what passes by itself
    std::chrono::milliseconds unreached_cap{30'000};                                 ///< no answer at all: that loads nobody
    std::chrono::milliseconds schema_base{5'000}, schema_cap{900'000};               ///< not_ready
    std::chrono::milliseconds restricted_least{300'000}, restricted_cap{3'600'000};  ///< restricted
    std::chrono::milliseconds unauthorized{900'000};                                 ///< one probe each, +-20 %
    std::chrono::milliseconds least{200};                                            ///< no wait is shorter
    int breaker = 5;                                                                 ///< failures in a row until calls are refused at once
};

enum class Reached : std::uint8_t { server, nobody };

class BackOff {
public:
    explicit BackOff(BackOffPolicy policy = {}) : policy_{policy} {}

    struct Call {
        Instant begun{}, ended{};
    };
    /// A call failed. Of those that fail beside each other the first one counts: what was begun before it ended, or ends while its wait
    /// runs, tells nothing new. It lengthens the wait by a Retry-After alone, or where it is of a class that lasts longer. `random` is
    /// uniform in [0, 1). Returns the wait from the call's end on.
    std::chrono::milliseconds failed(Call call, Action action, std::optional<std::chrono::seconds> retry_after, double random,
                                     Reached reached = Reached::server);
    void succeeded() { *this = BackOff{policy_}; }

    /// Time left until the next attempt; zero after a success.
    std::chrono::milliseconds left(Instant now) const;
    /// True while a call is to fail at once: many failures in a row, and the next probe is not due yet.
    bool refuses(Instant now) const { return open() && left(now).count() > 0; }
    bool open() const { return passing_ >= policy_.breaker; }
    int failures() const { return failures_; }

private:
    std::chrono::milliseconds wait_after(int failures, Action action, double random, Reached reached) const;

    BackOffPolicy policy_;
    int failures_ = 0;  ///< in a row
    int passing_ = 0;   ///< of those, at the end of the row, the ones that pass by themselves
    Action last_ = Action::none;
    Instant failed_at_{};  ///< the last of those
    Instant next_{};
};

}  // namespace conductor::sync
