#pragma once
// Tells at once when a port may have come or gone: udev's events for ttys, and inotify for folders of ptys. Says no more than that: who
// listens looks for himself.
#include <memory>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"

namespace conductor::port {

class Hotplug {
public:
    /// `changed` is called on `ex`, once for a burst of events. `folders` need not exist yet: their nearest ancestor is watched until they
    /// do. What cannot be watched is logged, and left to the slow look of who uses this.
    Hotplug(aio::Executor ex, Log log, std::vector<std::string> folders, std::function<void()> changed);
    ~Hotplug();
    Hotplug(const Hotplug&) = delete;
    Hotplug& operator=(const Hotplug&) = delete;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace conductor::port
