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
    std::string state = "/run/conductor-reset";  ///< root's own: what is switched off now
    gid_t group = 0;                             ///< of the service: what the udev rule has given to it is a modem
    uid_t owner = 0;                             ///< of a reset.command and of every folder above it
};

enum class Way {
    command,      ///< `reset.command` of the configuration
    port_power,   ///< the hub port's `disable`
    authorising,  ///< the device's `authorized`
};
struct Plan {
    Way way = Way::authorising;
    std::vector<std::string> command;  ///< its words
    std::string program;               ///< its file, without symbolic links
    std::string file;                  ///< of sysfs
    std::string off, on;               ///< what is written to it
    ModemIndex index = 0;
    std::string usb;
    bool operator==(const Plan&) const = default;
};

/// Takes the request of modem `index` away and gives the USB device that it names ("1-1.2", or empty). The request goes whatever it holds,
/// so that the unit is not started again for it. Symbolic links and long files are refused.
Result<std::string> take_request(const std::string& folder, ModemIndex index);

/// Tells the daemon how its request ended: "done", or why not, in the file INDEX.answer beside it. Nothing when it cannot be written.
void tell(const std::string& folder, ModemIndex index, const std::string& text);

/// What to do for `modem`, or why nothing. A device is bound when match.usb names it, or when one of its serial ports belongs to the
/// service's group and match.usb names nothing or a hub above it. Hubs are refused. A reset.command and the folders that lead to it must be
/// root's, and nobody else may write to them.
Result<Plan> plan(const config::Modem& modem, const std::string& usb, const Places& places);

/// Off, `pause`, on; or the command with CONDUCTOR_MODEM and CONDUCTOR_USB in an otherwise bare environment. On is tried for `patience`,
/// also where off failed. What is off meanwhile stands in a file of `state`, for put_on().
Result<void> perform(const Plan& plan, const std::string& state, std::chrono::milliseconds pause,
                     std::chrono::milliseconds patience = std::chrono::seconds{10});

/// Switches on what a run before this one left off, because it was killed or its write failed. Nothing to do is no error.
Result<void> put_on(const std::string& state, ModemIndex index);

}  // namespace conductor::reset
