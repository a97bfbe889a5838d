#pragma once
// HTTP/1.1 requests from octets. Boost.Beast parses; this header keeps it out of everybody else's translation unit.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/backend.hpp"

namespace conductor::api {

/// What is kept of a request's head.
struct Head {
    std::string method, target;
    std::string content_type, authorization, host, origin;
    std::optional<std::uint64_t> content_length;  ///< empty when chunked
    bool http_1_1 = true;
    bool keep_alive = true;
    bool expects_continue = false;  ///< "Expect: 100-continue"
    bool has_body = false;          ///< a length above 0, or chunked
};

/// Parser of one request. First put() until head() is there, then say where the body goes, then put() until done().
class RequestParser {
public:
    /// A head above `head_limit` octets is a 431, a body above `body_limit` a 413, whether its length is announced or not.
    RequestParser(std::uint32_t head_limit, std::uint64_t body_limit);
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;
    RequestParser& operator=(RequestParser&&) = delete;

    /// Takes octets and answers how many it used; the caller keeps the rest for its next call. The head is taken only when whole.
    std::size_t put(std::string_view octets);
    /// The head, once it is whole; from then on its body is read.
    const Head* head() const;
    void body_to(std::function<void(std::string_view)> sink);
    bool done() const;
    const std::optional<Refusal>& problem() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace conductor::api
