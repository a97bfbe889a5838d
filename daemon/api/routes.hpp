#pragma once
// The table of routes: each is a function of a Request over a Backend.
#include <cstddef>
#include <string_view>

#include "daemon/api/http.hpp"

namespace conductor::api {

/// What a token of the TCP listener may do; the socket may do all. Each includes those before it.
enum class Scope { read, send, admin };
std::optional<Scope> parse_scope(std::string_view text);  ///< "read", "send", "admin"

using Handler = aio::awaitable<Response> (*)(Backend&, Request);
struct Route {
    std::string_view method;
    std::string_view pattern;  ///< "/v1/messages/{id}/cancel"
    Scope scope;
    Handler handler;
};

/// Answer of find_route: a route and the decoded {…} of its path, or the refusal 404 or 405.
struct Match {
    const Route* route = nullptr;
    std::vector<std::string> params;
    std::string allow;  ///< the methods that the path knows, of a 405
};
/// `route` is null for an unknown path (allow empty: 404) and for an unknown method of a known path (405).
Match find_route(std::string_view method, std::string_view path);

/// The refusal for a Match without a route.
Response no_route(const Match& match);

/// Finds the route of `request` and awaits it. A throw of the backend is a 500 and never leaves here.
aio::awaitable<Response> handle(Backend& backend, Request request);

/// The path whose body is read as rows while it comes.
inline constexpr std::string_view batch_path = "/v1/messages/batch";

}  // namespace conductor::api
