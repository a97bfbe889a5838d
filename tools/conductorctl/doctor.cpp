#include "tools/conductorctl/doctor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ostream>

namespace conductor::ctl {

using nlohmann::json;

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::pass: return "pass";
        case Verdict::warn: return "warn";
        case Verdict::fail: return "fail";
    }
    return "?";
}

double number(const json& object, const char* name, double otherwise) {
    const auto at = object.is_object() ? object.find(name) : object.end();
    return at != object.end() && at->is_number() ? at->get<double>() : otherwise;
}

std::string text(const json& object, const char* name) {
    const auto at = object.is_object() ? object.find(name) : object.end();
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

namespace {

constexpr Check checks[] = {check_config, check_daemon, check_units,    check_clock,         check_database, check_disk,    check_consent,
                            check_modems, check_ports,  check_portless, check_modem_manager, check_udev,     check_supabase};

void read_config(Facts& facts) {
    const auto read = read_file(facts.config_file);
    if (!read) {
        facts.unreadable = std::strerror(errno);
        return;
    }
    config::Loaded loaded = config::parse(*read, facts.config_file);
    facts.problems = std::move(loaded.problems);
    if (facts.problems.empty()) facts.config = std::move(loaded.config);
}

json ask(Client& client, const std::string& path, std::string& problem) {
    const Client::Reply reply = client.call("GET", path, {}, "application/json", std::chrono::seconds{10});
    if (reply.status == 0) problem = reply.problem;
    return reply.status == 200 || reply.status == 503 ? json::parse(reply.body, nullptr, false) : json(nullptr);
}

Colour colour_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::pass: return Colour::green;
        case Verdict::warn: return Colour::yellow;
        case Verdict::fail: return Colour::red;
    }
    return Colour::none;
}

json to_json(const Checked& c) {
    return {{"check", c.check}, {"result", to_string(c.verdict)}, {"cause", c.cause}, {"evidence", c.evidence}, {"remedy", c.remedy}};
}

void print(Session& session, const std::vector<Checked>& all) {
    std::ostream& out = session.io.out;
    for (const Checked& c : all) {
        out << coloured(fmt::format("{:<4}", to_string(c.verdict)), colour_of(c.verdict), session.colours())
            << fmt::format("  {:<16} {}\n", printable(c.check), printable(c.cause));
        if (c.verdict == Verdict::pass) continue;
        if (!c.evidence.empty()) out << "      seen:   " << printable(c.evidence) << '\n';
        if (!c.remedy.empty()) out << "      remedy: " << printable(c.remedy) << '\n';
    }
}

}  // namespace

std::vector<Checked> examine_box(const Facts& facts) {
    std::vector<Checked> all;
    for (const Check check : checks) check(facts, all);
    return all;
}

int doctor(Session& session, const std::string& socket, const std::string& config_file) {
    Facts facts;
    facts.config_file = config_file;
    facts.socket = socket;
    facts.root = ::geteuid() == 0;
    read_config(facts);
    facts.status = ask(session.client, "/v1/status", facts.unreachable);
    if (facts.daemon()) {
        facts.health = ask(session.client, "/healthz", facts.unreachable);
        facts.modems = ask(session.client, "/v1/modems", facts.unreachable);
        if (facts.modems.is_object()) facts.modems = facts.modems.value("modems", json::array());
        facts.sync = facts.status.is_object() ? facts.status.value("sync", json(nullptr)) : json(nullptr);
    }
    const std::vector<Checked> all = examine_box(facts);
    const bool bad = std::ranges::any_of(all, [](const Checked& c) { return c.verdict == Verdict::fail; });
    if (session.json) {
        json body = {{"ok", !bad}, {"checks", json::array()}};
        for (const Checked& c : all) body["checks"].push_back(to_json(c));
        session.io.out << body.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        print(session, all);
    }
    return bad ? failed : done;
}

}  // namespace conductor::ctl
