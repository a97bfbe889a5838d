#pragma once
// Virtual time: BootClock is replaced, and the clock moves from one timer to the next, so that a day passes in seconds. One at a time in a
// process, on one thread.
#include <boost/asio/io_context.hpp>
#include <memory>

#include "daemon/aio/aio.hpp"

namespace conductor::simulate {

/// Owns BootClock while it lives.
class VirtualTime {
public:
    explicit VirtualTime(Instant start = Instant{std::chrono::hours{1}});
    ~VirtualTime();
    VirtualTime(const VirtualTime&) = delete;
    VirtualTime& operator=(const VirtualTime&) = delete;
    Instant now() const;
    void move_to(Instant when);  ///< never back
};

/// The clock of the simulated box: the wall clock is virtual time plus an offset, and may be unsure.
class SimClock final : public Clock {
public:
    explicit SimClock(const VirtualTime& time, WallTime start) : time_{time}, offset_{start - floored()} {}
    Instant now() const override { return time_.now(); }
    std::optional<WallTime> wall() const override { return sure ? std::optional{truth()} : std::nullopt; }
    WallTime truth() const { return floored() + offset_; }
    void step(std::chrono::milliseconds by) { offset_ += by; }  ///< the box takes another time for true
    bool sure = true;

private:
    WallTime floored() const { return WallTime{std::chrono::floor<std::chrono::milliseconds>(time_.now().time_since_epoch())}; }
    const VirtualTime& time_;
    std::chrono::milliseconds offset_;
};

/// The io_context of one process. It can be thrown away with everything in it, as a SIGKILL does.
class Loop : public asio::io_context {
public:
    Loop();
    ~Loop();
    /// Runs one handler that is ready; false when none is.
    bool run_one_ready();
    /// When its earliest timer expires; never later than that, perhaps earlier.
    Instant next() const;
    /// Makes Asio look at the clock: what is due becomes ready.
    void look_at_clock();
    /// Destroys what waits or is ready, without running any of it. Timers may be destroyed after it.
    void abandon() { shutdown(); }

private:
    aio::Timer kick_;
};

/// An executor that runs what it gets on a Loop, in order, each after a delay of virtual time: the thread of a slow disk.
class SlowThread {
public:
    struct State {
        explicit State(Loop& l) : loop{l} {}
        Loop& loop;
        std::function<BootClock::duration()> delay;  ///< of the next piece of work; absent: none
        Instant busy_until{};
    };
    explicit SlowThread(State& state) : state_{&state} {}
    bool operator==(const SlowThread&) const noexcept = default;
    asio::execution_context& query(asio::execution::context_t) const noexcept { return state_->loop; }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept { return asio::execution::blocking.never; }
    SlowThread require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
    template <class F>
    void execute(F f) const {
        const auto least = state_->delay ? state_->delay() : BootClock::duration::zero();
        state_->busy_until = std::max(state_->busy_until, BootClock::now()) + least;
        if (state_->busy_until <= BootClock::now()) return asio::post(state_->loop, std::move(f));
        auto timer = std::make_shared<aio::Timer>(state_->loop.get_executor(), state_->busy_until);
        aio::Timer& waits = *timer;
        waits.async_wait([kept = std::move(timer), work = std::move(f)](boost::system::error_code ec) mutable {
            if (!ec) std::move(work)();
        });
    }

private:
    State* state_;
};

}  // namespace conductor::simulate
