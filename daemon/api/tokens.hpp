#pragma once
// Bearer tokens of the TCP listener, and the checks that keep a browser's pages from using them.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/routes.hpp"
#include "daemon/core/sha256.hpp"

namespace conductor::api {

/// Kept as SHA-256, so that a comparison takes the same time for every token.
class Tokens {
public:
    /// Lines of name:scope:token; blank lines and lines that begin with '#' are skipped. A token has at least 16 characters.
    /// An error names the line, never its text.
    static Result<Tokens> parse(std::string_view text);

    struct Holder {
        std::string name;
        Scope scope = Scope::read;
    };
    /// Who holds the token of an Authorization header ("Bearer …"); empty when nobody does.
    std::optional<Holder> find(std::string_view authorization) const;
    bool empty() const { return entries_.empty(); }

private:
    struct Entry {
        Holder holder;
        Sha256 digest{};
    };
    std::vector<Entry> entries_;
};

/// Host of a request to a loopback listener must be a loopback name (a page that points its DNS name at 127.0.0.1 is refused), and Origin,
/// where a browser sends it, must be http(s)://HOST.
bool host_allowed(std::string_view host, std::string_view listen);
bool origin_allowed(std::string_view origin, std::string_view host);
/// application/json or application/x-ndjson, parameters aside.
bool json_content_type(std::string_view content_type);

}  // namespace conductor::api
