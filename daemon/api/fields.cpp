#include "daemon/api/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "daemon/config/config.hpp"

namespace conductor::api {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr int deepest = 16;

/// Nesting of arrays and objects, strings left out; cheap, before a tree is built from hostile input.
bool too_deep(std::string_view text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') ++i;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

/// Levenshtein distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
        }
    }
    return row.back();
}

std::string unknown_field(std::string_view name, std::span<const std::string_view> known) {
    const auto near = std::ranges::min_element(known, {}, [&](std::string_view k) { return distance(name, k); });
    if (near != known.end() && name.size() < 64 && distance(name, *near) <= 2)
        return fmt::format("is not known; did you mean \"{}\"?", *near);
    return fmt::format("is not known; known are: {}", fmt::join(known, ", "));
}

constexpr std::string_view message_fields[] = {"to",     "text",         "key",        "class",    "in_reply_to",   "consent",
                                               "due_at", "expire_after", "on_unknown", "priority", "modem_index",   "report",
                                               "flash",  "state",        "time_zone",  "set",      "campaign_name", "customer"};
constexpr std::string_view customer_fields[] = {"last_visit", "cycle_days", "value_percentile", "visits", "campaign_priority"};
constexpr std::string_view claim_fields[] = {"limit", "owner", "lease"};
constexpr std::int64_t largest_id = std::numeric_limits<std::int64_t>::max();

/// A key is told to other systems and shown in tables: 1-200 octets, no control characters.
void check_key(Fields& fields, const std::optional<std::string>& key) {
    if (!key) return;
    if (key->empty()) fields.refuse("bad-value", "key", "must not be empty; leave it out to get one made");
    if (std::ranges::any_of(*key, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }))
        fields.refuse("bad-value", "key", "must not hold control characters");
}

}  // namespace

Answer<json> parse_json(std::string_view text) {
    if (text.empty()) return Refusal{400, "bad-json", "the body is empty; a JSON object is expected"};
    if (too_deep(text)) return Refusal{400, "bad-json", fmt::format("nested deeper than {}", deepest)};
    try {
        return json::parse(text);
    } catch (const json::parse_error& e) {
        return Refusal{400, "bad-json", fmt::format("not valid JSON at octet {}", e.byte)};
    }
}

std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t low, std::int64_t high) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size() || value < low || value > high) return std::nullopt;
    return value;
}

Fields::Fields(const json& object, std::span<const std::string_view> known) : object_{object} {
    if (!object.is_object()) problem_ = Refusal{400, "bad-json", "a JSON object is expected"};
    for (auto member = object.begin(); object.is_object() && member != object.end(); ++member)
        if (std::ranges::find(known, member.key()) == known.end())
            refuse("unknown-field", member.key(), unknown_field(member.key(), known));
}

void Fields::refuse(std::string_view code, std::string_view name, std::string_view message) {
    if (!problem_) problem_ = Refusal{422, std::string{code}, fmt::format("{} {}", name, message), std::string{name}};
}

const json* Fields::find(std::string_view name) const {
    if (problem_) return nullptr;
    const auto at = object_.find(name);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
}

void Fields::require(std::string_view name) {
    if (!problem_ && !find(name)) refuse("missing-field", name, "is required");
}

std::optional<std::string> Fields::text(std::string_view name, std::size_t most_octets) {
    const json* value = find(name);
    if (!value) return std::nullopt;
    const auto* string = value->get_ptr<const std::string*>();
    if (!string) return refuse("wrong-type", name, "must be a string"), std::nullopt;
    if (string->size() > most_octets) return refuse("too-long", name, fmt::format("is longer than {} octets", most_octets)), std::nullopt;
    if (string->find('\0') != std::string::npos) return refuse("bad-value", name, "must not hold U+0000"), std::nullopt;
    return *string;
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t low, std::int64_t high) {
    const json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_number_integer()) return refuse("wrong-type", name, "must be a whole number"), std::nullopt;
    const bool huge = value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(largest_id);
    const std::int64_t number = huge ? 0 : value->get<std::int64_t>();
    if (huge || number < low || number > high)
        return refuse("out-of-range", name, fmt::format("must be {} to {}", low, high)), std::nullopt;
    return number;
}

std::optional<double> Fields::number(std::string_view name, double low, double high) {
    const json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_number()) return refuse("wrong-type", name, "must be a number"), std::nullopt;
    const double number = value->get<double>();
    if (!(number >= low && number <= high)) return refuse("out-of-range", name, fmt::format("must be {} to {}", low, high)), std::nullopt;
    return number;
}

std::optional<bool> Fields::boolean(std::string_view name) {
    const json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) return refuse("wrong-type", name, "must be true or false"), std::nullopt;
    return value->get<bool>();
}

std::optional<WallTime> Fields::time(std::string_view name) {
    const auto written = text(name, 64);
    if (!written) return std::nullopt;
    const auto when = parse_rfc3339(*written);
    if (!when) refuse("bad-time", name, "must be a time with its offset, as 2026-11-21T18:00:00Z or 2026-11-21T10:00:00-08:00 (RFC 3339)");
    return when;
}

std::optional<std::chrono::milliseconds> Fields::duration(std::string_view name, std::chrono::milliseconds low,
                                                          std::chrono::milliseconds high) {
    const json* value = find(name);
    if (!value) return std::nullopt;
    std::optional<std::chrono::milliseconds> length;
    if (value->is_number()) {
        const double seconds = value->get<double>();
        if (seconds >= 0 && seconds < 1e9) length = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
    } else if (const auto* string = value->get_ptr<const std::string*>()) {
        length = config::parse_duration(*string);
    } else {
        return refuse("wrong-type", name, "must be a duration, as \"24h\", or a number of seconds"), std::nullopt;
    }
    if (!length) return refuse("bad-value", name, "must be a duration, as \"90s\", \"5m\", \"24h\", \"7d\""), std::nullopt;
    if (*length < low || *length > high) {
        refuse("out-of-range", name, fmt::format("must be {} s to {} s", low / 1s, high / 1s));
        return std::nullopt;
    }
    return length;
}

namespace {

/// What the caller knows of the recipient; nothing of it is required.
Answer<Customer> parse_customer(const json& body) {
    Fields fields{body, customer_fields};
    Customer c;
    c.last_visit = fields.time("last_visit");
    c.cycle_days = fields.number("cycle_days", 0, 36'500);
    c.value_percentile = fields.number("value_percentile", 0, 1);
    if (const auto visits = fields.integer("visits", 0, 1'000'000)) c.visits = static_cast<int>(*visits);
    c.campaign = fields.number("campaign_priority", 0, 100);
    if (fields.problem()) return *fields.problem();
    return c;
}

}  // namespace

Answer<NewMessage> parse_new_message(const json& body) {
    Fields fields{body, message_fields};
    fields.require("to");
    fields.require("text");
    NewMessage m;
    m.to = fields.text("to", 64).value_or("");
    m.text = fields.text("text", 64 * 1024).value_or("");
    m.key = fields.text("key", 200);
    check_key(fields, m.key);
    m.message_class = fields.word("class", parse_message_class, "marketing, transactional, reply");
    if (const auto id = fields.integer("in_reply_to", 1, largest_id)) m.in_reply_to = MessageId{*id};
    m.consent = fields.boolean("consent").value_or(false);
    m.due_at = fields.time("due_at");
    m.expire_after = fields.duration("expire_after", 1s, std::chrono::days{441});  // 63 weeks, the longest TP-VP
    m.on_unknown = fields.word("on_unknown", parse_on_unknown, "hold, resend");
    m.priority = fields.number("priority", 0, 100);
    if (const auto index = fields.integer("modem_index", 0, 9999)) m.modem_index = static_cast<ModemIndex>(*index);
    m.report = fields.boolean("report");
    m.flash = fields.boolean("flash").value_or(false);
    m.state = fields.text("state", 2);
    m.time_zone = fields.text("time_zone", 64);
    m.set = fields.text("set", 200);
    m.campaign_name = fields.text("campaign_name", 200);
    if (const auto customer = body.is_object() ? body.find("customer") : body.end(); customer != body.end() && !customer->is_null()) {
        auto known = parse_customer(*customer);
        if (!known) return known.error();
        m.customer = *known;
    }
    if (fields.problem()) return *fields.problem();
    return m;
}

Answer<ClaimRequest> parse_claim(const json& body) {
    Fields fields{body, claim_fields};
    fields.require("owner");
    ClaimRequest claim;
    claim.limit = static_cast<int>(fields.integer("limit", 1, 1000).value_or(claim.limit));
    claim.owner = fields.text("owner", 200).value_or("");
    if (claim.owner.empty()) fields.refuse("bad-value", "owner", "must not be empty");
    if (const auto lease = fields.duration("lease", 1s, 24h)) claim.lease = std::chrono::duration_cast<std::chrono::seconds>(*lease);
    if (fields.problem()) return *fields.problem();
    return claim;
}

namespace {

Refusal bad_parameter(std::string_view name, std::string_view message) {
    return Refusal{422, "bad-parameter", fmt::format("{} {}", name, message), std::string{name}};
}

std::optional<Refusal> apply_parameter(ListQuery& query, std::string_view name, const std::string& value) {
    if (name == "status") {
        query.status = parse_message_status(value);
        if (!query.status) return bad_parameter(name, "is no status of a message");
    } else if (name == "direction") {
        query.direction = parse_direction(value);
        if (!query.direction) return bad_parameter(name, "must be inbound or outbound");
    } else if (name == "to") {
        query.to = value;
    } else if (name == "after") {
        const auto id = parse_integer(value, 1, largest_id);
        if (!id) return bad_parameter(name, "must be the \"next\" of an earlier page");
        query.after = MessageId{*id};
    } else if (name == "limit") {
        const auto limit = parse_integer(value, 1, 1000);
        if (!limit) return bad_parameter(name, "must be 1 to 1000");
        query.limit = static_cast<int>(*limit);
    } else {
        return bad_parameter(name, "is not known; known are: status, direction, to, after, limit");
    }
    return std::nullopt;
}

}  // namespace

Answer<ListQuery> parse_list_query(const Request& request) {
    ListQuery query;
    for (const auto& [name, value] : request.query) {
        if (value.empty()) continue;  // "?status=&limit=5" is what forms send
        if (auto refusal = apply_parameter(query, name, value)) return *std::move(refusal);
    }
    return query;
}

}  // namespace conductor::api
