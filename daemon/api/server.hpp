#pragma once
// The HTTP listener. All of it lives on one executor (a strand, or a context of one thread).
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/aio/aio.hpp"
#include "daemon/api/tokens.hpp"

namespace conductor::api {

struct ServerOptions {
    std::string socket;               ///< path of the Unix socket; empty: none
    std::string group = "conductor";  ///< group of the socket file, where it exists
    std::string listen;               ///< "127.0.0.1:8026"; empty: no TCP
    bool tls = false;                 ///< a certificate is configured
    Tokens tokens;                    ///< required with `listen`
    std::size_t most_connections = 64;
    std::size_t most_rows = 10'000;                ///< of a batch
    std::uint64_t body_limit = 1024 * 1024;        ///< octets
    std::uint64_t batch_limit = 16 * 1024 * 1024;  ///< octets
    std::chrono::milliseconds header_timeout{10'000}, body_timeout{30'000}, write_timeout{30'000}, idle_timeout{60'000};
    std::chrono::milliseconds tick{1'000};  ///< how exactly the timeouts are kept; nothing ticks while nobody is connected
};

/// What the listener did and refused, for /metrics.
struct ServerCounters {
    std::uint64_t connections = 0, requests = 0;
    std::uint64_t refused_connections = 0, timed_out = 0, too_large = 0, unauthorized = 0, bad_requests = 0;
    std::size_t open = 0;
};

class Server {
public:
    Server(aio::Executor ex, Log log, Backend& backend, ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Opens the sockets: an error here is for the person who starts the daemon.
    Result<void> listen();
    /// Accepts and serves until stop() or cancellation, then until the last request under way is answered. Call listen() first.
    aio::awaitable<void> run();
    /// Closes the listeners and every connection that waits for its next request. Call on the executor.
    void stop();
    /// New tokens (SIGHUP): requests from now on need one of these.
    void set_tokens(Tokens tokens);
    ServerCounters counters() const;
    /// The TCP port in use (for `listen` with port 0); 0 when there is none.
    std::uint16_t tcp_port() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace conductor::api
