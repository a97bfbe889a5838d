#pragma once
// HTTP through libcurl's multi_socket interface on Asio: no thread, no polling. Nothing of libcurl or OpenSSL exists before the first call.
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/aio/aio.hpp"

namespace conductor::sync {

struct HttpSettings {
    std::chrono::milliseconds connect_timeout{10'000};
    std::string ca_file;                       ///< empty = the system's
    std::size_t body_limit = 8 * 1024 * 1024;  ///< octets; a longer answer is an error
    std::chrono::seconds keep_connection{60};  ///< idle connections older than this are not used again
};

/// A connection that libcurl opened, through a proxy and with TLS where the URL wants them, for another protocol than its own. Octets
/// alone, and nothing blocks. All calls and the destructor run on the executor's one thread or strand.
class HttpConnection {
public:
    using Moved = std::pair<boost::system::error_code, std::size_t>;
    virtual ~HttpConnection() = default;
    /// Up to `most` octets. would_block: none yet, wait() for them; eof: none will come. What TLS holds back the descriptor does not tell
    /// of: wait only after would_block.
    virtual Moved receive(void* to, std::size_t most) = 0;
    /// As many as go; would_block: none yet.
    virtual Moved send(const void* from, std::size_t octets) = 0;
    /// Closed at once; both directions then say operation_aborted, and a wait ends with it.
    virtual void close() = 0;

    using Descriptor = asio::posix::basic_stream_descriptor<aio::Executor>;
    /// To wait on, and for nothing else.
    virtual Descriptor& descriptor() = 0;
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
    ~HttpClient();  ///< only when no perform() or connect() is pending
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Any HTTP status is a Response; an Error is transport alone (SyncErrc::transport, `where` is libcurl's reason).
    /// Cancellation ends the transfer; the server may still have done it. Where one had no answer in its time, no kept connection is used
    /// again: they lead through the same network, and may all be as dead.
    aio::awaitable<Result<Response>> perform(Request request);

    /// A connection to the host of `url` (http or https), with the settings of all others; it may outlive the client.
    aio::awaitable<Result<std::shared_ptr<HttpConnection>>> connect(std::string url);

private:
    class Multi;
    class Connection;
    void leave(const std::shared_ptr<Multi>& silent);

    aio::Executor strand_;
    HttpSettings settings_;
    std::shared_ptr<Multi> multi_;
};

}  // namespace conductor::sync
