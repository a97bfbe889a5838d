#pragma once
// The last rung of the recovery ladder, as root: the power cycle of one modem. The daemon asks by a file; what it says is not believed, but
// held against the configuration and the devices, both root's. Nothing passes through a shell.
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/core/result.hpp"

namespace conductor::reset {

enum class ResetErrc {
    no_request = 1,  ///< the daemon asked for nothing, or not in the way that it does
    refused,         ///< not a device that the configuration binds
    failed,          ///< the system refused, or the command ended with an error
};
const char* errc_library(ResetErrc);
std::string_view describe(ResetErrc e);

/// Where things are; other places in tests.
struct Places {
    std::string sys = "/sys", dev = "/dev", requests = "/run/conductor/reset";
    gid_t group = 0;  ///< of the service: what the udev rule has given to it is a modem
};

enum class Way {
    command,      ///< `reset.command` of the configuration
    port_power,   ///< the hub port's `disable`
    authorising,  ///< the device's `authorized`
};
struct Plan {
    Way way = Way::authorising;
    std::vector<std::string> command;  ///< its words
    std::string file;                  ///< of sysfs
    std::string off, on;               ///< what is written to it
    ModemIndex index = 0;
    std::string usb;
    bool operator==(const Plan&) const = default;
};

/// Takes the request of modem `index` away and gives the USB device that it names ("1-1.2", or empty). The request goes whatever it holds,
/// so that the unit is not started again for it. Symbolic links and long files are refused.
Result<std::string> take_request(const std::string& folder, ModemIndex index);

/// What to do for `modem`, or why nothing. A device is bound when match.usb names it, or when one of its serial ports belongs to the
/// service's group. Hubs are refused.
Result<Plan> plan(const config::Modem& modem, const std::string& usb, const Places& places);

/// Off, `pause`, on; or the command with CONDUCTOR_MODEM and CONDUCTOR_USB in an otherwise bare environment.
Result<void> perform(const Plan& plan, std::chrono::milliseconds pause);

}  // namespace conductor::reset
