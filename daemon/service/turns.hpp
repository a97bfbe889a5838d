#pragma once
// Modems that got their answers in the same moment take turns at the queue. Without turns all of them would go through each step together
// and leave together, each as late as the last one, and so meet again at the next message: 64 modems march in step on one core. With turns
// the first goes on at once, the next one a little after it is through, they part, and then none waits for another. Where so many come that
// they cannot part, some share a turn, and so a commit.
#include <deque>
#include <memory>

#include "daemon/aio/aio.hpp"

namespace conductor::service {

class Turns {
    struct State;

public:
    static constexpr int at_once = 4;  ///< may share a commit, where one has waited for `longest`
    static constexpr std::chrono::milliseconds longest{5};
    /// Who has waited for less begins so long after the turn before it ended: closer together they would meet again.
    static constexpr std::chrono::milliseconds distance{2};

    /// `patience`: after that one that waits for a slow disk lets the next one in.
    explicit Turns(aio::Executor ex, std::chrono::milliseconds patience = std::chrono::milliseconds{1});

    /// Ends with its owner, which may outlive Turns.
    class Turn {
    public:
        explicit Turn(std::shared_ptr<State> state) : state_{std::move(state)} {}
        Turn(Turn&&) = default;
        Turn& operator=(Turn&&) = delete;
        ~Turn() { end(); }
        /// The next one's turn; before its owner waits for something else.
        void end();

    private:
        std::shared_ptr<State> state_;
    };
    /// First come, first served. The first in line waits no longer than `patience` while others have their turn, and `distance` behind
    /// them.
    aio::awaitable<Turn> take() { return take(state_); }

private:
    struct Waiter;
    static aio::awaitable<Turn> take(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;
};

}  // namespace conductor::service
