#pragma once
// Programs as children of a test or a benchmark: started, watched, killed and reaped by their own id. Whatever one starts ends with it.
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conductor::harness {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// CONDUCTOR_SEED, else `otherwise`. Prints the number, so that a failure can be repeated.
std::uint64_t seed(std::uint64_t otherwise);

/// A number from the environment, else `otherwise`.
long number_from_environment(const char* name, long otherwise);

/// Asks every 10 ms until `done` says true or `limit` passed; the last answer.
bool eventually(milliseconds limit, const std::function<bool()>& done);

/// Whole file as text; empty when there is none.
std::string slurp(const fs::path& file);
void write_file(const fs::path& file, std::string_view text);

/// A folder of its own, removed at the end. CONDUCTOR_KEEP=1 keeps it and prints its path.
class TempDir {
public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const fs::path& path() const { return path_; }
    fs::path operator/(std::string_view name) const { return path_ / name; }

private:
    fs::path path_;
};

/// What /proc says of a process.
struct Usage {
    double cpu_seconds = 0;           ///< user and system
    std::uint64_t bytes_written = 0;  ///< handed to write(): wchar
    std::uint64_t disk_bytes = 0;     ///< caused to be written to the disk: write_bytes
    long rss_kib = 0, pss_kib = 0;
};

/// One child. It dies with its parent (PR_SET_PDEATHSIG); the destructor ends it: SIGTERM, after 5 s SIGKILL.
class Child {
public:
    /// Runs argv[0] (a path, or found in PATH) with stdout and stderr appended to `log`. `environment`: NAME=VALUE above our own.
    /// `descriptors` are its descriptors from 3 on.
    Child(std::vector<std::string> argv, fs::path log, std::vector<std::string> environment = {}, std::vector<int> descriptors = {});
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    pid_t pid() const { return pid_; }
    bool running();
    void signal(int number);
    /// SIGKILL, then reaped.
    void kill_now();
    /// Waits for its end. Its exit status, or 128 + the signal that ended it; empty when it still runs after `limit`.
    std::optional<int> wait(milliseconds limit);
    /// Waits until its output holds `text`, counted from where this child's output began.
    bool wait_for_output(std::string_view text, milliseconds limit);
    std::string output() const;
    Usage usage() const;

private:
    bool reap(int flags);

    pid_t pid_ = -1;
    int pidfd_ = -1;
    fs::path log_;
    std::uintmax_t log_begin_ = 0;
    std::optional<int> ended_;
};

/// Runs a program to its end: status (-1: ended by us after `limit`) and what it wrote, stdout and stderr apart.
struct Finished {
    int status = -1;
    std::string out, err;
};
Finished run(const std::vector<std::string>& argv, const fs::path& folder, milliseconds limit = milliseconds{30'000},
             const std::vector<std::string>& environment = {});

}  // namespace conductor::harness
