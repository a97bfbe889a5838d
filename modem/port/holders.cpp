#include "modem/port/holders.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

namespace conductor::port {
namespace {

namespace fs = std::filesystem;

pid_t number(const std::string& text) {
    pid_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc{} && end == text.data() + text.size() ? value : 0;
}

/// Pids with a flock on that inode. A line: "1: FLOCK  ADVISORY  WRITE 715 00:05:1034 0 EOF", the device in hex.
std::set<pid_t> lockers_of(const struct stat& node, const fs::path& proc) {
    std::set<pid_t> pids;
    std::ifstream in{proc / "locks"};
    for (std::string line; std::getline(in, line);) {
        std::istringstream fields{line};
        std::string id, kind, mode, access, pid, place;
        fields >> id >> kind >> mode >> access >> pid >> place;
        unsigned device_major = 0, device_minor = 0;
        unsigned long inode = 0;
        if (std::sscanf(place.c_str(), "%x:%x:%lu", &device_major, &device_minor, &inode) != 3) continue;
        if (inode == node.st_ino && device_major == major(node.st_dev) && device_minor == minor(node.st_dev)) pids.insert(number(pid));
    }
    return pids;
}

std::string program_of(const fs::path& process) {
    std::ifstream in{process / "comm"};
    std::string name;
    std::getline(in, name);
    return name;
}

}  // namespace

Holders holders_of(const std::string& path, const fs::path& proc) {
    Holders found;
    struct stat node {};
    if (::stat(path.c_str(), &node) != 0) return found;
    const std::set<pid_t> lockers = lockers_of(node, proc);
    found.complete = true;
    std::error_code ec;
    for (fs::directory_iterator process{proc, ec}, end; !ec && process != end; process.increment(ec)) {
        const pid_t pid = number(process->path().filename().string());
        if (pid <= 0 || pid == ::getpid()) continue;
        std::error_code denied;
        bool holds = false;
        for (fs::directory_iterator fd{process->path() / "fd", denied}, last; !denied && fd != last && !holds; fd.increment(denied)) {
            struct stat open {};
            if (::stat(fd->path().c_str(), &open) != 0) continue;
            const bool same_node = open.st_dev == node.st_dev && open.st_ino == node.st_ino;
            holds = same_node || (S_ISCHR(node.st_mode) && S_ISCHR(open.st_mode) && open.st_rdev == node.st_rdev);
        }
        if (denied && denied != std::errc::no_such_file_or_directory) found.complete = false;  // gone meanwhile is no gap
        if (holds) found.all.push_back({pid, program_of(process->path()), lockers.contains(pid)});
    }
    if (ec) found.complete = false;
    std::ranges::sort(found.all, {}, &Holder::pid);
    return found;
}

pid_t lock_file_owner(const std::string& path, const fs::path& folder) {
    std::ifstream in{folder / ("LCK.." + fs::path{path}.filename().string())};
    std::string word;
    if (!(in >> word)) return 0;
    const pid_t pid = number(word);
    return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

}  // namespace conductor::port
