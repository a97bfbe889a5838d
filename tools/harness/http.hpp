#pragma once
// A blocking HTTP/1.1 client, one connection a request. For tests and the benchmark.
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace conductor::harness {

struct HttpAnswer {
    int status = 0;  ///< 0: no answer (refused, cut off, timed out)
    std::string body;
    /// The body as JSON; `discarded` when it is none.
    nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
};

/// `where` is the path of a Unix socket, or "http://127.0.0.1:PORT". Never throws for a server that is away: status 0 says so.
HttpAnswer http(const std::string& where, std::string_view method, std::string_view target, std::string_view body = {},
                std::string_view content_type = "application/json", std::chrono::milliseconds timeout = std::chrono::milliseconds{20'000});

/// Sends one line to a Unix socket and reads one line back; empty when there was none.
std::string ask_line(const std::string& socket, std::string_view line,
                     std::chrono::milliseconds timeout = std::chrono::milliseconds{20'000});

}  // namespace conductor::harness
