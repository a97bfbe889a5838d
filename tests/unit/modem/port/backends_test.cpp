// The back ends that no modem on the desk tests: TCP against a listener of our own, the serial one as far as a pty goes.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <termios.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <thread>

#include "modem/port/fd_stream.hpp"
#include "tests/unit/modem/port/ports.hpp"

using namespace conductor;
using namespace conductor::port;
using namespace conductor::port::test;
using namespace std::chrono_literals;

namespace {

/// A listener on 127.0.0.1, as ser2net in raw mode is one.
struct Listener {
    Listener() : fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(fd.get(), 4) == 0);
        socklen_t length = sizeof address;
        REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
        name = "tcp:127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    Fd accept() const {
        pollfd waiting{fd.get(), POLLIN, 0};
        REQUIRE(::poll(&waiting, 1, 5000) == 1);
        return Fd{::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    }
    Fd fd;
    std::string name;
};

std::string text_of(boost::asio::io_context& ctx, ByteStream& stream, std::size_t octets) {
    std::string text;
    std::uint8_t buffer[64];
    while (text.size() < octets) {
        const auto n = run<Result<std::size_t>>(ctx, stream.read_some(buffer));
        if (!n) return text + "!" + n.error().text();
        text.append(buffer, buffer + *n);
    }
    return text;
}

Result<void> say(boost::asio::io_context& ctx, ByteStream& stream, std::string_view text) {
    const std::span<const std::uint8_t> octets{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    return run<Result<void>>(ctx, stream.write(octets));
}

void put(const Fd& fd, std::string_view text) {
    REQUIRE(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("tcp: a modem behind a serial server, its octets in pieces") {
    const Listener listener;
    boost::asio::io_context ctx;
    auto stream = open(ctx, listener.name);
    REQUIRE(stream.has_value());
    const Fd peer = listener.accept();
    REQUIRE(say(ctx, **stream, "AT\r").has_value());
    char got[8]{};
    REQUIRE(::recv(peer.get(), got, sizeof got, 0) == 3);
    CHECK(std::string{got, 3} == "AT\r");
    std::thread slow{[&] {
        for (const char c : std::string_view{"\r\nOK\r\n"}) {
            std::this_thread::sleep_for(5ms);
            (void)!::send(peer.get(), &c, 1, MSG_NOSIGNAL);
        }
    }};
    CHECK(text_of(ctx, **stream, 6) == "\r\nOK\r\n");
    slow.join();
    // every octet value passes
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    put(peer, all);
    CHECK(text_of(ctx, **stream, all.size()) == all);
    int keep_alive = 0;
    socklen_t length = sizeof keep_alive;
    REQUIRE(::getsockopt((*stream)->descriptor(), SOL_SOCKET, SO_KEEPALIVE, &keep_alive, &length) == 0);
    CHECK(keep_alive != 0);
}

TEST_CASE("tcp: a reset, a half-close and a closed listener are told as what they are") {
    const Listener listener;
    boost::asio::io_context ctx;
    std::uint8_t buffer[16];
    SUBCASE("reset") {
        auto stream = open(ctx, listener.name);
        REQUIRE(stream.has_value());
        {
            const Fd peer = listener.accept();
            const linger hard{1, 0};
            REQUIRE(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
        }
        CHECK(run<Result<std::size_t>>(ctx, (*stream)->read_some(buffer)).error().is(PortErrc::lost));
    }
    SUBCASE("half-close: what it said before is read, then it is lost") {
        auto stream = open(ctx, listener.name);
        REQUIRE(stream.has_value());
        const Fd peer = listener.accept();
        put(peer, "BYE");
        REQUIRE(::shutdown(peer.get(), SHUT_WR) == 0);
        CHECK(text_of(ctx, **stream, 3) == "BYE");
        CHECK(run<Result<std::size_t>>(ctx, (*stream)->read_some(buffer)).error().is(PortErrc::lost));
    }
    SUBCASE("a write to a closed peer") {
        auto stream = open(ctx, listener.name);
        REQUIRE(stream.has_value());
        { const Fd peer = listener.accept(); }
        Result<void> written;
        for (int i = 0; i < 100 && written; ++i) {
            written = say(ctx, **stream, "AT\r");
            std::this_thread::sleep_for(1ms);
        }
        REQUIRE(!written.has_value());
        CHECK(written.error().is(PortErrc::lost));
    }
    SUBCASE("nobody listens") {
        std::string name;
        {
            const Listener gone;
            name = gone.name;
        }
        CHECK(open(ctx, name).error().is(PortErrc::not_found));
    }
}

TEST_CASE("tcp: a peer that reads nothing holds a write until it is closed") {
    using namespace boost::asio::experimental::awaitable_operators;
    const Listener listener;
    boost::asio::io_context ctx;
    auto stream = open(ctx, listener.name);
    REQUIRE(stream.has_value());
    const Fd peer = listener.accept();
    const std::string much(64U << 20U, 'x');
    const std::span<const std::uint8_t> octets{reinterpret_cast<const std::uint8_t*>(much.data()), much.size()};
    std::optional<Result<void>> ended;
    boost::asio::co_spawn(ctx, (*stream)->write(octets), [&](std::exception_ptr, Result<void> r) { ended = std::move(r); });
    ctx.restart();
    ctx.run_for(50ms);
    CHECK(!ended);
    (*stream)->close();
    ctx.run_for(1s);
    REQUIRE(ended);
    CHECK(ended->error().is(PortErrc::closed));
}

TEST_CASE("errors of the system, as ports name them") {
    struct Row {
        int number;
        PortErrc want;
    };
    const Row rows[] = {{ENOENT, PortErrc::not_found},  {ENODEV, PortErrc::not_found}, {ENXIO, PortErrc::not_found},
                        {ENOTDIR, PortErrc::not_found}, {EBUSY, PortErrc::busy},       {EWOULDBLOCK, PortErrc::busy},
                        {EACCES, PortErrc::denied},     {EPERM, PortErrc::denied},     {EIO, PortErrc::lost},
                        {EPIPE, PortErrc::lost},        {ECONNRESET, PortErrc::lost},  {ETIMEDOUT, PortErrc::lost},
                        {EINVAL, PortErrc::io},         {ENOMEM, PortErrc::io}};
    for (const Row& row : rows) {
        CAPTURE(row.number);
        const Error error = port_error(row.number, "/dev/ttyUSB0");
        CHECK(error.is(row.want));
        CHECK(error.where.starts_with("/dev/ttyUSB0"));
    }
}

TEST_CASE("serial: what is not in /sys is no serial port, and says so") {
    boost::asio::io_context ctx;
    const Master master;
    const auto serial = [&](std::string path) { return run<Result<std::unique_ptr<ByteStream>>>(ctx, open_serial(std::move(path), {})); };
    const auto pty = serial(master.slave);  // open_port() sends a pty elsewhere
    REQUIRE(!pty.has_value());
    CHECK(pty.error().is(PortErrc::not_found));
    CHECK(serial("/dev/ttyUSB98").error().is(PortErrc::not_found));
    CHECK(open(ctx, "/dev/ttyUSB98").error().is(PortErrc::not_found));
    CHECK(open(ctx, "/dev/serial/by-id/nothing").error().is(PortErrc::not_found));
    CHECK(open(ctx, "/dev/null").error().is(PortErrc::not_found));
}

TEST_CASE("serial: what the library leaves undone is done on any tty") {
    const Master master;
    const Fd fd{::open(master.slave.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
    REQUIRE(fd.get() >= 0);
    termios before{};
    REQUIRE(::tcgetattr(fd.get(), &before) == 0);
    before.c_cflag |= HUPCL | CRTSCTS;
    before.c_iflag |= IXON | IXOFF;
    before.c_cc[VMIN] = 0;
    REQUIRE(::tcsetattr(fd.get(), TCSANOW, &before) == 0);
    REQUIRE(finish_serial_settings(fd.get()) == 0);
    termios now{};
    REQUIRE(::tcgetattr(fd.get(), &now) == 0);
    CHECK((now.c_cflag & HUPCL) == 0);  // closing must not drop DTR
    CHECK((now.c_cflag & CRTSCTS) == 0);
    CHECK((now.c_iflag & (IXON | IXOFF | IXANY)) == 0);
    CHECK(now.c_cc[VMIN] == 1);  // else a hang-up reads like silence
    CHECK(now.c_cc[VTIME] == 0);
    CHECK(finish_serial_settings(-1) == EBADF);
}

TEST_CASE("serial: a port that another process holds is left as it is") {
    const Master master;
    const Fd other{::open(master.slave.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);
    termios before{}, after{};
    REQUIRE(::tcgetattr(other.get(), &before) == 0);
    boost::asio::io_context ctx;
    const auto opened = run<Result<std::unique_ptr<ByteStream>>>(ctx, open_serial(master.slave, {}));
    REQUIRE(opened.has_error());
    CHECK(opened.error().is(PortErrc::busy));
    REQUIRE(::tcgetattr(other.get(), &after) == 0);
    CHECK(before.c_cflag == after.c_cflag);
    CHECK(before.c_iflag == after.c_iflag);
}

TEST_CASE("a line that never falls silent leaves the others their turn") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const Fd talker{ends[0]};
    boost::asio::io_context ctx;
    const auto stream = make_fd_stream(ctx.get_executor(), Fd{ends[1]});
    const std::string much(64 * 1024, 'x');
    const ssize_t written = ::send(talker.get(), much.data(), much.size(), MSG_NOSIGNAL);
    REQUIRE(written > 16 * 1024);
    int reads = 0, turns = 0, turns_before_the_end = 0;
    boost::asio::co_spawn(
        ctx,
        [](ByteStream& s, ssize_t octets, int& n, int& others, int& seen) -> aio::awaitable<void> {
            std::array<std::uint8_t, 64> buffer;
            for (; octets > 0; ++n) {
                const auto got = co_await s.read_some(buffer);
                REQUIRE(got.has_value());
                octets -= static_cast<ssize_t>(*got);
            }
            seen = others;
        }(*stream, written, reads, turns, turns_before_the_end),
        boost::asio::detached);
    boost::asio::co_spawn(
        ctx,
        [](int& others) -> aio::awaitable<void> {
            for (; others < 1000; ++others) co_await boost::asio::post(co_await boost::asio::this_coro::executor, aio::use_awaitable);
        }(turns),
        boost::asio::detached);
    ctx.run();
    CHECK(reads >= 256);
    CHECK(turns_before_the_end >= reads / 16 - 1);
}
