#include "modem/port/fd_stream.hpp"

#include "modem/port/apart.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>

namespace conductor::port {

const char* errc_library(PortErrc) {
    return "port";
}

std::string_view describe(PortErrc e) {
    switch (e) {
        case PortErrc::not_found: return "no such device now";
        case PortErrc::busy: return "another process holds the port";
        case PortErrc::denied: return "no permission for the port";
        case PortErrc::lost: return "the device is gone";
        case PortErrc::bad_name: return "not a port name: pty:PATH, tcp:HOST:PORT or a device path";
        case PortErrc::io: return "the port failed";
        case PortErrc::closed: return "the port was closed";
        case PortErrc::hung: return "the device hangs in the kernel";
    }
    return "?";
}

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Error port_error(int error_number, std::string where) {
    switch (error_number) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
        case ENOTDIR: return fail(PortErrc::not_found, std::move(where));
        case EBUSY:
        case EWOULDBLOCK: return fail(PortErrc::busy, std::move(where));
        case EACCES:
        case EPERM: return fail(PortErrc::denied, std::move(where));
        case EIO:
        case EPIPE:
        case ECONNRESET:
        case ETIMEDOUT: return fail(PortErrc::lost, std::move(where));
        default: return fail(PortErrc::io, where + ": " + std::generic_category().message(error_number));
    }
}

namespace {

namespace asio = boost::asio;

class FdStream final : public ByteStream {
public:
    FdStream(aio::Executor ex, Fd fd, std::string device)
        : descriptor_{std::move(ex), fd.get()}, device_{std::move(device)}, socket_{is_socket(fd.get())} {
        fd.release();
    }
    ~FdStream() override { FdStream::close(); }

    aio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into) override {
        if (++in_a_row_ >= turn) {  // a peer that writes without end does not keep the others waiting
            in_a_row_ = 0;
            co_await asio::post(co_await asio::this_coro::executor, aio::use_awaitable);
        }
        for (;;) {
            if (!descriptor_.is_open()) co_return fail(PortErrc::closed, "read");
            const ssize_t n = ::read(descriptor_.native_handle(), into.data(), into.size());
            if (n > 0) co_return static_cast<std::size_t>(n);
            if (n == 0) co_return fail(PortErrc::lost, "read");  // hung up, or the peer closed: VMIN is 1, so nothing else reads 0
            if (errno == EINTR) continue;
            if (errno != EAGAIN) co_return port_error(errno, "read");
            if (hung_up()) co_return fail(PortErrc::lost, "poll");
            in_a_row_ = 0;
            const auto [ec] = co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_read, aio::as_value);
            if (ec) co_return fail(PortErrc::closed, "read");
        }
    }

    Result<std::size_t> write_now(std::span<const std::uint8_t> octets) override {
        std::size_t taken = 0;
        while (taken < octets.size()) {
            if (!descriptor_.is_open()) return fail(PortErrc::closed, "write");
            const auto rest = octets.subspan(taken);
            // a socket whose peer is gone must not raise SIGPIPE, whoever uses this library
            const ssize_t n = socket_ ? ::send(descriptor_.native_handle(), rest.data(), rest.size(), MSG_NOSIGNAL)
                                      : ::write(descriptor_.native_handle(), rest.data(), rest.size());
            if (n > 0) {
                taken += static_cast<std::size_t>(n);
                continue;
            }
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno != EAGAIN) return port_error(errno, "write");
            if (hung_up()) return fail(PortErrc::lost, "poll");
            break;
        }
        return taken;
    }

    aio::awaitable<Result<void>> write(std::span<const std::uint8_t> octets) override {
        for (;;) {
            const auto taken = write_now(octets);
            if (!taken) co_return taken.error();
            octets = octets.subspan(*taken);
            if (octets.empty()) break;
            const auto [ec] = co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_write, aio::as_value);
            if (ec) co_return fail(PortErrc::closed, "write");
        }
        co_return Result<void>{};
    }

    void close() override {
        if (!descriptor_.is_open()) return;
        if (!device_.empty()) return close_apart(device_, Fd{descriptor_.release()});
        boost::system::error_code ignored;  // the descriptor is gone whatever close(2) says
        descriptor_.close(ignored);
    }

    int descriptor() const override { return descriptor_.is_open() ? const_cast<FdStream*>(this)->descriptor_.native_handle() : -1; }

private:
    static bool is_socket(int fd) {
        struct stat st {};
        return ::fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    }
    bool hung_up() {
        pollfd p{descriptor_.native_handle(), POLLIN, 0};
        return ::poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 && (p.revents & POLLIN) == 0;
    }
    static constexpr int turn = 16;
    asio::posix::stream_descriptor descriptor_;
    std::string device_;
    int in_a_row_ = 0;  ///< reads that found octets at once
    bool socket_;
};

}  // namespace

std::unique_ptr<ByteStream> make_fd_stream(aio::Executor ex, Fd fd, std::string device) {
    return std::make_unique<FdStream>(std::move(ex), std::move(fd), std::move(device));
}

}  // namespace conductor::port
