#pragma once
// Time that passes only when a test says so.
#include <boost/asio/io_context.hpp>

#include "daemon/aio/aio.hpp"

namespace conductor::test {

/// Replaces the source of BootClock; one at a time.
class VirtualTime {
public:
    VirtualTime() {
        current() = Instant{std::chrono::hours{1}};
        BootClock::set_source([]() noexcept { return current(); });
    }
    ~VirtualTime() { BootClock::set_source(nullptr); }
    static Instant& current() {
        static Instant now{};
        return now;
    }
};

/// Does all that can be done now.
inline void settle(asio::io_context& io) {
    while (io.poll() > 0) io.restart();
    io.restart();
}

/// Lets `time` pass, in one step: the timers that are due by then are found expired.
inline void pass(asio::io_context& io, BootClock::duration time) {
    VirtualTime::current() += time;
    aio::Timer kick{io.get_executor(), Instant{}};  // makes Asio look at the clock
    kick.async_wait([](boost::system::error_code) {});
    settle(io);
}

}  // namespace conductor::test
