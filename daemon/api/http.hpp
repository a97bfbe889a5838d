#pragma once
// Requests and responses as values. No socket and no Beast here: routes and their tests see only this.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/api/backend.hpp"
#include "daemon/api/batch.hpp"

namespace conductor::api {

struct Request {
    std::string method;                                      ///< upper case; HEAD arrives as GET
    std::string path;                                        ///< without the query, still percent-encoded
    std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order
    std::string content_type;                                ///< as sent
    std::string body;                                        ///< empty for a batch: its rows were read as they came
    Actor actor;
    std::vector<std::string> params;                     ///< the {…} of the route's path, decoded
    std::unique_ptr<BatchReader> batch;                  ///< present for POST /v1/messages/batch
    std::string_view find(std::string_view name) const;  ///< value of a query parameter; empty when absent
};

struct Response {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
};

/// Percent-decodes; '+' stays '+', since it begins phone numbers. Empty when an escape is cut or no hex, or decodes to NUL.
std::optional<std::string> percent_decode(std::string_view text);

/// Splits "path?name=value&…" into `request.path` and `request.query`; false when an escape is bad.
bool parse_target(std::string_view target, Request& request);

/// {"error": {"code", "message", "field", "id"?}} with the refusal's status.
Response error_response(const Refusal& refusal);
/// The `error` object alone, as text.
std::string error_text(const Refusal& refusal);

/// A JSON string literal with its quotes; octets that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Standard phrase of a status code; empty for one we never send.
std::string_view reason_phrase(int status);

}  // namespace conductor::api
