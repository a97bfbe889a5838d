#include "daemon/service/turns.hpp"

#include <algorithm>
#include <utility>

namespace conductor::service {

struct Turns::State {
    State(aio::Executor ex, std::chrono::milliseconds p) : patience{p}, timer{std::move(ex)} {}

    const std::chrono::milliseconds patience;
    int taken = 0;
    std::deque<Waiter*> waiting;
    aio::Timer timer;  ///< when the next one in line is let in, whoever has a turn then
    bool watching = false;

    void admit();
    static void watch(const std::shared_ptr<State>& state, std::chrono::nanoseconds after);
};

/// In line as long as it lives and was not admitted.
struct Turns::Waiter {
    explicit Waiter(State& s) : state{s}, admitted{s.timer.get_executor()}, since{BootClock::now()} { state.waiting.push_back(this); }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { std::erase(state.waiting, this); }

    State& state;
    aio::Event admitted;
    Instant since;
};

Turns::Turns(aio::Executor ex, std::chrono::milliseconds patience) : state_{std::make_shared<State>(std::move(ex), patience)} {}

void Turns::Turn::end() {
    const auto state = std::exchange(state_, nullptr);
    if (!state) return;
    --state->taken;
    if (state->waiting.empty()) return;
    const auto waited = BootClock::now() - state->waiting.front()->since;
    const int room = waited >= longest ? at_once : waited >= distance ? 1 : 0;
    while (!state->waiting.empty() && state->taken < room) state->admit();
    if (state->taken == 0) State::watch(state, distance);
}

aio::awaitable<Turns::Turn> Turns::take(std::shared_ptr<State> state) {
    if (state->taken > 0 || !state->waiting.empty()) {
        Waiter waiter{*state};
        if (!state->watching) State::watch(state, state->patience);
        if (!co_await waiter.admitted.wait()) ++state->taken;  // cancelled: its owner goes on to its end
    } else {
        ++state->taken;
    }
    co_return Turn{std::move(state)};
}

void Turns::State::admit() {
    ++taken;
    waiting.front()->admitted.raise();
    waiting.pop_front();
}

void Turns::State::watch(const std::shared_ptr<State>& state, std::chrono::nanoseconds after) {
    state->watching = true;
    state->timer.expires_after(after);  // ends a wait before it
    state->timer.async_wait([weak = std::weak_ptr{state}](boost::system::error_code ec) {
        const auto still = weak.lock();
        if (ec || !still) return;
        still->watching = false;
        if (still->waiting.empty()) return;
        still->admit();
        if (!still->waiting.empty()) watch(still, still->patience);
    });
}

}  // namespace conductor::service
