#pragma once
// A daemon with a folder of its own: its configuration, database and socket; started, killed, started again.
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/harness/http.hpp"
#include "tools/harness/process.hpp"

namespace conductor::harness {

/// Where the programs are that are run: in the folder CONDUCTOR_PROGRAMS, else beside this one.
fs::path program(std::string_view name);

struct GatewayOptions {
    std::vector<std::string> ports;  ///< one [[modem]] each, in the order of their index: "pty:PATH", or a match as in TOML, `imei = "…"`
    std::string send = {};           ///< further lines of [send]
    std::string window = "00:00-24:00";
    std::string more = {};  ///< further tables
    int per_minute = 0, per_hour = 0, per_day = 0;
    bool reports = true;
    std::string scan = "[]";                    ///< of [discovery]
    fs::path database = {};                     ///< empty: conductor.db in the gateway's folder
    std::vector<std::string> environment = {};  ///< NAME=VALUE
    /// What systemd's FD store would hand over, by name: given to the next start().
    std::vector<std::pair<std::string, int>> kept = {};
};

/// The configuration that the tests use: always open, no consent asked, no spacing, no limit but what the options say.
std::string gateway_config(const fs::path& folder, const GatewayOptions& options);

class Gateway {
public:
    Gateway(fs::path folder, GatewayOptions options);
    /// Writes the configuration and starts the daemon; true when it answers. Its output is in conductord.log of the folder.
    bool start(milliseconds limit = milliseconds{20'000});
    bool running() { return daemon_ && daemon_->running(); }
    Child& daemon() { return *daemon_; }
    void kill_now();
    /// SIGTERM; the exit status, empty when it did not end in time.
    std::optional<int> stop(milliseconds limit = milliseconds{80'000});

    HttpAnswer get(std::string_view target) { return http(socket(), "GET", target); }
    HttpAnswer post(std::string_view target, const nlohmann::json& body) { return http(socket(), "POST", target, body.dump()); }
    /// All messages of one direction, oldest first, over every page.
    std::vector<nlohmann::json> messages(std::string_view query = "direction=outbound");
    /// Messages by status.
    std::map<std::string, int> tally(std::string_view query = "direction=outbound");
    /// Waits until every outbound message is in one of these states.
    bool settled(milliseconds limit, std::size_t count, const std::vector<std::string>& states);
    /// conductorctl on this daemon's socket.
    Finished ctl(std::vector<std::string> arguments);

    const fs::path& folder() const { return folder_; }
    fs::path socket() const { return folder_ / "control.sock"; }
    fs::path database() const { return options_.database.empty() ? folder_ / "conductor.db" : options_.database; }
    fs::path config() const { return folder_ / "conductor.toml"; }
    std::string log() const { return slurp(folder_ / "conductord.log"); }
    /// The end of the log, for the message of a failed test.
    std::string log_end() const;
    GatewayOptions& options() { return options_; }

private:
    fs::path folder_;
    GatewayOptions options_;
    std::unique_ptr<Child> daemon_;
};

}  // namespace conductor::harness
