#pragma once
// Timers of the whole simulation, on an injected clock. The owner asks next(), waits, then calls run_due().
#include <functional>
#include <map>
#include <optional>

#include "daemon/core/clock.hpp"

namespace conductor::modemsim {

using Duration = std::chrono::milliseconds;

class Scheduler {
public:
    explicit Scheduler(const Clock& clock) : clock_{clock} {}
    Instant now() const { return clock_.now(); }
    /// Wall time; 2026-01-01 while the clock is not sure of it.
    WallTime wall() const { return clock_.wall().value_or(from_ms(1'767'225'600'000)); }

    /// Things due at the same instant run in the order they were added.
    void at(Instant when, std::function<void()> action) { timers_.emplace(when, std::move(action)); }
    void after(Duration delay, std::function<void()> action) { at(now() + delay, std::move(action)); }
    std::optional<Instant> next() const { return timers_.empty() ? std::nullopt : std::optional{timers_.begin()->first}; }
    /// Runs what is due, what those add for now included.
    void run_due() {
        while (!timers_.empty() && timers_.begin()->first <= now()) {
            const auto action = std::move(timers_.extract(timers_.begin()).mapped());
            action();
        }
    }

private:
    const Clock& clock_;
    std::multimap<Instant, std::function<void()>> timers_;
};

}  // namespace conductor::modemsim
