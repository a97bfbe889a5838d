#pragma once
// The doorbell's side of Realtime (SUPABASE.md 5): Phoenix channels, protocol 2.0.0. Pure: frames in, frames out, clock. It carries no
// data; what it hears is that something may be fetched, and it may miss that: every join is a reason to fetch as well.
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"

namespace conductor::sync {

/// What a join was refused for, by the words of its reason: names differ between versions.
enum class JoinRefusal : std::uint8_t {
    token,      ///< expired or not accepted: a fresh one may be
    busy,       ///< rate limits, restarts: at least 30 s
    permanent,  ///< not allowed, switched off: asked again every few minutes, for that may change
};
JoinRefusal judge_join(std::string_view reason);

struct RealtimeTimes {
    std::chrono::milliseconds heartbeat{25'000};  ///< no answer within one period: the connection is dead
    std::chrono::milliseconds join{10'000};       ///< no answer: joined again
    std::chrono::milliseconds again{5'000};       ///< after a join, a second fetch: what was written while it was under way
    std::chrono::milliseconds busy{30'000}, permanent{300'000};
};

class RealtimeMachine {
public:
    explicit RealtimeMachine(std::uint64_t seed, RealtimeTimes times = {}) : times_{times}, rng_{seed} {}

    /// What is to be done after each call, in this order.
    struct Todo {
        std::vector<std::string> frames;  ///< text frames to send
        bool ring = false;                ///< fetch now
        bool fresh_token = false;         ///< the token is not accepted: get another one and say so with token()
        bool dead = false;                ///< close the websocket and connect again
    };

    /// The websocket is open. `topics` without "realtime:". Joins them all.
    Todo connected(Instant now, std::vector<std::string> topics, std::string token);
    Todo text(Instant now, std::string_view frame);
    Todo binary(Instant now, std::string_view frame);
    /// At next_tick() or later.
    Todo tick(Instant now);
    /// A refreshed token: every channel is told, and what waits for one joins.
    Todo token(Instant now, std::string token);

    Instant next_tick() const;
    bool joined() const;                                     ///< every channel
    const std::string& refusal() const { return refusal_; }  ///< why a channel was refused or ended last; empty once all are joined
    std::uint64_t rings() const { return rings_; }
    std::uint64_t malformed() const { return malformed_; }  ///< frames that were none of the protocol

private:
    enum class State : std::uint8_t { joining, joined, waiting, waiting_for_token };
    struct Channel {
        std::string topic;  ///< with "realtime:"
        State state = State::joining;
        std::string join_ref;
        Instant until{};  ///< joining: the answer's deadline; waiting: when it joins again; joined: it has stayed for a heartbeat
        int failures = 0, ended_soon = 0;  ///< since it stayed last: tries in all, and joins that ended
    };

    std::string next_ref() { return std::to_string(++ref_); }
    Channel* find(std::string_view topic);
    void join(Channel& channel, Instant now, Todo& todo);
    void rejoin_later(Channel& channel, Instant now, std::chrono::milliseconds least = {});
    void replied(Channel& channel, Instant now, bool ok, std::string_view reason, Todo& todo);
    void event(Channel& channel, Instant now, std::string_view event, bool error, std::string_view message, Todo& todo);

    RealtimeTimes times_;
    std::mt19937_64 rng_;
    std::string token_, refusal_;
    std::vector<Channel> channels_;
    std::uint64_t ref_ = 0, rings_ = 0, malformed_ = 0;
    std::string heartbeat_ref_;  ///< of the one that is not answered yet
    Instant next_heartbeat_{}, ring_again_ = Instant::max();
};

}  // namespace conductor::sync
