#pragma once
// The modem simulator as a child: its ports, its control socket, and its own record of what the network took.
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/harness/http.hpp"
#include "tools/harness/process.hpp"

namespace conductor::harness {

struct SimOptions {
    int modems = 1;
    milliseconds latency{20};        ///< of one submission, Ctrl-Z to +CMGS
    milliseconds report_delay{100};  ///< from there to the delivery report
    std::uint64_t seed = 1;
    std::vector<std::string> more = {};  ///< further arguments
};

class Sim {
public:
    /// Starts modemsim in `folder` and waits until its ports are there; throws when they do not come.
    Sim(fs::path folder, SimOptions options);

    /// For the configuration: "pty:PATH" of the stable link.
    std::string port(int index) const;
    std::vector<std::string> ports() const;
    /// One request of the control socket; throws std::runtime_error when it is refused.
    nlohmann::json request(const nlohmann::json& request) const;
    /// Every submission that the network took, in order, as the simulator logged it.
    std::vector<nlohmann::json> submissions() const;
    /// How often the network took a whole message or its first part, by destination.
    std::map<std::string, int> copies() const;
    /// A text from outside arrives at a modem.
    void inject(int modem, const std::string& from, const std::string& text) const;
    /// The modem's power and port go; and come back, under the same link.
    void unplug(int modem) const;
    void plug(int modem) const;
    /// The network takes the next submission; the modem loses its power before it says so.
    void reboot_on_next_submission(int modem) const;
    /// Submissions to this number end with +CMS ERROR: code, `times` times (-1: for ever).
    void refuse(const std::string& number, int code, int times) const;
    Child& child() const { return *child_; }
    fs::path socket() const { return folder_ / "control.sock"; }

private:
    fs::path folder_;
    SimOptions options_;
    std::unique_ptr<Child> child_;
};

/// Invented destinations: +1 N9X 555 01XX, which nobody has and which lie in no state; all different for n in 0-7,999.
std::string invented_number(int n);

}  // namespace conductor::harness
