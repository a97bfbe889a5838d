#pragma once
// Time that passes only when a test says so.
#include <algorithm>
#include <boost/asio/io_context.hpp>

#include "daemon/aio/aio.hpp"

namespace conductor::test {

/// Replaces the source of BootClock; one at a time.
class VirtualTime {
public:
    VirtualTime() {
        current() = Instant{std::chrono::hours{1}};
        next() = Instant::max();
        BootClock::set_source([]() noexcept { return current(); });
        aio::wait_observer = [](BootClock::duration wait) noexcept {
            if (wait < Instant::max() - current()) next() = std::min(next(), current() + wait);
        };
    }
    ~VirtualTime() {
        aio::wait_observer = nullptr;
        BootClock::set_source(nullptr);
    }
    static Instant& current() {
        static Instant now{};
        return now;
    }
    /// No timer ends before: the earliest that Asio told of since look_at_clock().
    static Instant& next() {
        static Instant earliest{};
        return earliest;
    }
};

/// Does all that can be done now.
inline void settle(asio::io_context& io) {
    while (io.poll() > 0) io.restart();
    io.restart();
}

/// Sets the time; the timers that are due by then are found expired.
inline void move_to(asio::io_context& io, Instant when) {
    VirtualTime::current() = when;
    aio::Timer kick{io.get_executor(), Instant{}};  // makes Asio look at the clock
    kick.async_wait([](boost::system::error_code) {});
    VirtualTime::next() = Instant::max();  // what it tells of from here on is a timer of somebody else
    settle(io);
}

/// Lets `time` pass, in one step.
inline void pass(asio::io_context& io, BootClock::duration time) {
    move_to(io, VirtualTime::current() + time);
}

}  // namespace conductor::test
