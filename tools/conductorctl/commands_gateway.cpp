#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "daemon/config/config.hpp"
#include "tools/conductorctl/commands.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds modem_limit{240};  ///< a USSD answer, or a command behind a submission, may take minutes

void print_modems(Session& session, const json& modems) {
    if (!modems.is_array() || modems.empty()) {
        session.io.out << "no modem is configured or found\n";
        return;
    }
    Table table{{"MODEM", "STATE", "OPERATOR", "SIGNAL", "SIM", "PORT", "NOTE"}};
    for (const json& m : modems) {
        const std::string state = cell(m, "state");
        std::string signal = cell(m, "signal_dbm");
        if (signal != "-") signal += " dBm";
        std::string note = cell(m, "reason_text");
        if (note == "-") note = cell(m, "reason");
        if (const auto advice = m.find("advice"); note == "-" && advice != m.end() && advice->is_array() && !advice->empty())
            note = cell(advice->front(), "text");
        table.add({cell(m, "index"), state, cell(m, "operator"), signal, cell(m, "iccid"), cell(m, "port"), note}, 1, colour_of(state));
    }
    table.print(session.io.out, session.colours());
}

/// A member that is an object; {} when it is none.
const json& part_of(const json& object, std::string_view name) {
    static const json none = json::object();
    const auto at = object.find(name);
    return at == object.end() || !at->is_object() ? none : *at;
}

std::string uptime(const json& status) {
    const std::int64_t seconds = status.value("uptime_s", std::int64_t{0});
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 7200) return fmt::format("{} min", seconds / 60);
    if (seconds < 172'800) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{} days", seconds / 86'400);
}

/// "queue: 12 waiting, 1 sending" and what else is worth a line; trouble in red.
void print_status(Session& session, const json& status) {
    std::ostream& out = session.io.out;
    const auto row = [&](std::string_view name, const std::string& value, Colour colour = Colour::none) {
        out << fmt::format("{:<9}", name) << coloured(value, colour, session.colours()) << '\n';
    };
    const json &gateway = part_of(status, "gateway"), &queue = part_of(status, "queue"), &since = part_of(status, "since_start");
    row("gateway", fmt::format("{} (pool {}), version {}, up {}", cell(gateway, "id"), cell(gateway, "pool"), cell(gateway, "version"),
                               uptime(status)));
    std::string waiting =
        fmt::format("{} ready, {} waiting, {} sending", cell(queue, "ready"), cell(queue, "waiting"), cell(queue, "sending"));
    if (cell(queue, "next_at") != "-") waiting += ", next " + time_cell(queue, "next_at");
    row("queue", waiting);
    if (status.value("paused", false)) row("", "paused: `conductorctl queue resume` ends it", Colour::yellow);
    row("inbox", cell(part_of(status, "inbox"), "unread") + " unread");
    row("sent", fmt::format("{} parts since the start, last {}", cell(since, "accepted"), time_cell(status, "last_accepted")));
    row("received", fmt::format("{} since the start, last {}", cell(since, "inbound"), time_cell(status, "last_inbound")));
    if (const json& clock = part_of(status, "clock"); !clock.value("sure", true))
        row("clock", fmt::format("not sure ({}): nothing is sent or expired by it", cell(clock, "reason")), Colour::red);
    if (queue.value("held", 0) > 0)
        row("held",
            fmt::format("{} messages, for the database may be an older copy: {}. `conductorctl db release` lets them go",
                        cell(queue, "held"), cell(part_of(status, "store"), "doubt")),
            Colour::red);
    if (const std::string trouble = cell(part_of(status, "store"), "trouble"); trouble != "-") row("store", trouble, Colour::red);
    if (!part_of(status, "sync").empty())
        row("sync", "see `conductorctl sync status`");
    else
        row("sync", "not configured");
}

json problem_json(const config::Problem& p) {
    return {{"file", p.file}, {"line", p.line}, {"key", p.key}, {"message", p.message}};
}

}  // namespace

int status(Session& session) {
    const auto status = session.show("GET", "/v1/status");
    if (!status) return session.code;
    print_status(session, *status);
    session.io.out << '\n';
    if (status->contains("modems") && (*status)["modems"].is_array()) print_modems(session, (*status)["modems"]);
    return done;
}

int modem_list(Session& session) {
    const auto answer = session.show("GET", "/v1/modems");
    if (!answer) return session.code;
    print_modems(session, answer->value("modems", json::array()));
    return done;
}

int modem_show(Session& session, int index) {
    const auto modem = session.show("GET", fmt::format("/v1/modems/{}", index));
    if (!modem) return session.code;
    print_object(session.io.out, *modem);
    return done;
}

int modem_action(Session& session, int index, const std::string& action) {
    const json nothing = json::object();
    const auto answer = session.show("POST", fmt::format("/v1/modems/{}/{}", index, action), &nothing, modem_limit);
    if (!answer) return session.code;
    session.io.out << fmt::format("modem {}: {} done", index, action);
    if (cell(*answer, "state") != "-") session.io.out << ", now " << cell(*answer, "state");
    session.io.out << '\n';
    return done;
}

int modem_at(Session& session, int index, const std::string& command) {
    const json body = {{"command", command}};
    if (!one_line(command)) return session.fail(usage, "usage", "CMD: one command, not empty and without control characters");
    const auto answer = session.call("POST", fmt::format("/v1/modems/{}/at", index), &body, modem_limit);
    if (!answer) return session.code;
    const auto result = cell(*answer, "result");
    const int code = answer->value("result", "OK") == "OK" ? done : failed;
    if (session.json) {
        session.io.out << answer->dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
        return code;
    }
    for (const json& line : answer->value("lines", json::array()))
        if (line.is_string()) session.io.out << printable(line.get_ref<const std::string&>()) << '\n';
    session.io.out << result << '\n';
    return code;
}

int modem_ussd(Session& session, int index, const std::string& code) {
    if (!one_line(code)) return session.fail(usage, "usage", "CODE: not empty and without control characters");
    const json body = {{"code", code}};
    const auto answer = session.show("POST", fmt::format("/v1/modems/{}/ussd", index), &body, modem_limit);
    if (!answer) return session.code;
    const auto text = answer->find("text");  // a menu keeps its lines
    if (text != answer->end() && text->is_string())
        for (std::string_view rest = text->get_ref<const std::string&>(); !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n'));
            session.io.out << printable(line) << '\n';
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        }
    if (answer->value("session", "") == "open" && !session.json)
        session.io.err << fmt::format("the network waits for a reply, for {} s: conductorctl modem ussd {} REPLY\n",
                                      answer->value("session_seconds", 0), index);
    return done;
}

int modem_trace(Session& session, int index) {
    const Client::Reply reply = session.client.call("GET", fmt::format("/v1/modems/{}/trace", index));
    if (reply.status != 200) {
        session.call("GET", fmt::format("/v1/modems/{}/trace", index));  // tells the error
        return session.code == done ? failed : session.code;
    }
    if (session.json) {
        json body;
        body["index"] = index;
        body["trace"] = reply.body;
        session.io.out << body.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        session.io.out << reply.body;
    }
    return done;
}

int opt_out_list(Session& session) {
    const auto answer = session.show("GET", "/v1/opt-outs");
    if (!answer) return session.code;
    Table table{{"NUMBER", "STATE", "SINCE", "BY", "REASON"}};
    for (const json& one : answer->value("opt_outs", json::array()))
        table.add({cell(one, "phone_number"), one.value("active", true) ? "opted out" : "released", time_cell(one, "at"),
                   cell(one, "actor"), cell(one, "reason")});
    table.print(session.io.out, session.colours());
    return done;
}

int opt_out_set(Session& session, const std::string& number, bool active, const std::string& reason) {
    json body = json::object();
    if (!reason.empty()) body["reason"] = reason;
    const auto answer = session.show(active ? "PUT" : "DELETE", "/v1/opt-outs/" + percent_encode(number), &body);
    if (!answer) return session.code;
    session.io.out << cell(*answer, "phone_number") << (active ? ": opted out, nothing is sent to it\n" : ": no longer opted out\n");
    return done;
}

int sync_status(Session& session) {
    const auto answer = session.show("GET", "/v1/sync");
    if (!answer) return session.code;
    print_object(session.io.out, *answer);
    return done;
}

int sync_now(Session& session) {
    const json nothing = json::object();
    const auto answer = session.show("POST", "/v1/sync", &nothing, modem_limit);
    if (!answer) return session.code;
    session.io.out << "sync asked for\n";
    if (answer->is_object()) print_object(session.io.out, *answer);
    return done;
}

int config_check(Session& session, const std::string& file) {
    const auto text = read_file(file);
    if (!text) return session.fail(not_found, "not-found", "cannot read " + file);
    const config::Loaded loaded = config::parse(*text, file);
    if (session.json) {
        json body = {{"ok", loaded.problems.empty()}, {"file", file}, {"problems", json::array()}};
        for (const config::Problem& p : loaded.problems) body["problems"].push_back(problem_json(p));
        body["warnings"] = json::array();
        for (const config::Problem& p : loaded.warnings) body["warnings"].push_back(problem_json(p));
        session.io.out << body.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        for (const config::Problem& p : loaded.problems) session.io.out << printable(p.text()) << '\n';
        for (const config::Problem& p : loaded.warnings) session.io.out << "warning: " << printable(p.text()) << '\n';
        if (loaded.problems.empty()) session.io.out << file << ": good\n";
    }
    return loaded.problems.empty() ? done : failed;
}

int config_show(Session& session, const std::string& file) {
    const auto text = read_file(file);
    if (!text) return session.fail(not_found, "not-found", "cannot read " + file);
    const config::Loaded loaded = config::parse(*text, file);
    if (!loaded.problems.empty()) return config_check(session, file);
    const auto shown = json::parse(config::show(loaded.config), nullptr, false);
    session.io.out << shown.dump(session.json ? -1 : 2, ' ', false, json::error_handler_t::replace) << '\n';
    return done;
}

}  // namespace conductor::ctl
