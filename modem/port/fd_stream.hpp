#pragma once
// A ByteStream on a descriptor of a tty or a socket.
#include <memory>

#include "modem/port/byte_stream.hpp"

namespace conductor::port {

/// Closes a descriptor that nobody owns yet.
class Fd {
public:
    explicit Fd(int fd = -1) : fd_{fd} {}
    Fd(Fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    Fd& operator=(Fd&& other) noexcept;
    ~Fd();
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

/// The error of errno: not_found, busy, denied, lost or io, with `where`.
Error port_error(int error_number, std::string where);

/// Takes the descriptor over, which must be non-blocking. `device`: of a tty whose close may wait for the hardware; it is closed apart.
std::unique_ptr<ByteStream> make_fd_stream(aio::Executor ex, Fd fd, std::string device = {});

/// The back ends of open_port(). `path` is resolved already.
Result<std::unique_ptr<ByteStream>> open_pty(aio::Executor ex, const std::string& path);
/// hung when the device does not let itself be opened within ten seconds.
aio::awaitable<Result<std::unique_ptr<ByteStream>>> open_serial(std::string path, PortSettings settings);
/// What libserialport leaves undone on an open tty: no hardware flow control, DTR kept at a close, no XON/XOFF, VMIN 1. 0 or errno.
int finish_serial_settings(int fd);
aio::awaitable<Result<std::unique_ptr<ByteStream>>> open_tcp(std::string host, std::string service);

}  // namespace conductor::port
