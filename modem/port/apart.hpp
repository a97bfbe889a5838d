#pragma once
// What a USB serial device may hold up in the kernel for seconds or for good: opening it, its settings, closing it (FIELD row 15). Each
// runs on a thread of its own, one at a time for a device, and nobody but who asked waits for it.
#include <functional>
#include <string>

#include "modem/port/fd_stream.hpp"

namespace conductor::port {

/// Runs `work` once no other work of `device` runs. PortErrc::hung when both do not end within `limit`: then `work` goes on by itself, or
/// was not begun, and what it refers to must belong to it. PortErrc::io when there is no thread for it.
aio::awaitable<Result<void>> run_apart(std::string device, std::function<void()> work, BootClock::duration limit);

/// Closes `fd`; what was written and is not sent yet is dropped, since a device that takes nothing would hold the close for 30 s. Returns
/// at once. `device` is not opened again before.
void close_apart(std::string device, Fd fd);

}  // namespace conductor::port
