#pragma once
// What is known of ports and modems as JSON, alike from the daemon and from a command line without one.
#include <nlohmann/json_fwd.hpp>

#include "modem/driver/finder.hpp"

namespace conductor::driver {

/// {"port", "path", "usb": object or null, "answer", "problem", "imei", ..., "score", "modem_index", "meant", "quietened", "suggestion"}.
/// `suggestion` is a [[modem]] block for a modem that nobody is configured for, at its best port, with `free_index`; else null.
nlohmann::json to_json(const PortReport& report, const std::vector<PortReport>& all, ModemIndex free_index);
/// {"ports": [...], "hints": [...]}: every port, and USB devices that are modems in a state without one. `taken`: configured indices.
nlohmann::json discovery_json(const std::vector<PortReport>& all, const std::vector<ModemIndex>& taken);

nlohmann::json to_json(const Identity& who);
/// [{"topic", "command", "lines", "result"}]
nlohmann::json to_json(const std::vector<Finding>& findings);
/// The answer of `modem probe` for a port that was examined directly.
nlohmann::json to_json(const Examined& examined, const std::string& port);

}  // namespace conductor::driver
