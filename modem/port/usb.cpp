#include "modem/port/usb.hpp"

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>

#include "modem/port/fd_stream.hpp"

namespace conductor::port {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string real_name(const std::string& path) {
    const std::unique_ptr<char, decltype(&::free)> real{::realpath(path.c_str(), nullptr), ::free};
    return real ? std::string{real.get()} : std::string{};
}

int number_in(const fs::path& file) {
    std::ifstream in{file};
    int number = -1;
    in >> number;
    return in ? number : -1;
}

std::string three_digits(int n) {
    std::string text = std::to_string(n);
    return std::string(text.size() < 3 ? 3 - text.size() : 0, '0') + text;
}

/// Between fork and _exit only what is safe in a signal handler: the daemon has other threads. Every other descriptor is closed: a hanging
/// child must not hold a serial port.
[[noreturn]] void reset_and_tell(const char* node, int answer) {
    if (answer != 3) {
        ::dup2(answer, 3);
        answer = 3;
    }
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    int error = 0;
    const int fd = ::open(node, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::ioctl(fd, USBDEVFS_RESET, nullptr) != 0) error = errno;
    const ssize_t told = ::write(answer, &error, sizeof error);
    ::_exit(told == sizeof error ? 0 : 1);
}

/// Ended children are taken leave of; one that hangs is asked after at the next reset.
void reap(pid_t child) {
    static std::vector<pid_t> left;  // on the daemon's one I/O thread alone
    left.push_back(child);
    std::erase_if(left, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

}  // namespace

bool is_usb_device_name(const std::string& name) {
    const std::size_t dash = name.find('-');
    if (dash == std::string::npos || dash == 0 || name.size() > 40) return false;
    bool digit = false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (i == dash || (i > dash && name[i] == '.')) {
            if (!digit) return false;
            digit = false;
        } else if (name[i] >= '0' && name[i] <= '9') {
            digit = true;
        } else {
            return false;
        }
    }
    return digit && name.substr(dash) != "-0";
}

namespace {

bool is_there(const fs::path& path) {
    std::error_code ec;
    return fs::exists(path, ec);
}

}  // namespace

std::string usb_device_of(const std::string& port, const std::string& sys) {
    if (!port.starts_with('/')) return {};
    const std::string real = real_name(port);
    const std::string name = fs::path{real.empty() ? port : real}.filename().string();
    const std::string device = real_name(sys + "/class/tty/" + name + "/device");
    if (device.empty()) return {};
    for (fs::path at{device}; at.has_relative_path() && at != at.parent_path(); at = at.parent_path())
        if (is_usb_device_name(at.filename().string()) && is_there(at / "busnum")) return at.filename().string();
    return {};
}

std::string usb_node_of(const std::string& device, const std::string& sys, const std::string& dev) {
    if (!is_usb_device_name(device)) return {};
    const fs::path folder = fs::path{sys} / "bus/usb/devices" / device;
    const int bus = number_in(folder / "busnum"), number = number_in(folder / "devnum");
    if (bus < 1 || number < 1) return {};
    return dev + "/bus/usb/" + three_digits(bus) + "/" + three_digits(number);
}

aio::awaitable<Result<void>> reset_usb_node(std::string node, std::chrono::milliseconds limit) {
    using namespace boost::asio::experimental::awaitable_operators;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) co_return port_error(errno, "pipe");
    Fd answer{ends[0]}, child_end{ends[1]};
    const pid_t child = ::fork();
    if (child < 0) co_return port_error(errno, "fork");
    if (child == 0) reset_and_tell(node.c_str(), child_end.get());
    child_end = Fd{};
    const auto ex = co_await boost::asio::this_coro::executor;
    boost::asio::posix::stream_descriptor pipe{ex, answer.release()};
    int error = 0;
    const auto buffer = boost::asio::buffer(&error, sizeof error);
    auto first = co_await (boost::asio::async_read(pipe, buffer, aio::as_value) || aio::sleep_for(limit));
    if (first.index() == 1) {
        ::kill(child, SIGKILL);
        reap(child);
        co_return fail(PortErrc::io, node + ": the reset hangs in the kernel");
    }
    reap(child);
    if (std::get<0>(std::get<0>(first))) co_return fail(PortErrc::io, node + ": the resetting process ended without a word");
    if (error != 0) co_return port_error(error, node);
    co_return Result<void>{};
}

aio::awaitable<Result<void>> request_power_cycle(std::string folder, int index, std::string usb, std::chrono::milliseconds limit) {
    const std::string name = folder + "/" + std::to_string(index);
    const std::string fresh = folder + "/.new-" + std::to_string(index);
    const std::string answer = name + ".answer";
    ::unlink(answer.c_str());
    {
        std::ofstream out{fresh, std::ios::trunc};
        out << usb << '\n';
        if (!out.flush()) co_return fail(PortErrc::not_found, folder);
    }
    if (::rename(fresh.c_str(), name.c_str()) != 0) co_return port_error(errno, name);
    const Instant until = BootClock::now() + limit, answered_by = until + 2 * limit;
    while (::access(name.c_str(), F_OK) == 0) {
        if (BootClock::now() >= until) {
            ::unlink(name.c_str());
            co_return fail(PortErrc::not_found, "conductor-reset@" + std::to_string(index) + ".path is not enabled");
        }
        co_await aio::sleep_for(200ms);
    }
    std::string said;
    while (BootClock::now() < answered_by) {
        if (std::ifstream in{answer}; in && std::getline(in, said)) break;
        co_await aio::sleep_for(200ms);
    }
    ::unlink(answer.c_str());
    if (!said.empty() && said != "done") co_return fail(PortErrc::denied, "conductor-reset: " + said);
    co_return Result<void>{};  // a helper that says nothing in time has taken it, and may be at it still
}

}  // namespace conductor::port
