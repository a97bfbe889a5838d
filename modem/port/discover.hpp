#pragma once
// Where a modem might be: the serial ports and ptys of this machine, what USB says of each, and sticks that show no serial port at all.
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/core/result.hpp"

namespace conductor::port {

/// What /sys says of the USB device behind a tty. All empty, interface -1, for a tty that is not on USB.
struct UsbFacts {
    std::string device;                 ///< the socket it is plugged into, as the kernel names it: "1-1.2"
    std::string vendor_id, product_id;  ///< four lower-case hex digits
    std::string serial;                 ///< many sticks have none, or all the same one (FIELD row 12)
    std::string manufacturer, product;  ///< as the device spells them
    std::string driver;                 ///< of the interface: "option", "cdc_acm", "ftdi_sio"
    int interface = -1;                 ///< bInterfaceNumber
    bool operator==(const UsbFacts&) const = default;
};

/// A port that open_port() may be asked for.
struct Candidate {
    std::string name;  ///< for open_port()
    std::string path;  ///< of the device itself, every link resolved
    /// Changes when the name stands for another device, or for the same one plugged in anew, even between two looks.
    std::string incarnation;
    UsbFacts usb;
    /// Ports with the same group belong to one device.
    std::string group() const { return usb.device.empty() ? path : "usb:" + usb.device; }
};

/// The facts of a tty by the last part of its path.
UsbFacts usb_facts(const std::string& path, const std::filesystem::path& sysfs = "/sys");

/// The ports of `scan`, in a stable order, each device path once: "serial" (every USB serial port, by libserialport) and "pty:DIR" or
/// "pty:DIR/*" (with * and ? in the last part). What cannot be read is left out.
std::vector<Candidate> candidates(const std::vector<std::string>& scan, const std::filesystem::path& sysfs = "/sys");

/// One port by the name that open_port() takes; not_found where there is none now, bad_name for what is no port (a file,
/// /dev/null). A TCP port has a name alone.
Result<Candidate> candidate(const std::string& name, const std::filesystem::path& sysfs = "/sys");

/// Folders that inotify must watch to notice what comes and goes of `scan` and of single `ports`; udev tells of the rest.
std::vector<std::string> folders_of(const std::vector<std::string>& scan, const std::vector<std::string>& ports = {});

/// Other control channels of the same USB device (QMI, MBIM: /dev/cdc-wdm0); a program that holds one of them may take the messages first
/// (FIELD row 83).
std::vector<std::string> control_nodes(const UsbFacts& usb, const std::filesystem::path& sysfs = "/sys");

/// A USB device of which no interface is a serial port.
struct PortlessDevice {
    std::string device, vendor_id, product_id, product;
    std::vector<std::string> classes;  ///< bInterfaceClass of its interfaces, two lower-case hex digits, each once
};
std::vector<PortlessDevice> portless_devices(const std::filesystem::path& sysfs = "/sys");

}  // namespace conductor::port
