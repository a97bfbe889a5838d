#include "daemon/api/message_json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "daemon/api/http.hpp"

namespace conductor::api {
namespace {

/// Writes the members of one object.
class Members {
public:
    explicit Members(std::string& out) : out_{out} { out_ += '{'; }
    void close() { out_ += '}'; }
    std::string& name(std::string_view key) {
        if (!first_) out_ += ',';
        first_ = false;
        out_ += '"';
        out_ += key;
        return out_ += "\":";
    }
    void text(std::string_view key, std::string_view value) { append_json_string(name(key), value); }
    void optional_text(std::string_view key, const std::optional<std::string>& value) { value ? text(key, *value) : null(key); }
    void time(std::string_view key, const std::optional<WallTime>& value) {
        value ? text(key, std::string_view{to_rfc3339(*value)}) : null(key);
    }
    void integer(std::string_view key, std::int64_t value) { fmt::format_to(std::back_inserter(name(key)), "{}", value); }
    template <class T>
    void integer(std::string_view key, const std::optional<T>& value) {
        value ? integer(key, std::int64_t{*value}) : null(key);
    }
    void number(std::string_view key, double value) {
        std::isfinite(value) ? void(fmt::format_to(std::back_inserter(name(key)), "{}", value)) : null(key);
    }
    void null(std::string_view key) { name(key) += "null"; }

private:
    std::string& out_;
    bool first_ = true;
};

void append_part(std::string& out, const Part& part) {
    Members m{out};
    m.integer("seq", part.seq);
    m.text("status", to_string(part.status));
    m.integer("tp_mr", part.tp_mr);
    m.integer("modem_index", part.modem_index);
    m.integer("attempts", part.attempts);
    m.close();
}

void append_times(Members& m, const Message& message) {
    m.time("due_at", message.due_at);
    m.time("next_attempt_at", message.next_attempt_at);
    m.time("expires_at", message.expires_at);
    m.time("sent_at", message.sent_at);
    m.time("delivered_at", message.delivered_at);
    m.time("timestamp", message.timestamp);
    m.time("modem_timestamp", message.modem_timestamp);
}

}  // namespace

void append_json(std::string& out, const Message& message) {
    Members m{out};
    m.integer("id", message.id.value);
    m.text("key", message.key);
    m.text("direction", to_string(message.direction));
    m.text("class", to_string(message.message_class));
    m.text("phone_number", message.phone_number);
    m.text("content", message.content);
    m.text("encoding", to_string(message.encoding));
    m.integer("segments", message.segments);
    m.text("status", to_string(message.status));
    m.text("delivery_status", to_string(message.delivery_status));
    m.integer("modem_index", message.modem_index);
    m.optional_text("iccid", message.iccid);
    m.integer("retry_count", message.retry_count);
    m.number("priority", message.priority);
    append_times(m, message);
    m.text("message_hash", message.message_hash);
    m.number("cost", message.cost);
    m.integer("scheduled_message_id", message.scheduled_message_id);
    m.optional_text("campaign_name", message.campaign_name);
    message.in_reply_to ? m.integer("in_reply_to", message.in_reply_to->value) : m.null("in_reply_to");
    m.text("on_unknown", to_string(message.on_unknown));
    m.optional_text("reason", message.reason);
    m.optional_text("reason_text", message.reason_text);
    m.name("parts") += '[';
    for (const Part& part : message.parts) {
        if (&part != &message.parts.front()) out += ',';
        append_part(out, part);
    }
    out += ']';
    m.close();
}

nlohmann::json to_json(const Message& message) {
    std::string text;
    append_json(text, message);
    return nlohmann::json::parse(text);
}

}  // namespace conductor::api
