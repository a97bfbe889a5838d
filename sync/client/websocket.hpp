#pragma once
// The client's side of a websocket (RFC 6455) over a connection of HttpClient, frames in queues. Boost.Beast is in websocket.cpp alone.
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "sync/client/http.hpp"

namespace conductor::sync {

/// All calls run on the executor's one thread or strand. What is under way keeps it alive until close().
class Websocket {
public:
    struct Limits {
        std::chrono::milliseconds handshake{10'000};
        std::size_t frame = 64 * 1024;  ///< octets of a message; a longer one ends the connection
        std::size_t unread = 256;       ///< messages; what comes while so many wait is dropped and counted
        std::size_t unsent = 256;       ///< messages; one more ends the connection
    };
    struct Frame {
        bool binary = false;
        std::string octets;
    };
    virtual ~Websocket() = default;

    /// `url`: http or https, host and port; `target`: path and query. `news` is called when there are frames, and at the end. A refusal
    /// names its HTTP status.
    static aio::awaitable<Result<std::shared_ptr<Websocket>>> open(HttpClient& http, aio::Executor ex, std::string url, std::string target,
                                                                   std::function<void()> news, Limits limits);
    /// Text; goes out in this order.
    virtual void send(std::string text) = 0;
    /// At once, without a word to the peer. There are no news after it.
    virtual void close() = 0;

    std::deque<Frame> frames;
    std::uint64_t dropped = 0;  ///< messages
    std::string ended;          ///< why nothing more comes; empty: it is open
};

}  // namespace conductor::sync
