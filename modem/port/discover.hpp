#pragma once
// Where a modem might be.
#include <string>
#include <vector>

namespace conductor::port {

/// Names for open_port(), in a stable order. `scan`: "serial" (every USB serial port of /sys) and "pty:DIR" or "pty:DIR/*" (with * and ? in
/// the last part). `usb` ("1-1.2") keeps the serial ports of that USB device alone. What cannot be read is left out.
std::vector<std::string> candidates(const std::vector<std::string>& scan, const std::string& usb);

}  // namespace conductor::port
