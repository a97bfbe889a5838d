#pragma once
// All modems and their network, made from options; and the control requests, as JSON values.
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/modemsim/core/network.hpp"

namespace conductor::modemsim {

struct FleetOptions {
    int modems = 1;
    Range latency{Duration{500}, Duration{500}};
    Range report_delay{Duration{1000}, Duration{1000}};
    std::uint64_t seed = 1;
    std::string profile = "generic";
};

class Fleet {
public:
    /// IMEIs, ICCIDs, IMSIs and numbers follow from the seed and the index alone. Modems start ready, without boot URCs.
    Fleet(const Clock& clock, const FleetOptions& options);

    /// One control request to its answer: {"ok":true,…} or {"ok":false,"error":"…"}. Never throws.
    nlohmann::json control(const nlohmann::json& request);
    /// A configuration: defaults, "modem" entries, "rule", "ussd", and "control" requests done at once. Empty, or what is wrong.
    std::string configure(const nlohmann::json& config);

    Scheduler& scheduler() { return scheduler_; }
    Network& network() { return network_; }
    std::vector<std::unique_ptr<SimModem>>& modems() { return modems_; }
    bool quit_asked() const { return quit_; }

private:
    friend class Requests;
    Sim make_sim(int index, int generation) const;
    FleetOptions options_;
    Scheduler scheduler_;
    Network network_;
    std::vector<std::unique_ptr<SimModem>> modems_;
    std::vector<int> sim_generation_;
    bool quit_ = false;
};

/// Luhn check digit of decimal digits.
char luhn(std::string_view digits);
/// The log line of a submission.
nlohmann::json to_json(const Submission& s);

}  // namespace conductor::modemsim
