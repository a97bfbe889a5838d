#include "daemon/aio/aio.hpp"

#include <time.h>

#include <atomic>

namespace conductor {

namespace {
std::atomic<BootClock::time_point (*)() noexcept> source{nullptr};
}

BootClock::time_point BootClock::now() noexcept {
    if (const auto replaced = source.load(std::memory_order_relaxed)) return replaced();
    timespec ts{};
    ::clock_gettime(CLOCK_BOOTTIME, &ts);
    return time_point{std::chrono::seconds{ts.tv_sec} + std::chrono::nanoseconds{ts.tv_nsec}};
}

void BootClock::set_source(time_point (*replacement)() noexcept) noexcept {
    source.store(replacement, std::memory_order_relaxed);
}

namespace aio {

awaitable<bool> sleep_until(Instant when) {
    Timer timer{co_await asio::this_coro::executor, when};
    const auto [ec] = co_await timer.async_wait(as_value);
    co_return !ec;
}

awaitable<bool> sleep_for(BootClock::duration d) {
    return sleep_until(BootClock::now() + d);
}

void Event::raise() {
    raised_ = true;
    timer_.cancel();
}

awaitable<bool> Event::wait_until(Instant until) {
    if (!raised_) {
        timer_.expires_at(until);
        co_await timer_.async_wait(as_value);
    }
    co_return std::exchange(raised_, false);
}

namespace {

awaitable<void> restart_for_ever(Log log, std::string name, std::function<awaitable<void>()> task) {
    std::chrono::seconds pause{1};
    for (;;) {
        const Instant started = BootClock::now();
        std::string why = "returned";
        try {
            co_await task();
        } catch (const boost::system::system_error& e) {
            if (e.code() == asio::error::operation_aborted) co_return;
            why = e.what();
        } catch (const std::exception& e) {
            why = e.what();
        }
        const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;  // named: g++ 12 miscompiles it inside the if
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        log.error("task-ended", {{"task", name}, {"why", why}, {"restart_in_s", pause.count()}});
        if (BootClock::now() - started > std::chrono::minutes{1}) pause = std::chrono::seconds{1};
        if (!co_await sleep_for(pause)) co_return;
        pause = std::min(pause * 2, std::chrono::seconds{60});
    }
}

}  // namespace

void supervise(Executor ex, Log log, std::string name, std::function<awaitable<void>()> task) {
    asio::co_spawn(ex, restart_for_ever(std::move(log), std::move(name), std::move(task)), asio::detached);
}

}  // namespace aio
}  // namespace conductor
