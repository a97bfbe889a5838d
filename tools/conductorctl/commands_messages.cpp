#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "tools/conductorctl/commands.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

std::string query_of(const ListOptions& options) {
    std::string query = fmt::format("limit={}", options.limit);
    if (!options.status.empty()) query += "&status=" + percent_encode(options.status);
    if (!options.to.empty()) query += "&to=" + percent_encode(options.to);
    if (options.after) query += fmt::format("&after={}", *options.after);
    return query;
}

void tell_next(Session& session, const json& page) {
    const auto next = page.find("next");
    if (next != page.end() && !next->is_null()) session.io.err << "more: --after " << next->dump() << '\n';
}

void line(std::ostream& out, std::string_view name, const std::string& value) {
    if (value != "-") out << fmt::format("{:<12}{}\n", name.empty() ? std::string{} : std::string{name} + ':', value);
}

/// What nobody can read: its octets are in reason_text.
bool is_octets(const json& m) {
    const std::string reason = cell(m, "reason");
    return reason == "undecodable" || reason == "compressed";
}

/// What every view of one message begins with.
void print_message(Session& session, const json& m) {
    std::ostream& out = session.io.out;
    const std::string state = cell(m, "status");
    const bool inbound = cell(m, "direction") == "inbound";
    const std::string title = fmt::format("{} message {}: {}", inbound ? "inbound" : "outbound", cell(m, "id"), state);
    out << coloured(title, colour_of(state), session.colours()) << '\n';
    line(out, inbound ? "from" : "to", cell(m, "phone_number"));
    line(out, "text", cell(m, "content"));
    line(out, "class", inbound ? "-" : cell(m, "class"));
    line(out, "parts", fmt::format("{} ({})", cell(m, "segments"), cell(m, "encoding")));
    line(out, "key", cell(m, "key"));
    line(out, "report", inbound ? "-" : cell(m, "delivery_status"));
    line(out, "modem", cell(m, "modem_index"));
    line(out, "made", time_cell(m, "timestamp"));
    line(out, "due", time_cell(m, "due_at"));
    line(out, "next try", time_cell(m, "next_attempt_at"));
    line(out, "expires", time_cell(m, "expires_at"));
    line(out, "sent", time_cell(m, "sent_at"));
    line(out, "delivered", time_cell(m, "delivered_at"));
    line(out, "written", time_cell(m, "modem_timestamp"));
    line(out, "campaign", cell(m, "campaign_name"));
    line(out, "schedule", cell(m, "scheduled_message_id"));
    line(out, "reply to", cell(m, "in_reply_to"));
    line(out, "reason", cell(m, "reason"));
    line(out, "", cell(m, "reason_text"));
}

void print_parts(Session& session, const json& m) {
    const auto parts = m.find("parts");
    if (parts == m.end() || !parts->is_array() || parts->empty()) return;
    Table table{{"PART", "STATUS", "MODEM", "REFERENCE", "ATTEMPTS"}};
    session.io.out << '\n';
    for (const json& part : *parts) {
        const std::string state = cell(part, "status");
        table.add({cell(part, "seq"), state, cell(part, "modem_index"), cell(part, "tp_mr"), cell(part, "attempts")}, 1, colour_of(state));
    }
    table.print(session.io.out, session.colours());
}

void print_attempts(Session& session, const json& explained) {
    const auto attempts = explained.find("attempts");
    if (attempts == explained.end() || !attempts->is_array()) return;
    if (attempts->empty()) {
        line(session.io.out, "attempts", "none yet");
        return;
    }
    Table table{{"STARTED", "PART", "MODEM", "OUTCOME", "REASON"}};
    for (const json& one : *attempts) {
        const std::string outcome = cell(one, "outcome");
        table.add({time_cell(one, "started_at"), cell(one, "part"), cell(one, "modem_index"), outcome, cell(one, "reason")}, 3,
                  colour_of(outcome));
    }
    session.io.out << '\n';
    table.print(session.io.out, session.colours());
}

int explain(Session& session, std::int64_t id, bool with_priority) {
    const auto explained = session.show("GET", fmt::format("/v1/messages/{}/explain", id));
    if (!explained) return session.code;
    const json message = explained->value("message", json::object());
    print_message(session, message);
    line(session.io.out, "blocked by", cell(*explained, "blocked_by"));
    line(session.io.out, "next", cell(*explained, "next"));
    if (with_priority && explained->contains("priority")) {
        const json& priority = (*explained)["priority"];
        line(session.io.out, "priority", cell(message, "priority"));
        for (const json& part : priority.value("parts", json::array()))
            session.io.out << fmt::format("    {:<10}{:>7}  {}\n", cell(part, "name"), cell(part, "points"), cell(part, "sentence"));
    }
    print_parts(session, message);
    print_attempts(session, *explained);
    return done;
}

}  // namespace

int queue_list(Session& session, const ListOptions& options) {
    const auto page = session.show("GET", "/v1/messages?direction=outbound&" + query_of(options));
    if (!page) return session.code;
    Table table{{"ID", "STATUS", "REPORT", "TO", "DUE", "TRIES", "MODEM", "PARTS", "REASON", "TEXT"}};
    for (const json& m : page->value("messages", json::array())) {
        const std::string state = cell(m, "status");
        table.add(
            {cell(m, "id"), state, cell(m, "delivery_status"), cell(m, "phone_number"), time_cell(m, "due_at"), cell(m, "retry_count"),
             cell(m, "modem_index"), cell(m, "segments"), cell(m, "reason"), shortened(cell(m, "content"), 40)},
            1, colour_of(state));
    }
    table.print(session.io.out, session.colours());
    tell_next(session, *page);
    return done;
}

int inbox_list(Session& session, const ListOptions& options) {
    const auto page = session.show("GET", "/v1/inbox?" + query_of(options));
    if (!page) return session.code;
    Table table{{"ID", "STATUS", "FROM", "RECEIVED", "MODEM", "TEXT"}};
    for (const json& m : page->value("messages", json::array())) {
        const std::string state = cell(m, "status");
        table.add({cell(m, "id"), state, cell(m, "phone_number"), time_cell(m, "timestamp"), cell(m, "modem_index"),
                   shortened(cell(m, is_octets(m) ? "reason_text" : "content"), 100)},
                  1, colour_of(state));
    }
    table.print(session.io.out, session.colours());
    tell_next(session, *page);
    return done;
}

int message_show(Session& session, std::int64_t id) {
    const auto message = session.show("GET", fmt::format("/v1/messages/{}", id));
    if (!message) return session.code;
    print_message(session, *message);
    print_parts(session, *message);
    return done;
}

int why(Session& session, std::int64_t id) {
    return explain(session, id, false);
}

int queue_explain(Session& session, std::int64_t id) {
    return explain(session, id, true);
}

int message_action(Session& session, std::int64_t id, const std::string& action) {
    const json nothing = json::object();
    const auto message = session.show("POST", fmt::format("/v1/messages/{}/{}", id, action), &nothing);
    if (!message) return session.code;
    session.io.out << fmt::format("message {}: {}\n", cell(*message, "id"), cell(*message, "status"));
    if (cell(*message, "reason_text") != "-") session.io.out << "  " << cell(*message, "reason_text") << '\n';
    return done;
}

int queue_pause(Session& session, bool paused, const std::string& campaign, std::optional<ModemIndex> modem) {
    json body = json::object();
    if (!campaign.empty()) body["campaign"] = campaign;
    const std::string path = modem    ? fmt::format("/v1/modems/{}/{}", *modem, paused ? "pause" : "resume")
                             : paused ? "/v1/queue/pause"
                                      : "/v1/queue/resume";
    const auto answer = session.show("POST", path, &body);
    if (!answer) return session.code;
    const std::string what = modem ? fmt::format(" --modem {}", *modem) : campaign.empty() ? "" : " --campaign " + printable(campaign);
    session.io.out << (paused ? fmt::format("paused: nothing new is sent until `conductorctl queue resume{}`\n", what) : "resumed\n");
    return done;
}

}  // namespace conductor::ctl
