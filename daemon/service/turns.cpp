#include "daemon/service/turns.hpp"

#include <algorithm>
#include <utility>

namespace conductor::service {

struct Turns::State {
    State(aio::Executor ex, std::chrono::milliseconds p) : patience{p}, timer{std::move(ex)} {}

    const std::chrono::milliseconds patience;
    int taken = 0;
    std::deque<Waiter*> waiting;
    aio::Timer timer;
    bool watching = false;

    void admit();
    static void watch(const std::shared_ptr<State>& state);
};

/// In line as long as it lives and was not admitted.
struct Turns::Waiter {
    explicit Waiter(State& s) : state{s}, admitted{s.timer.get_executor()} { state.waiting.push_back(this); }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { std::erase(state.waiting, this); }

    State& state;
    aio::Event admitted;
};

Turns::Turns(aio::Executor ex, std::chrono::milliseconds patience) : state_{std::make_shared<State>(std::move(ex), patience)} {}

void Turns::Turn::end() {
    const auto state = std::exchange(state_, nullptr);
    if (!state) return;
    --state->taken;
    if (state->taken < at_once) state->admit();
}

aio::awaitable<Turns::Turn> Turns::take(std::shared_ptr<State> state) {
    if (state->taken >= at_once || !state->waiting.empty()) {
        Waiter waiter{*state};
        State::watch(state);
        if (!co_await waiter.admitted.wait()) ++state->taken;  // cancelled: its owner goes on to its end
    } else {
        ++state->taken;
    }
    co_return Turn{std::move(state)};
}

void Turns::State::admit() {
    if (waiting.empty()) return;
    ++taken;
    waiting.front()->admitted.raise();
    waiting.pop_front();
}

void Turns::State::watch(const std::shared_ptr<State>& state) {
    if (state->waiting.empty() || std::exchange(state->watching, true)) return;
    state->timer.expires_after(state->patience);
    state->timer.async_wait([weak = std::weak_ptr{state}](boost::system::error_code ec) {
        const auto still = weak.lock();
        if (!still) return;
        still->watching = false;
        if (ec) return;
        still->admit();
        watch(still);
    });
}

}  // namespace conductor::service
