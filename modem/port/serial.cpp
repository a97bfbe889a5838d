// Serial ports through libserialport 0.1.1, with what that version leaves undone.
#include <fcntl.h>
#include <libserialport.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "modem/port/apart.hpp"
#include "modem/port/holders.hpp"

namespace conductor::port {
namespace {

constexpr std::chrono::seconds longest_open{10};  // a control transfer of a healthy device takes milliseconds

struct PortCloser {
    void operator()(sp_port* port) const noexcept {
        sp_close(port);  // an error means that it was not open
        sp_free_port(port);
    }
};

Error serial_error(sp_return rc, const std::string& path) {
    switch (rc) {
        case SP_ERR_ARG: return fail(PortErrc::not_found, path);  // not in /sys/class/tty
        case SP_ERR_FAIL: return port_error(sp_last_error_code(), path);
        case SP_ERR_SUPP: return fail(PortErrc::io, path + ": not supported");
        case SP_ERR_MEM: return fail(PortErrc::io, path + ": no memory");
        case SP_OK: break;
    }
    return fail(PortErrc::io, path);
}

}  // namespace

/// What the library does not do: it writes CRTSCTS into c_iflag, sets HUPCL (closing would drop DTR, and a modem with &D2 would reset), and
/// leaves VMIN at 0, so that a hang-up reads like silence.
int finish_serial_settings(int fd) {
    termios tio{};
    if (::tcgetattr(fd, &tio) != 0) return errno;
    tio.c_cflag &= ~static_cast<tcflag_t>(HUPCL);
    tio.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS);  // most sticks and cables have no such lines
    tio.c_iflag &= ~static_cast<tcflag_t>(IXON | IXOFF | IXANY);
    tio.c_cc[VMIN] = 1;
    tio.c_cc[VTIME] = 0;
    return ::tcsetattr(fd, TCSANOW, &tio) == 0 ? 0 : errno;
}

namespace {

/// Each of these calls may wait for the device: O_NONBLOCK does not cover the control transfers of USB. The port is ours before anything is
/// set: one that another process holds is left exactly as it is.
Result<Fd> open_device(const std::string& path, const PortSettings& settings) {
    Fd fd{::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
    if (fd.get() < 0) return port_error(errno, path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return port_error(errno, path);
    if (const pid_t owner = lock_file_owner(path); owner > 0 && owner != ::getpid()) return fail(PortErrc::busy, path);
    sp_port* found = nullptr;
    if (const sp_return rc = sp_get_port_by_name(path.c_str(), &found); rc != SP_OK) return serial_error(rc, path);
    const std::unique_ptr<sp_port, PortCloser> port{found};  // its own descriptor goes when this does
    if (const sp_return rc = sp_open(port.get(), SP_MODE_READ_WRITE); rc != SP_OK) return serial_error(rc, path);
    const auto checked = [&](sp_return rc) { return rc == SP_OK; };
    if (!checked(sp_set_baudrate(port.get(), static_cast<int>(settings.baud))) || !checked(sp_set_bits(port.get(), 8)) ||
        !checked(sp_set_parity(port.get(), SP_PARITY_NONE)) || !checked(sp_set_stopbits(port.get(), 1)))
        return port_error(sp_last_error_code(), path);
    if (!checked(sp_set_dtr(port.get(), SP_DTR_ON)) && sp_last_error_code() == EIO)
        return port_error(EIO, path);  // some have no modem lines
    if (const int error = finish_serial_settings(fd.get())) return port_error(error, path);
    if (::ioctl(fd.get(), TIOCEXCL) != 0) return port_error(errno, path);
    return fd;
}

}  // namespace

aio::awaitable<Result<std::unique_ptr<ByteStream>>> open_serial(std::string path, PortSettings settings) {
    const auto opened = std::make_shared<std::optional<Result<Fd>>>();
    auto work = [opened, path, settings] { opened->emplace(open_device(path, settings)); };
    const auto ended = co_await run_apart(path, std::move(work), longest_open);
    if (!ended) co_return ended.error();
    if (!**opened) co_return (*opened)->error();
    co_return make_fd_stream(co_await boost::asio::this_coro::executor, std::move(***opened), std::move(path));
}

}  // namespace conductor::port
