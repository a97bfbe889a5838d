#pragma once
// The USB device behind a serial port, and its reset. Nothing here waits for the device: a driver that hangs in the kernel (FIELD row 15)
// takes a child process along, never the daemon.
#include <string>

#include "daemon/aio/aio.hpp"

namespace conductor::port {

/// "1-1.2" for "/dev/ttyUSB0", "/dev/serial/by-id/..." and the like; empty for what is on no USB bus, or gone. `sys`: where sysfs is.
std::string usb_device_of(const std::string& port, const std::string& sys = "/sys");
/// "BUS-PORT[.PORT...]" as the kernel names USB devices; no root hub, no interface.
bool is_usb_device_name(const std::string& name);
/// "/dev/bus/usb/001/007" of the device "1-1.2"; empty when it is not there.
std::string usb_node_of(const std::string& device, const std::string& sys = "/sys", const std::string& dev = "/dev");

/// USBDEVFS_RESET on a device node, in a child process. timeout when it did not end within `limit`: the child is left behind.
aio::awaitable<Result<void>> reset_usb_node(std::string node, std::chrono::milliseconds limit);

/// Asks the privileged unit conductor-reset@INDEX for a power cycle: a file INDEX in `folder` that holds the USB device's name. not_found
/// when nobody takes it within `limit`: the unit's path is not enabled; denied when the unit refuses or fails, as it says in INDEX.answer.
/// Returns when the device is on again, or after three times `limit`.
aio::awaitable<Result<void>> request_power_cycle(std::string folder, int index, std::string usb, std::chrono::milliseconds limit);

}  // namespace conductor::port
