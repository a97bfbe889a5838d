#pragma once
// HTTP through libcurl's multi_socket interface on Asio: no thread, no polling. Nothing of libcurl or OpenSSL exists before the first call.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"

namespace conductor::sync {

struct HttpSettings {
    std::chrono::milliseconds connect_timeout{10'000};
    std::string ca_file;                       ///< empty = the system's
    std::size_t body_limit = 8 * 1024 * 1024;  ///< octets; a longer answer is an error
    std::chrono::seconds keep_connection{60};  ///< idle connections older than this are not used again
};

/// All calls and the destructor run on the executor's one thread or strand.
class HttpClient {
public:
    struct Request {
        std::string method, url, body;
        std::vector<std::string> headers;
        std::chrono::milliseconds timeout{30'000};
    };
    struct Response {
        long status = 0;
        std::string body;
        std::optional<std::chrono::seconds> retry_after;
    };
    explicit HttpClient(aio::Executor strand, HttpSettings settings = {});
    ~HttpClient();  ///< only when no perform() is pending
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Any HTTP status is a Response; an Error is transport alone (SyncErrc::transport, `where` is libcurl's reason).
    /// Cancellation ends the transfer; the server may still have done it.
    aio::awaitable<Result<Response>> perform(Request request);

private:
    class Multi;
    aio::Executor strand_;
    HttpSettings settings_;
    std::unique_ptr<Multi> multi_;
};

}  // namespace conductor::sync
