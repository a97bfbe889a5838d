#pragma once
// The daemon's HTTP API over its Unix socket: blocking, for a command line.
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace conductor::ctl {

class Client {
public:
    struct Reply {
        int status = 0;  ///< HTTP; 0: no answer, `problem` says why
        std::string body;
        std::string problem;
    };
    explicit Client(std::string socket);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// The connection is kept for the next call. `limit` is for the whole call.
    Reply call(std::string_view method, const std::string& path, std::string_view body = {},
               std::string_view content_type = "application/json", std::chrono::seconds limit = std::chrono::seconds{60});

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Percent-encodes one segment or value (RFC 3986 unreserved characters stay).
std::string percent_encode(std::string_view text);

}  // namespace conductor::ctl
