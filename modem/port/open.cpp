// open_port(): which back end a name needs, and the pty and TCP back ends.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>

#include "modem/port/fd_stream.hpp"

namespace conductor::port {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// The name behind every symlink, looked up anew at each open: a replugged device has another number behind the same link.
Result<std::string> resolve(const std::string& path) {
    const std::unique_ptr<char, decltype(&::free)> real{::realpath(path.c_str(), nullptr), ::free};
    if (!real) return port_error(errno, path);
    return std::string{real.get()};
}

/// /dev/pts/N: its slave side, by name or by major number 136-143.
bool is_pty(const std::string& path) {
    struct stat st {};
    if (path.starts_with("/dev/pts/")) return true;
    return ::stat(path.c_str(), &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) >= 136 && major(st.st_rdev) <= 143;
}

}  // namespace

Result<std::unique_ptr<ByteStream>> open_pty(aio::Executor ex, const std::string& path) {
    Fd fd{::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
    if (fd.get() < 0) return port_error(errno, path);
    // The lock alone keeps others off. TIOCEXCL would stay on a pty for as long as its master is open, so after a crash of ours nobody but
    // root could open it again.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return port_error(errno, path);
    termios tio{};
    if (::tcgetattr(fd.get(), &tio) != 0) return port_error(errno, path);
    ::cfmakeraw(&tio);
    tio.c_cc[VMIN] = 1;
    tio.c_cc[VTIME] = 0;
    if (::tcsetattr(fd.get(), TCSANOW, &tio) != 0) return port_error(errno, path);
    return make_fd_stream(std::move(ex), std::move(fd));
}

aio::awaitable<Result<std::unique_ptr<ByteStream>>> open_tcp(std::string host, std::string service) {
    using namespace asio::experimental::awaitable_operators;
    const auto ex = co_await asio::this_coro::executor;
    const std::string name = "tcp:" + host + ":" + service;
    asio::ip::tcp::resolver resolver{ex};
    auto looked_up = co_await (resolver.async_resolve(host, service, aio::as_value) || aio::sleep_for(10s));
    if (looked_up.index() == 1) co_return fail(PortErrc::not_found, name);
    auto [resolve_error, endpoints] = std::get<0>(std::move(looked_up));
    if (resolve_error) co_return fail(PortErrc::not_found, name);
    asio::ip::tcp::socket socket{ex};
    auto connected = co_await (asio::async_connect(socket, endpoints, aio::as_value) || aio::sleep_for(10s));
    if (connected.index() == 1) co_return fail(PortErrc::not_found, name);
    if (std::get<0>(std::get<0>(connected))) co_return fail(PortErrc::not_found, name);
    boost::system::error_code ec;
    socket.set_option(asio::ip::tcp::no_delay{true}, ec);
    if (!ec) socket.set_option(asio::socket_base::keep_alive{true}, ec);
    if (!ec) socket.native_non_blocking(true, ec);
    if (ec) co_return fail(PortErrc::io, name + ": " + ec.message());
    const int idle = 30, interval = 10, count = 3;  // seconds, so that a dead peer is noticed within a minute
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    Fd fd{::fcntl(socket.native_handle(), F_DUPFD_CLOEXEC, 3)};
    if (fd.get() < 0) co_return port_error(errno, name);
    co_return make_fd_stream(ex, std::move(fd));
}

aio::awaitable<Result<std::unique_ptr<ByteStream>>> open_port(std::string spec, PortSettings settings) {
    const auto ex = co_await asio::this_coro::executor;
    if (spec.starts_with("tcp:")) {
        std::string rest = spec.substr(spec.starts_with("tcp://") ? 6 : 4);
        const std::size_t colon = rest.rfind(':');
        if (colon == std::string::npos || colon == 0 || colon + 1 == rest.size()) co_return fail(PortErrc::bad_name, spec);
        co_return co_await open_tcp(rest.substr(0, colon), rest.substr(colon + 1));
    }
    const bool forced = spec.starts_with("pty:");
    const std::string name = forced ? spec.substr(4) : spec;
    if (name.empty() || name.front() != '/') co_return fail(PortErrc::bad_name, spec);
    const auto path = resolve(name);
    if (!path) co_return path.error();
    if (forced || is_pty(*path)) co_return open_pty(ex, *path);
    co_return co_await open_serial(*path, settings);
}

Result<std::unique_ptr<ByteStream>> adopt_port(aio::Executor ex, int descriptor) {
    Fd fd{descriptor};
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0 || ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) < 0)
        return port_error(errno, "adopted");
    std::string name = ::isatty(fd.get()) ? name_of(fd.get()) : "";
    if (is_pty(name)) name.clear();
    return make_fd_stream(std::move(ex), std::move(fd), std::move(name));
}

std::string name_of(int descriptor) {
    std::array<char, 512> name{};
    const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), name.data(), name.size());
    const std::string link = n > 0 && name[0] == '/' ? std::string{name.data(), static_cast<std::size_t>(n)} : std::string{};
    struct stat held {};
    struct stat there {};
    if (::fstat(descriptor, &held) != 0 || !S_ISCHR(held.st_mode)) return link;
    const bool right = ::stat(link.c_str(), &there) == 0 && S_ISCHR(there.st_mode) && there.st_rdev == held.st_rdev;
    if (right) return link;
    // Opened in the mount namespace of a unit that ended since, /dev/ttyUSB0 is "/ttyUSB0" there: the C library searches /dev.
    if (::ttyname_r(descriptor, name.data(), name.size()) == 0) return name.data();
    return link.starts_with("/dev/") ? link : std::string{};  // unplugged
}

}  // namespace conductor::port
