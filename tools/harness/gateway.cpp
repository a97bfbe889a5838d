#include "tools/harness/gateway.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace conductor::harness {

using nlohmann::json;

fs::path program(std::string_view name) {
    const char* folder = std::getenv("CONDUCTOR_PROGRAMS");
    return (folder ? fs::path{folder} : fs::read_symlink("/proc/self/exe").parent_path()) / name;
}

namespace {

/// A zone in which it is about noon: the law's quiet hours bind marketing whatever the window says, and a test runs at any hour.
std::string zone_of_noon() {
    const auto hour = std::chrono::duration_cast<std::chrono::hours>(std::chrono::system_clock::now().time_since_epoch()).count() % 24;
    const auto ahead = 12 - hour;  // of UTC; the names count the other way
    return ahead == 0 ? "Etc/UTC" : std::string{"Etc/GMT"} + (ahead > 0 ? "-" : "+") + std::to_string(ahead > 0 ? ahead : -ahead);
}

}  // namespace

std::string gateway_config(const fs::path& folder, const GatewayOptions& options) {
    std::string text = "[gateway]\nid = \"box-1\"\nregion = \"US\"\ntime_zone = \"" + zone_of_noon() + "\"\n";
    text += "database = \"" + (options.database.empty() ? folder / "conductor.db" : options.database).string() + "\"\n";
    text += "socket = \"" + (folder / "control.sock").string() + "\"\n\n";
    text += "[discovery]\nscan = " + options.scan + "\n\n";
    text +=
        "[send]\nwindow = \"" + options.window + "\"\ndays = [\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\",\"sun\"]\ncountries = []\n";
    text += "per_recipient_gap = \"0s\"\nper_recipient = { per_day = 0, per_week = 0 }\nduplicate_window = \"0s\"\n";
    text += std::string{"delivery_reports = "} + (options.reports ? "true" : "false") + "\n" + options.send + "\n";
    text += "[opt_out]\nrequire_consent = false\nbrand = \"Example Shop\"\n\n";
    for (std::size_t index = 0; index < options.ports.size(); ++index) {
        text += "[[modem]]\nindex = " + std::to_string(index) + "\nmatch = { ";
        const bool is_match = options.ports[index].find(" = ") != std::string::npos;
        text += (is_match ? options.ports[index] : "port = \"" + options.ports[index] + "\"") + " }\n";
        text += "per_minute = " + std::to_string(options.per_minute) + "\nper_hour = " + std::to_string(options.per_hour);
        text += "\nper_day = " + std::to_string(options.per_day) + "\n\n";
    }
    return text + options.more;
}

Gateway::Gateway(fs::path folder, GatewayOptions options) : folder_{std::move(folder)}, options_{std::move(options)} {
    fs::create_directories(folder_);
}

bool Gateway::start(milliseconds limit) {
    write_file(folder_ / "conductor.toml", gateway_config(folder_, options_));
    daemon_.reset();
    std::vector<std::string> argv{program("conductord").string(), "--config", (folder_ / "conductor.toml").string()};
    std::vector<std::string> environment = options_.environment;
    environment.push_back("CREDENTIALS_DIRECTORY=" + folder_.string());
    std::vector<int> descriptors;
    if (!options_.kept.empty()) {  // sd_listen_fds(3) wants the process's own id
        argv.insert(argv.begin(), {"/bin/sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""});
        std::string names;
        for (const auto& [name, descriptor] : options_.kept) {
            names += (names.empty() ? "" : ":") + name;
            descriptors.push_back(descriptor);
        }
        environment.push_back("LISTEN_FDS=" + std::to_string(descriptors.size()));
        environment.push_back("LISTEN_FDNAMES=" + names);
    }
    daemon_ = std::make_unique<Child>(std::move(argv), folder_ / "conductord.log", std::move(environment), std::move(descriptors));
    return eventually(limit, [&] { return get("/v1/status").status == 200 || !running(); }) && running();
}

void Gateway::kill_now() {
    daemon_->kill_now();
}

std::optional<int> Gateway::stop(milliseconds limit) {
    daemon_->signal(SIGTERM);
    return daemon_->wait(limit);
}

std::vector<json> Gateway::messages(std::string_view query) {
    std::vector<json> all;
    std::string after;
    do {
        const json page = get("/v1/messages?limit=1000&" + std::string{query} + after).json();
        if (page.is_discarded() || !page.contains("messages")) return {};
        for (const json& message : page["messages"]) all.push_back(message);
        after.clear();
        if (!page["next"].is_null()) after = "&after=" + (page["next"].is_string() ? page["next"].get<std::string>() : page["next"].dump());
    } while (!after.empty());
    std::ranges::reverse(all);
    return all;
}

std::map<std::string, int> Gateway::tally(std::string_view query) {
    std::map<std::string, int> counts;
    for (const json& message : messages(query)) ++counts[message["status"].get<std::string>()];
    return counts;
}

bool Gateway::settled(milliseconds limit, std::size_t count, const std::vector<std::string>& states) {
    return eventually(limit, [&] {
        const auto all = messages();
        return all.size() >= count && std::ranges::all_of(all, [&](const json& message) {
                   return std::ranges::find(states, message["status"].get<std::string>()) != states.end();
               });
    });
}

Finished Gateway::ctl(std::vector<std::string> arguments) {
    std::vector<std::string> argv = {program("conductorctl").string(), "--socket", socket().string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv, folder_);
}

std::string Gateway::log_end() const {
    const std::string text = log();
    return text.substr(text.size() - std::min<std::size_t>(text.size(), 6000));
}

}  // namespace conductor::harness
