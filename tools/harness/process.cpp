#include "tools/harness/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace conductor::harness {

namespace {

[[noreturn]] void system_failure(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* argv, char* const* envp, int out, int err, const std::vector<int>& descriptors) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    unsigned next = 3;
    for (const int descriptor : descriptors) {  // above all that is in use first, so that none overwrites another
        const int high = ::fcntl(descriptor, F_DUPFD, 64);
        ::dup2(high, static_cast<int>(next++));
    }
    ::close_range(next, ~0U, 0);
    ::execvpe(argv[0], argv, envp);
    ::_exit(127);
}

pid_t start(std::vector<std::string> argv, std::vector<std::string> environment, int out, int err, const std::vector<int>& descriptors) {
    std::vector<char*> arguments, variables;
    for (std::string& argument : argv) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    for (std::string& variable : environment) variables.push_back(variable.data());
    for (char** old = environ; *old; ++old) {
        const std::string_view name{*old, static_cast<std::size_t>(std::strcspn(*old, "=")) + 1};
        bool replaced = false;
        for (const std::string& variable : environment) replaced = replaced || variable.starts_with(name);
        if (!replaced) variables.push_back(*old);
    }
    variables.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) system_failure("fork");
    if (pid == 0) become(arguments.data(), variables.data(), out, err, descriptors);
    return pid;
}

/// A descriptor that becomes readable when the process ends. (glibc 2.36 declares pidfd_open without C linkage.)
int open_pidfd(pid_t pid, unsigned flags) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags));
}

int open_log(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) system_failure(file.string());
    return fd;
}

std::uint64_t field(std::string_view text, std::string_view name) {
    const auto at = text.find(name);
    if (at == text.npos) return 0;
    const auto digits = text.find_first_of("0123456789", at + name.size());
    std::uint64_t value = 0;
    if (digits != text.npos) std::from_chars(text.data() + digits, text.data() + text.size(), value);
    return value;
}

}  // namespace

std::uint64_t seed(std::uint64_t otherwise) {
    const char* text = std::getenv("CONDUCTOR_SEED");
    std::uint64_t value = otherwise;
    if (text) std::from_chars(text, text + std::strlen(text), value);
    std::cout << "CONDUCTOR_SEED=" << value << std::endl;
    return value;
}

long number_from_environment(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    if (text) std::from_chars(text, text + std::strlen(text), otherwise);
    return otherwise;
}

bool eventually(milliseconds limit, const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= end) return done();
        std::this_thread::sleep_for(milliseconds{10});
    }
    return true;
}

std::string slurp(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    std::stringstream text;
    if (in) text << in.rdbuf();
    return text.str();
}

void write_file(const fs::path& file, std::string_view text) {
    std::ofstream out{file, std::ios::binary | std::ios::trunc};
    out << text;
    if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

TempDir::TempDir() {
    std::string name = (fs::temp_directory_path() / "conductor-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) system_failure(name);
    path_ = name;
}

TempDir::~TempDir() {
    const char* keep = std::getenv("CONDUCTOR_KEEP");
    if (keep && *keep == '1') {
        std::cout << "kept " << path_ << std::endl;
        return;
    }
    std::error_code ignored;  // a folder that stays behind in /tmp is no failure of the test
    fs::remove_all(path_, ignored);
}

Child::Child(std::vector<std::string> argv, fs::path log, std::vector<std::string> environment, std::vector<int> descriptors)
    : log_{std::move(log)} {
    const std::string program = argv.front();
    const int fd = open_log(log_);
    log_begin_ = fs::file_size(log_);
    pid_ = start(std::move(argv), std::move(environment), fd, fd, descriptors);
    ::close(fd);
    pidfd_ = open_pidfd(pid_, 0);
    if (pidfd_ < 0) system_failure("pidfd_open of " + program);
}

Child::~Child() {
    if (running()) {
        signal(SIGTERM);
        if (!wait(milliseconds{5'000})) kill_now();
    }
    if (pidfd_ >= 0) ::close(pidfd_);
}

bool Child::reap(int flags) {
    if (ended_) return true;
    int status = 0;
    if (::waitpid(pid_, &status, flags) != pid_) return false;
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

bool Child::running() {
    return !reap(WNOHANG);
}

void Child::signal(int number) {
    if (!ended_) ::kill(pid_, number);
}

void Child::kill_now() {
    signal(SIGKILL);
    reap(0);
}

std::optional<int> Child::wait(milliseconds limit) {
    pollfd ready{pidfd_, POLLIN, 0};
    if (!ended_ && ::poll(&ready, 1, static_cast<int>(limit.count())) > 0) reap(0);
    return ended_;
}

bool Child::wait_for_output(std::string_view text, milliseconds limit) {
    return eventually(limit, [&] { return output().find(text) != std::string::npos || !running(); }) &&
           output().find(text) != std::string::npos;
}

std::string Child::output() const {
    const std::string all = slurp(log_);
    return all.size() > log_begin_ ? all.substr(log_begin_) : std::string{};
}

Usage Child::usage() const {
    const fs::path proc = fs::path{"/proc"} / std::to_string(pid_);
    Usage usage;
    // After the command's name, which may hold spaces: field 14 and 15 of proc(5) are utime and stime in ticks.
    const std::string stat = slurp(proc / "stat");
    std::istringstream fields{stat.substr(std::min(stat.size(), stat.rfind(')') + 1))};
    std::string skipped;
    for (int n = 3; n < 14; ++n) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    usage.cpu_seconds = (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    const std::string io = slurp(proc / "io");
    usage.bytes_written = field(io, "wchar:");
    usage.disk_bytes = field(io, "\nwrite_bytes:");
    const std::string memory = slurp(proc / "smaps_rollup");
    usage.rss_kib = static_cast<long>(field(memory, "\nRss:"));
    usage.pss_kib = static_cast<long>(field(memory, "\nPss:"));
    return usage;
}

Finished run(const std::vector<std::string>& argv, const fs::path& folder, milliseconds limit,
             const std::vector<std::string>& environment) {
    const fs::path out = folder / "run.out", err = folder / "run.err";
    write_file(out, "");
    write_file(err, "");
    const int out_fd = open_log(out), err_fd = open_log(err);
    const pid_t pid = start(argv, environment, out_fd, err_fd, {});
    ::close(out_fd);
    ::close(err_fd);
    const int pidfd = open_pidfd(pid, 0);
    pollfd ready{pidfd, POLLIN, 0};
    const bool ended = ::poll(&ready, 1, static_cast<int>(limit.count())) > 0;
    if (!ended) ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ::close(pidfd);
    Finished finished{-1, slurp(out), slurp(err)};
    if (ended) finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return finished;
}

}  // namespace conductor::harness
