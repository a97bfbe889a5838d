#pragma once
// Bodies and query parameters to checked values: every refusal names its field.
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/api/http.hpp"

namespace conductor::api {

/// One JSON document; 400 `bad-json` with the octet's place, also when it is nested deeper than 16.
Answer<nlohmann::json> parse_json(std::string_view text);

/// Reads the members of one object. The first problem is kept and the readers answer nothing from then on: check problem() at the end.
/// `null` counts as absent.
class Fields {
public:
    /// A member that is not in `known` is a 422 `unknown-field`, with "did you mean" where one is near.
    Fields(const nlohmann::json& object, std::span<const std::string_view> known);

    std::optional<std::string> text(std::string_view name, std::size_t most_octets);
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t low, std::int64_t high);
    std::optional<double> number(std::string_view name, double low, double high);
    std::optional<bool> boolean(std::string_view name);
    std::optional<WallTime> time(std::string_view name);
    /// "90s", "5m", "24h", "7d" or a number of seconds.
    std::optional<std::chrono::milliseconds> duration(std::string_view name, std::chrono::milliseconds low, std::chrono::milliseconds high);
    /// A word of a closed list: `parse` answers empty for any other.
    template <class T>
    std::optional<T> word(std::string_view name, std::optional<T> (*parse)(std::string_view), std::string_view allowed) {
        const auto written = text(name, 64);
        if (!written) return std::nullopt;
        const std::optional<T> value = parse(*written);
        if (!value) refuse("bad-value", name, "must be one of " + std::string{allowed});
        return value;
    }
    void require(std::string_view name);
    /// Keeps the first refusal alone: 422, the message is "NAME MESSAGE".
    void refuse(std::string_view code, std::string_view name, std::string_view message);
    const std::optional<Refusal>& problem() const { return problem_; }

private:
    const nlohmann::json* find(std::string_view name) const;
    const nlohmann::json& object_;
    std::optional<Refusal> problem_;
};

/// The body of POST /v1/messages, or one row of a batch.
Answer<NewMessage> parse_new_message(const nlohmann::json& body);
/// ?status=&direction=&to=&after=&limit=
Answer<ListQuery> parse_list_query(const Request& request);
/// {limit, owner, lease}
Answer<ClaimRequest> parse_claim(const nlohmann::json& body);

/// A decimal number of the whole text in low..high.
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t low, std::int64_t high);

}  // namespace conductor::api
