#pragma once
// Ptys, folders and coroutines for the tests of ports.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <optional>

#include "modem/port/byte_stream.hpp"

namespace conductor::port::test {

namespace fs = std::filesystem;

/// The master side of a pty, closed at the end.
struct Master {
    Master() : fd{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)} {
        REQUIRE(fd >= 0);
        REQUIRE(::grantpt(fd) == 0);
        REQUIRE(::unlockpt(fd) == 0);
        slave = ::ptsname(fd);
    }
    ~Master() { hang_up(); }
    void hang_up() {
        if (fd >= 0) ::close(std::exchange(fd, -1));
    }
    int fd;
    std::string slave;
};

/// A folder of its own, removed at the end.
struct Folder {
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "conductor-ports-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()));
        path = pattern;
    }
    ~Folder() {
        std::error_code ec;
        fs::remove_all(path, ec);
    }
    std::string operator/(std::string_view name) const { return (path / name).string(); }
    fs::path path;
};

template <class T>
T run(boost::asio::io_context& ctx, aio::awaitable<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(ctx, std::move(task), [&](std::exception_ptr e, T value) {
        CHECK(!e);
        result = std::move(value);
    });
    ctx.restart();
    ctx.run();
    REQUIRE(result);
    return std::move(*result);
}

using Opened = Result<std::unique_ptr<ByteStream>>;
inline Opened open(boost::asio::io_context& ctx, const std::string& name) {
    return run<Opened>(ctx, open_port(name, {}));
}

}  // namespace conductor::port::test
