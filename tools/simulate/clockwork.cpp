#include "tools/simulate/clockwork.hpp"

namespace conductor::simulate {
namespace {

struct Shown {
    Instant now{};
    Instant next = Instant::max();  ///< the earliest timer, as Asio told it
    bool kicking = false;           ///< our own timer is none of the daemon's
};
Shown& shown() {
    static Shown s;
    return s;
}

void heard(BootClock::duration wait) noexcept {
    Shown& s = shown();
    if (s.kicking) return;
    s.next = std::min(s.next, wait >= Instant::max() - s.now ? Instant::max() : s.now + wait);
}

}  // namespace

VirtualTime::VirtualTime(Instant start) {
    shown() = {.now = start};
    BootClock::set_source([]() noexcept { return shown().now; });
    aio::wait_observer = heard;
}

VirtualTime::~VirtualTime() {
    aio::wait_observer = nullptr;
    BootClock::set_source(nullptr);
}

Instant VirtualTime::now() const {
    return shown().now;
}

void VirtualTime::move_to(Instant when) {
    shown().now = std::max(shown().now, when);
}

Loop::Loop() : asio::io_context{1}, kick_{get_executor()} {
    shown().next = Instant::max();
}

Loop::~Loop() {
    abandon();
}

bool Loop::run_one_ready() {
    if (stopped()) restart();
    return poll_one() > 0;
}

Instant Loop::next() const {
    return shown().next;
}

// A timer of the past is the first of all, so Asio asks the kernel to be woken at once; then it takes what is due, and works out how long
// it is until the first that is left. A timer that is added later is heard of when it becomes the first, so none is ever overlooked.
void Loop::look_at_clock() {
    Shown& s = shown();
    s.kicking = true;
    kick_.expires_at(Instant{});
    kick_.async_wait([](boost::system::error_code) {});
    s.kicking = false;
    s.next = Instant::max();
}

}  // namespace conductor::simulate
