#pragma once
// Which processes hold a device. Complete for root alone: others see their own processes.
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace conductor::port {

struct Holder {
    pid_t pid = 0;
    std::string program;  ///< /proc/PID/comm
    bool locked = false;  ///< it holds a flock on the device too
    bool operator==(const Holder&) const = default;
};

struct Holders {
    std::vector<Holder> all;  ///< by pid, without this process itself
    bool complete = false;    ///< every process could be looked into
};

/// Who has the device at `path` open, whatever name it was opened by (device number, /proc/*/fd); flocks from /proc/locks.
Holders holders_of(const std::string& path, const std::filesystem::path& proc = "/proc");

/// The pid in a lock file of the old manner (/var/lock/LCK..ttyUSB0) whose process lives; 0 where there is none.
pid_t lock_file_owner(const std::string& path, const std::filesystem::path& folder = "/var/lock");

}  // namespace conductor::port
