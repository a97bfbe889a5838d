#pragma once
// Modems asked by this program itself, where no daemon runs.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/core/ids.hpp"

namespace conductor::ctl {

/// Every port of `scan`, asked: the daemon's answer to POST /v1/discovery. `taken`: configured indices.
nlohmann::json discover_directly(const std::vector<std::string>& scan, const std::vector<ModemIndex>& taken);

/// The daemon's answer to POST /v1/discovery/probe, or {"error": text, "missing": bool} where there is no such port.
nlohmann::json probe_directly(const std::string& port);

}  // namespace conductor::ctl
