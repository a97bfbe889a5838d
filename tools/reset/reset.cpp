#include "tools/reset/reset.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace conductor::reset {

namespace fs = std::filesystem;

namespace {

class Fd {
public:
    explicit Fd(int fd) : fd_{fd} {}
    Fd(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

/// "BUS-PORT[.PORT...]"; no root hub, no interface, no path.
bool is_device_name(const std::string& name) {
    const std::size_t dash = name.find('-');
    if (dash == std::string::npos || dash == 0 || name.size() > 40) return false;
    bool digit = false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool separator = i == dash || (i > dash && name[i] == '.');
        if (separator ? !digit : name[i] < '0' || name[i] > '9') return false;
        digit = !separator;
    }
    return digit;
}

std::string first_word(const fs::path& file) {
    std::ifstream in{file};
    std::string word;
    in >> word;
    return word;
}

std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    for (std::size_t at = 0; (at = line.find_first_not_of(" \t", at)) != std::string::npos;) {
        const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
        words.push_back(line.substr(at, end - at));
        at = end;
    }
    return words;
}

/// A serial port of `usb` itself, and not of what hangs behind it, belongs to the group.
bool has_port_of_group(const std::string& usb, const Places& places) {
    std::error_code ec;
    for (fs::directory_iterator it{fs::path{places.sys} / "class/tty", ec}, end; !ec && it != end; it.increment(ec)) {
        std::error_code gone;
        const std::string device = fs::canonical(it->path() / "device", gone).string();
        if (gone || device.find("/" + usb + "/" + usb + ":") == std::string::npos) continue;
        struct stat st {};
        const std::string node = places.dev + "/" + it->path().filename().string();
        if (::lstat(node.c_str(), &st) == 0 && !S_ISLNK(st.st_mode) && st.st_gid == places.group) return true;
    }
    return false;
}

/// ".../1-1:1.0/1-1-port2/disable" of "1-1.2", ".../1-0:1.0/usb1-port3/disable" of "1-3"; kernels before 6.0 have none.
std::string port_switch(const std::string& usb, const Places& places) {
    const fs::path devices = fs::path{places.sys} / "bus/usb/devices";
    std::error_code ec;
    if (fs::exists(devices / usb / "port/disable", ec)) return (devices / usb / "port/disable").string();
    const std::size_t dot = usb.rfind('.'), dash = usb.find('-');
    const std::string number = usb.substr((dot == std::string::npos ? dash : dot) + 1);
    const std::string hub = dot == std::string::npos ? "usb" + usb.substr(0, dash) : usb.substr(0, dot);
    const std::string interface = (dot == std::string::npos ? usb.substr(0, dash) + "-0" : hub) + ":1.0";
    const fs::path file = devices / interface / (hub + "-port" + number) / "disable";
    return fs::exists(file, ec) ? file.string() : std::string{};
}

Result<void> write_word(const std::string& file, const std::string& word) {
    const Fd fd{::open(file.c_str(), O_WRONLY | O_CLOEXEC)};
    if (fd.get() < 0 || ::write(fd.get(), word.data(), word.size()) != static_cast<ssize_t>(word.size()))
        return fail(ResetErrc::failed, file + ": " + std::strerror(errno));
    return {};
}

/// Nobody but the owner or root may change what is at `path`. In a folder with the sticky bit others may not replace what is not theirs.
bool is_safe(const fs::path& path, uid_t owner) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0 || (st.st_uid != 0 && st.st_uid != owner)) return false;
    const bool folder = S_ISDIR(st.st_mode), others_write = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    return !others_write || (folder && (st.st_mode & S_ISVTX) != 0);
}

/// The program of a reset.command, without symbolic links; refused where somebody else could have put it there.
Result<std::string> program_of(const std::string& word, uid_t owner) {
    std::error_code ec;
    const fs::path real = fs::canonical(word, ec);
    if (ec || !fs::is_regular_file(real, ec)) return fail(ResetErrc::refused, word + ": no such program");
    for (fs::path at = real;; at = at.parent_path()) {
        if (!is_safe(at, owner)) return fail(ResetErrc::refused, at.string() + ": others than root may write to it");
        if (at == at.parent_path()) return real.string();
    }
}

std::string state_file(const std::string& state, ModemIndex index) {
    return state + "/" + std::to_string(index);
}

Result<void> run(const Plan& plan) {
    std::vector<std::string> words = plan.command;
    std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "CONDUCTOR_MODEM=" + std::to_string(plan.index),
                                         "CONDUCTOR_USB=" + plan.usb};
    std::vector<char*> argv, envp;
    for (std::string& word : words) argv.push_back(word.data());
    for (std::string& word : environment) envp.push_back(word.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    pid_t child = -1;
    if (const int rc = ::posix_spawn(&child, plan.program.c_str(), nullptr, nullptr, argv.data(), envp.data()))
        return fail(ResetErrc::failed, words[0] + ": " + std::strerror(rc));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return fail(ResetErrc::failed, words[0] + ": " + std::strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(ResetErrc::failed, words[0] + (WIFEXITED(status) ? " ended with exit code " + std::to_string(WEXITSTATUS(status))
                                                                 : " ended by signal " + std::to_string(WTERMSIG(status))));
}

}  // namespace

const char* errc_library(ResetErrc) {
    return "reset";
}
std::string_view describe(ResetErrc e) {
    switch (e) {
        case ResetErrc::no_request: return "no request";
        case ResetErrc::refused: return "refused";
        case ResetErrc::failed: return "failed";
    }
    return "?";
}

Result<std::string> take_request(const std::string& folder, ModemIndex index) {
    const std::string name = std::to_string(index);
    const Fd dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (dir.get() < 0) return fail(ResetErrc::no_request, folder + ": " + std::strerror(errno));
    const Fd file{::openat(dir.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    const int open_error = errno;
    if (::unlinkat(dir.get(), name.c_str(), 0) != 0 && errno != ENOENT)
        return fail(ResetErrc::no_request, name + ": " + std::strerror(errno));
    struct stat st {};
    if (file.get() < 0) return fail(ResetErrc::no_request, name + ": " + std::strerror(open_error));
    if (::fstat(file.get(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > 64)
        return fail(ResetErrc::no_request, name + ": not a request");
    char text[65] = {};
    const ssize_t got = ::read(file.get(), text, sizeof text - 1);
    if (got < 0) return fail(ResetErrc::no_request, name + ": " + std::strerror(errno));
    std::string usb{text, static_cast<std::size_t>(got)};
    while (!usb.empty() && usb.back() == '\n') usb.pop_back();
    if (!usb.empty() && !is_device_name(usb)) return fail(ResetErrc::no_request, name + ": names no USB device");
    return usb;
}

Result<Plan> plan(const config::Modem& modem, const std::string& usb, const Places& places) {
    const std::string who = "modem " + std::to_string(modem.index);
    Plan made;
    made.index = modem.index;
    made.usb = usb;
    if (!modem.reset_command.empty()) {
        made.way = Way::command;
        made.command = words_of(modem.reset_command);
        if (made.command.empty() || !made.command[0].starts_with('/'))
            return fail(ResetErrc::refused, who + ": reset.command must begin with the absolute path of a program");
        auto program = program_of(made.command[0], places.owner);
        if (!program) return program.error();
        made.program = std::move(*program);
        return made;
    }
    if (!modem.reset_usb) return fail(ResetErrc::refused, who + ": reset.usb is off and there is no reset.command");
    const std::string device_name = usb.empty() ? modem.usb : usb;
    if (!is_device_name(device_name)) return fail(ResetErrc::refused, who + ": the request names no USB device");
    const bool named = modem.usb == device_name;
    if (!named && !modem.usb.empty() && !device_name.starts_with(modem.usb + "."))
        return fail(ResetErrc::refused, who + " is bound to " + modem.usb + ", not to " + device_name);
    made.usb = device_name;
    const fs::path device = fs::path{places.sys} / "bus/usb/devices" / device_name;
    std::error_code ec;
    const bool there = fs::exists(device, ec);
    if (there && first_word(device / "bDeviceClass") == "09") return fail(ResetErrc::refused, device_name + " is a hub");
    if (!named && !there) return fail(ResetErrc::refused, device_name + " is not there, and match.usb does not name it");
    if (!named && !has_port_of_group(device_name, places))
        return fail(ResetErrc::refused, device_name + " has no serial port of the service's group, and match.usb does not name it");
    made.file = port_switch(device_name, places);
    made.way = Way::port_power;
    made.off = "1";
    made.on = "0";
    if (!made.file.empty()) return made;
    made.file = (device / "authorized").string();
    made.way = Way::authorising;
    made.off = "0";
    made.on = "1";
    if (!fs::exists(made.file, ec)) return fail(ResetErrc::refused, device_name + " is not there and its port has no switch");
    return made;
}

void tell(const std::string& folder, ModemIndex index, const std::string& text) {
    const std::string name = std::to_string(index) + ".answer";
    const Fd dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (dir.get() < 0) return;
    ::unlinkat(dir.get(), name.c_str(), 0);
    const Fd file{::openat(dir.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (file.get() < 0 || ::fchmod(file.get(), 0644) != 0) return;
    const std::string line = text.substr(0, 400) + "\n";
    if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::unlinkat(dir.get(), name.c_str(), 0);
}

Result<void> perform(const Plan& plan, const std::string& state, std::chrono::milliseconds pause, std::chrono::milliseconds patience) {
    if (plan.way == Way::command) return run(plan);
    const std::string note = state_file(state, plan.index);
    {
        std::ofstream out{note, std::ios::trunc};
        out << plan.file << '\n' << plan.on << '\n';
        if (!out.flush()) return fail(ResetErrc::failed, note + ": cannot be written, so nothing is switched off");
    }
    sigset_t ending, before;
    ::sigemptyset(&ending);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&ending, number);
    ::sigprocmask(SIG_BLOCK, &ending, &before);  // a stop does not come between off and on
    const auto off = write_word(plan.file, plan.off);
    if (off) ::poll(nullptr, 0, static_cast<int>(pause.count()));  // a program of one thread that has nothing else to do
    auto on = write_word(plan.file, plan.on);
    for (auto left = off ? patience : std::chrono::milliseconds{0}; !on && left.count() > 0; left -= std::chrono::milliseconds{200}) {
        ::poll(nullptr, 0, 200);
        on = write_word(plan.file, plan.on);
    }
    if (on || !off) ::unlink(note.c_str());
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return off ? on : off;
}

Result<void> put_on(const std::string& state, ModemIndex index) {
    const std::string note = state_file(state, index);
    std::string file, on;
    {
        std::ifstream in{note};
        if (!in) return {};
        std::getline(in, file);
        std::getline(in, on);
    }
    std::error_code ec;
    if (!file.empty() && fs::exists(file, ec))  // else the device went, and the next one at its place begins anew
        if (auto done = write_word(file, on); !done) return done;
    ::unlink(note.c_str());
    return {};
}

}  // namespace conductor::reset
