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
    unsigned watch = 0;  ///< the one that counts; an older one may be on its way still

    void admit();
    void rest();
    static void admit_after(const std::shared_ptr<State>& state, std::chrono::milliseconds time);
};

/// In line as long as it lives and was not admitted.
struct Turns::Waiter {
    explicit Waiter(State& s)
        : state{s}, admitted{s.timer.get_executor()}, behind_at{BootClock::now() + distance}, shares_at{BootClock::now() + longest} {
        state.waiting.push_back(this);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { std::erase(state.waiting, this); }

    State& state;
    aio::Event admitted;
    Instant behind_at;  ///< from then on it comes right behind a turn
    Instant shares_at;  ///< from then on it shares one with others
};

Turns::Turns(aio::Executor ex, std::chrono::milliseconds patience) : state_{std::make_shared<State>(std::move(ex), patience)} {}

void Turns::Turn::end() {
    const auto state = std::exchange(state_, nullptr);
    if (!state) return;
    --state->taken;
    if (state->waiting.empty()) return;
    const Instant now = BootClock::now();
    const Waiter& first = *state->waiting.front();
    const int room = now >= first.shares_at ? at_once : now >= first.behind_at ? 1 : 0;
    if (state->taken >= room) {
        if (state->taken == 0) State::admit_after(state, distance);
        return;
    }
    while (!state->waiting.empty() && state->taken < room) state->admit();
    state->waiting.empty() ? state->rest() : State::admit_after(state, state->patience);
}

aio::awaitable<Turns::Turn> Turns::take(std::shared_ptr<State> state) {
    if (state->taken > 0 || !state->waiting.empty()) {
        Waiter waiter{*state};
        if (!state->watching) State::admit_after(state, state->patience);
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

/// Nobody is in line.
void Turns::State::rest() {
    ++watch;
    watching = false;
    timer.cancel();
}

void Turns::State::admit_after(const std::shared_ptr<State>& state, std::chrono::milliseconds time) {
    state->watching = true;
    state->timer.expires_after(time);
    state->timer.async_wait([weak = std::weak_ptr{state}, watch = ++state->watch](boost::system::error_code ec) {
        const auto still = weak.lock();
        if (ec || !still || still->watch != watch) return;
        still->watching = false;
        if (still->waiting.empty()) return;
        still->admit();
        if (!still->waiting.empty()) admit_after(still, still->patience);
    });
}

}  // namespace conductor::service
