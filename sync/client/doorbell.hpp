#pragma once
// Listens for the doorbell: a websocket to Realtime that performs what sync::RealtimeMachine says. What is heard has no content, and what
// is missed is found by the poll.
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sync/client/client.hpp"
#include "sync/plan/realtime.hpp"

namespace conductor::sync {

class Websocket;

struct DoorbellStatus {
    bool joined = false;     ///< every channel: what is written now is heard
    std::string last_error;  ///< why the last connection ended, or a channel was refused; empty once joined
    std::uint64_t connections = 0, rings = 0, malformed = 0, dropped = 0;  ///< tried, heard; frames not understood, frames too many
};

/// All calls run on the executor's one thread or strand.
class Doorbell {
public:
    /// `rung` is called when something may be fetched. The client outlives it.
    Doorbell(aio::Executor ex, Log log, Client& client, std::function<void()> rung, RealtimeTimes times = {});

    /// Connects, listens, and connects again after 0.1 s to 60 s; until stop().
    aio::awaitable<void> run();
    void stop();
    /// To these channels (without "realtime:"); to none: the connection is closed, and the poll alone remains.
    void listen(std::vector<std::string> topics);
    /// The key or the credentials changed: connects anew with them.
    void renew();
    const DoorbellStatus& status() const { return status_; }

private:
    aio::awaitable<Result<void>> hear();
    aio::awaitable<bool> keep_token(RealtimeMachine& machine, Websocket& socket, std::string& token, bool refused);
    bool perform(Websocket& socket, RealtimeMachine::Todo todo);
    void lost_for(const std::string& why);  ///< empty: it is heard
    bool listens() const { return !stopping_ && !renewed_ && !topics_.empty(); }

    aio::Executor ex_;
    Log log_;
    Client& client_;
    std::function<void()> rung_;
    RealtimeTimes times_;
    std::shared_ptr<aio::Event> wake_;  ///< shared with what a connection calls back
    std::vector<std::string> topics_;
    bool stopping_ = false, renewed_ = false;
    Instant joined_at_ = Instant::max();  ///< of this connection
    DoorbellStatus status_;
    std::mt19937_64 rng_{std::random_device{}()};
};

}  // namespace conductor::sync
