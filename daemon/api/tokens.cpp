#include "daemon/api/tokens.hpp"

#include <algorithm>

#include "daemon/api/listen.hpp"

namespace conductor::api {
namespace {

bool same(const Sha256& a, const Sha256& b) {
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
    return difference == 0;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// "name:port" or "[v6]:port" without its port.
std::string_view without_port(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    if (colon == std::string_view::npos || host.ends_with(']')) return host;
    return host.substr(0, colon);
}

}  // namespace

Result<Tokens> Tokens::parse(std::string_view text) {
    Tokens tokens;
    for (int number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        const std::string_view line = trimmed(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (line.empty() || line.front() == '#') continue;
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) return Error{ApiErrc::tokens, "line " + std::to_string(number)};
        const auto scope = parse_scope(line.substr(first + 1, second - first - 1));
        const std::string_view token = line.substr(second + 1);
        if (first == 0 || !scope || token.size() < 16) return Error{ApiErrc::tokens, "line " + std::to_string(number)};
        tokens.entries_.push_back(Entry{Holder{std::string{line.substr(0, first)}, *scope}, sha256(token)});
    }
    return tokens;
}

std::optional<Tokens::Holder> Tokens::find(std::string_view authorization) const {
    constexpr std::size_t scheme = 7;
    if (lower(authorization.substr(0, scheme)) != "bearer ") return std::nullopt;
    const auto wanted = sha256(trimmed(authorization.substr(scheme)));
    const Entry* found = nullptr;
    for (const Entry& entry : entries_)
        if (same(entry.digest, wanted)) found = &entry;
    return found ? std::optional{found->holder} : std::nullopt;
}

bool host_allowed(std::string_view host, std::string_view listen) {
    const std::string name = lower(without_port(host));
    return name == "localhost" || name == "127.0.0.1" || name == "[::1]" || name == lower(without_port(listen));
}

bool origin_allowed(std::string_view origin, std::string_view host) {
    if (origin.empty()) return true;
    const std::string written = lower(origin), wanted = lower(host);
    return written == "http://" + wanted || written == "https://" + wanted;
}

bool json_content_type(std::string_view content_type) {
    const std::string type = lower(trimmed(content_type.substr(0, content_type.find(';'))));
    return type == "application/json" || type == "application/x-ndjson";
}

}  // namespace conductor::api
