#include "tools/modemsim/options.hpp"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tools/modemsim/core/requests.hpp"

namespace conductor::modemsim {
namespace {

nlohmann::json read_config(const std::string& path) {
    std::ifstream in{path};
    if (!in) throw std::runtime_error{"cannot read " + path};
    std::stringstream text;
    text << in.rdbuf();
    if (path.ends_with(".json")) return nlohmann::json::parse(text.str());
    const toml::table table = toml::parse(text.str(), path);
    std::stringstream as_json;
    as_json << toml::json_formatter{table};
    return nlohmann::json::parse(as_json.str());
}

// Keys that stand for flags; a flag on the command line wins.
void take_flags(nlohmann::json& config, const CLI::App& app, Options& o, std::string& latency, std::string& report_delay) {
    const auto take = [&](const char* key, const char* flag, auto& value) {
        if (!config.contains(key)) return;
        if (app.count(flag) == 0) value = config[key].get<std::decay_t<decltype(value)>>();
        config.erase(key);
    };
    take("dir", "--dir", o.dir);
    take("modems", "--modems", o.fleet.modems);
    take("latency", "--latency", latency);
    take("report_delay", "--report-delay", report_delay);
    take("seed", "--seed", o.fleet.seed);
    take("log", "--log", o.log);
    take("control_socket", "--control", o.control);
    take("profile", "--profile", o.fleet.profile);
    take("keep_output", "--keep-output", o.keep_output);
}

}  // namespace

int read_options(int argc, char** argv, Options& o) {
    std::string config_path, latency = "500ms", report_delay = "1s";
    std::string profiles;
    for (const std::string& name : profile_names()) profiles += (profiles.empty() ? "" : ", ") + name;
    CLI::App app{"modemsim: simulated GSM modems on ptys, with faults. Ends on SIGTERM and removes its links."};
    app.add_option("--dir", o.dir, "folder for the links modem0, modem1, ... (made when absent)");
    app.add_option("--modems", o.fleet.modems, "how many")->check(CLI::Range(1, 1000));
    app.add_option("--latency", latency, "from Ctrl-Z to +CMGS: 500ms, or 100-900ms");
    app.add_option("--report-delay", report_delay, "from +CMGS to its status report");
    app.add_option("--seed", o.fleet.seed, "identities and chance follow from it");
    app.add_option("--config", config_path, "TOML or JSON file");
    app.add_option("--log", o.log, "append a JSON line for each accepted submission");
    app.add_option("--control", o.control, "Unix socket for requests (default DIR/control.sock)");
    app.add_option("--ask", o.ask, "send this request to the one that runs, and print its answer");
    app.add_option("--profile", o.fleet.profile, "make of modem: " + profiles);
    app.add_flag("--keep-output", o.keep_output, "what is written while no client has the port open waits for the next one");
    try {
        app.parse(argc, argv);
        if (!config_path.empty()) {
            o.config = read_config(config_path);
            take_flags(o.config, app, o, latency, report_delay);
        }
        o.fleet.latency = to_range(latency);
        o.fleet.report_delay = to_range(report_delay);
    } catch (const CLI::ParseError& e) {
        const int code = app.exit(e);
        return code == 0 ? 0 : 2;
    } catch (const std::exception& e) {
        std::cerr << "modemsim: " << e.what() << '\n';
        return 2;
    }
    if (o.dir.empty() && (o.ask.empty() || o.control.empty())) return std::cerr << "modemsim: --dir is required\n", 2;
    if (!find_profile(o.fleet.profile))
        return std::cerr << "modemsim: unknown profile " << o.fleet.profile << "; known: " << profiles << '\n', 2;
    if (o.control.empty()) o.control = o.dir + "/control.sock";
    return -1;
}

}  // namespace conductor::modemsim
