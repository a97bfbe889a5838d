// modem discover and modem probe: through the daemon where one runs, else by asking the ports from here.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "daemon/config/config.hpp"
#include "modem/port/discover.hpp"
#include "modem/port/holders.hpp"
#include "tools/conductorctl/commands.hpp"
#include "tools/conductorctl/direct.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds survey_limit{60};

json holder_json(const port::Holder& holder, const std::string& node) {
    return {{"pid", holder.pid}, {"program", holder.program}, {"node", node}, {"locked", holder.locked}};
}

/// Who has the port open, and the other control channels of its stick; only root sees everybody.
json holders_json(const std::string& path, const port::UsbFacts& usb) {
    json all = json::array();
    for (const auto& holder : port::holders_of(path).all) all.push_back(holder_json(holder, path));
    for (const std::string& node : port::control_nodes(usb))
        for (const auto& holder : port::holders_of(node).all) all.push_back(holder_json(holder, node));
    return all;
}

/// "ModemManager (pid 615)", or what else can be said.
std::string holder_text(const json& holders) {
    std::string text;
    for (const json& h : holders)
        text += (text.empty() ? "" : ", ") + printable(cell(h, "program")) + " (pid " + cell(h, "pid") + ", " + cell(h, "node") + ")";
    return text;
}

void add_holders(json& ports) {
    for (json& p : ports) {
        const std::string path = cell(p, "path");
        const bool ours = !p["modem_index"].is_null() || p.value("quietened", false);
        p["holders"] = ours || path == "-" ? json::array() : holders_json(path, port::usb_facts(path));
    }
}

std::string who(const json& p) {
    if (p["modem_index"].is_number()) return "modem " + cell(p, "modem_index");
    if (p["meant"].is_number()) return "meant as modem " + cell(p, "meant");
    return p.value("quietened", false) ? "kept silent" : "-";
}

void print_discovery(Session& session, const json& found) {
    std::ostream& out = session.io.out;
    Table table{{"PORT", "ANSWER", "SCORE", "MODEL", "IMEI", "ICCID", "USED BY", "HELD BY"}};
    for (const json& p : found["ports"]) {
        const std::string answer = cell(p, "answer"), held = holder_text(p.value("holders", json::array()));
        const Colour colour = answer == "at" ? Colour::green : answer == "busy" || answer == "denied" ? Colour::red : Colour::dim;
        table.add({printable(cell(p, "port")), answer, cell(p, "score"), printable(cell(p, "model")), cell(p, "imei"), cell(p, "iccid"),
                   who(p), held.empty() ? "-" : held},
                  1, colour);
    }
    if (found["ports"].empty())
        out << "no port was found: nothing is plugged in, or [discovery] scan does not cover it\n";
    else
        table.print(out, session.colours());
    for (const json& hint : found.value("hints", json::array()))
        out << fmt::format("\nUSB {} ({}:{}): {}\n", cell(hint, "device"), cell(hint, "vendor_id"), cell(hint, "product_id"),
                           printable(cell(hint, "text")));
    for (const json& p : found["ports"])
        if (p.contains("suggestion") && p["suggestion"].is_string())
            out << "\nnew, for the configuration:\n\n" << p["suggestion"].get<std::string>();
}

struct Scan {
    std::vector<std::string> where = {"serial"};
    std::vector<ModemIndex> taken;
};

/// Of the configuration, as far as it can be read; else the defaults.
Scan scan_of(const std::string& file) {
    Scan scan;
    const auto text = read_file(file);
    if (!text) return scan;
    const config::Loaded loaded = config::parse(*text, file);
    if (!loaded.problems.empty()) return scan;
    scan.where = loaded.config.discovery.scan;
    for (const config::Modem& modem : loaded.config.modems) scan.taken.push_back(modem.index);
    return scan;
}

void print_json(Session& session, const json& body) {
    session.io.out << body.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
}

void print_probe(Session& session, const json& said) {
    std::ostream& out = session.io.out;
    for (const char* name : {"port", "modem_index", "answer", "problem", "manufacturer", "model", "revision", "profile", "imei", "iccid",
                             "imsi", "number", "state", "reason_text", "sim", "sms", "score"})
        if (const std::string value = cell(said, name); value != "-" && !value.empty())
            out << fmt::format("{:<13} {}\n", std::string{name} + ":", printable(value));
    std::string topic;
    for (const json& f : said.value("findings", json::array())) {
        if (cell(f, "topic") != topic) out << '\n' << (topic = cell(f, "topic")) << '\n';
        out << fmt::format("  {:<12}", printable(cell(f, "command")));
        std::string text;
        for (const json& line : f.value("lines", json::array()))
            if (line.is_string()) text += (text.empty() ? "" : " | ") + printable(line.get_ref<const std::string&>());
        out << (text.empty() ? cell(f, "result") : text) << '\n';
    }
}

}  // namespace

int modem_discover(Session& session, const std::string& config_file) {
    json found;
    const Client::Reply reply = session.client.call("POST", "/v1/discovery", "{}", "application/json", survey_limit);
    if (reply.status == 0) {
        const Scan scan = scan_of(config_file);
        found = discover_directly(scan.where, scan.taken);
        found["daemon"] = false;
    } else if (reply.status == 200) {
        found = json::parse(reply.body, nullptr, false);
        if (!found.is_object() || !found.contains("ports")) return session.fail(failed, "bad-answer", "the daemon's answer is no JSON");
        found["daemon"] = true;
    } else {
        return session.tell(reply);
    }
    add_holders(found["ports"]);
    if (session.json)
        print_json(session, found);
    else
        print_discovery(session, found);
    return done;
}

int modem_probe(Session& session, const std::string& port) {
    if (!one_line(port)) return session.fail(usage, "usage", "PORT: not empty and without control characters");
    const json body = {{"port", port}};
    const Client::Reply reply =
        session.client.call("POST", "/v1/discovery/probe", body.dump(-1, ' ', false, json::error_handler_t::replace), "application/json",
                            std::chrono::seconds{240});
    json said;
    if (reply.status == 0)
        said = probe_directly(port);
    else if (reply.status == 200)
        said = json::parse(reply.body, nullptr, false);
    else
        return session.tell(reply);
    if (!said.is_object()) return session.fail(failed, "bad-answer", "the daemon's answer is no JSON");
    if (said.contains("error")) return session.fail(not_found, "not-found", cell(said, "error"));
    const std::string answer = cell(said, "answer");
    if (answer != "at") {
        const auto at = port::candidate(port);
        said["holders"] = at ? holders_json(at->path, at->usb) : json::array();
    }
    if (session.json) {
        print_json(session, said);
    } else {
        print_probe(session, said);
        if (const std::string held = holder_text(said.value("holders", json::array())); !held.empty())
            session.io.out << "held by:      " << held << '\n';
    }
    return answer == "at" ? done : failed;
}

}  // namespace conductor::ctl
