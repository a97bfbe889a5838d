#pragma once
// The few Asio words that every I/O folder uses. Timers run on BootClock, so that the simulation can own time.
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>

#include "daemon/core/clock.hpp"
#include "daemon/core/log.hpp"
#include "daemon/core/result.hpp"

namespace conductor::aio {
/// The simulation's ear: told how long it is until the earliest timer, each time that Asio works it out. Null: nobody listens.
inline std::atomic<void (*)(BootClock::duration) noexcept> wait_observer{nullptr};
}  // namespace conductor::aio

template <>
struct boost::asio::wait_traits<conductor::BootClock> {
    static conductor::BootClock::duration to_wait_duration(const conductor::BootClock::duration& d) {
        if (const auto told = conductor::aio::wait_observer.load(std::memory_order_relaxed)) told(d);
        return d;
    }
    static conductor::BootClock::duration to_wait_duration(const conductor::BootClock::time_point& t) {
        const auto now = conductor::BootClock::now();
        return t > now ? t - now : conductor::BootClock::duration::zero();
    }
};

namespace conductor {
namespace asio = boost::asio;
}

namespace conductor::aio {

using asio::awaitable;
using asio::use_awaitable;
using Executor = asio::any_io_executor;
using Timer = asio::basic_waitable_timer<BootClock, asio::wait_traits<BootClock>, Executor>;
inline constexpr auto as_value = asio::as_tuple(use_awaitable);

/// Waits until `when`; false when the wait was cancelled.
awaitable<bool> sleep_until(Instant when);
awaitable<bool> sleep_for(BootClock::duration d);

/// A flag that one coroutine waits for and any code on the same executor raises. Raising it while nobody waits is remembered once.
class Event {
public:
    explicit Event(Executor ex) : timer_{std::move(ex), Instant::max()} {}
    void raise();
    bool raised() const { return raised_; }
    void clear() { raised_ = false; }
    /// Returns true when raised (and lowers it), false when `until` passed first or the wait was cancelled.
    awaitable<bool> wait_until(Instant until);
    awaitable<bool> wait() { return wait_until(Instant::max()); }

private:
    Timer timer_;
    bool raised_ = false;
};

/// A long-running task that must not end: it is restarted after 1 s, 2 s ... 60 s when it throws or returns, and each end is logged.
/// Ends when cancelled. The only place that detaches.
void supervise(Executor ex, Log log, std::string name, std::function<awaitable<void>()> task);

}  // namespace conductor::aio
