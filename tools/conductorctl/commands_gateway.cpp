#include <fmt/format.h>

#include <fstream>
#include <iterator>
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
        std::string signal = cell(m, "rssi_dbm");
        if (signal != "-") signal += " dBm";
        std::string note = cell(m, "reason_text");
        if (note == "-") note = cell(m, "reason");
        table.add({cell(m, "index"), state, cell(m, "operator"), signal, cell(m, "iccid"), cell(m, "port"), note}, 1, colour_of(state));
    }
    table.print(session.io.out, session.colours());
}

/// The members of the status that are no table of their own, each on a line: "queue  12 queued, 1 sending".
void print_counts(std::ostream& out, std::string_view name, const json& counts) {
    std::string text;
    for (const auto& [what, value] : counts.items()) {
        if (value.is_number_integer() && value.get<std::int64_t>() == 0 && counts.size() > 3) continue;
        if (!text.empty()) text += ", ";
        text += value.is_number() ? cell(counts, what) + ' ' + what : what + ' ' + cell(counts, what);
    }
    out << fmt::format("{:<10}{}\n", name, text.empty() ? "-" : text);
}

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    if (!in) return std::nullopt;
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    return in.bad() ? std::nullopt : std::optional{std::move(text)};
}

json problem_json(const config::Problem& p) {
    return {{"file", p.file}, {"line", p.line}, {"key", p.key}, {"message", p.message}};
}

}  // namespace

int status(Session& session) {
    const auto status = session.show("GET", "/v1/status");
    if (!status) return session.code;
    for (const auto& [name, value] : status->items()) {
        if (name == "modems") continue;
        if (value.is_object())
            print_counts(session.io.out, name, value);
        else
            session.io.out << fmt::format("{:<10}{}\n", name, name.ends_with("_at") ? time_cell(*status, name) : cell(*status, name));
    }
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
    const auto answer = session.show("POST", fmt::format("/v1/modems/{}/at", index), &body, modem_limit);
    if (!answer) return session.code;
    for (const json& line : answer->value("lines", json::array()))
        if (line.is_string()) session.io.out << printable(line.get_ref<const std::string&>()) << '\n';
    session.io.out << cell(*answer, "final") << '\n';
    return done;
}

int modem_ussd(Session& session, int index, const std::string& code) {
    const json body = {{"code", code}};
    const auto answer = session.show("POST", fmt::format("/v1/modems/{}/ussd", index), &body, modem_limit);
    if (!answer) return session.code;
    session.io.out << cell(*answer, "text") << '\n';
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
        session.io.out << body.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        for (const config::Problem& p : loaded.problems) session.io.out << printable(p.text()) << '\n';
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
