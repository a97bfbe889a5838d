// USB devices behind ports, and resets that may hang.
#include "modem/port/usb.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "modem/port/byte_stream.hpp"

using namespace conductor;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct SysFolder {
    SysFolder() {
        char name[] = "/tmp/conductor-usb-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        top = name;
    }
    ~SysFolder() { fs::remove_all(top); }
    fs::path top;
};

void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream{file} << text;
}

template <class T>
T get(boost::asio::io_context& ctx, aio::awaitable<T> work) {
    std::optional<T> out;
    boost::asio::co_spawn(ctx, std::move(work), [&](std::exception_ptr, T value) { out = std::move(value); });
    ctx.restart();
    ctx.run();
    return std::move(*out);
}

}  // namespace

TEST_CASE("usb: the device behind a port, and its node") {
    SysFolder sys;
    const fs::path device = sys.top / "devices/pci0000:00/usb1/1-1/1-1.2";
    write(device / "busnum", "1\n");
    write(device / "devnum", "17\n");
    write(sys.top / "devices/pci0000:00/usb1/1-1/busnum", "1\n");
    fs::create_directories(device / "1-1.2:1.0/ttyUSB0");
    fs::create_directories(sys.top / "class/tty/ttyUSB0");
    fs::create_directory_symlink(device / "1-1.2:1.0/ttyUSB0", sys.top / "class/tty/ttyUSB0/device");
    fs::create_directories(sys.top / "devices/platform/serial8250");
    fs::create_directories(sys.top / "class/tty/ttyS0");
    fs::create_directory_symlink(sys.top / "devices/platform/serial8250", sys.top / "class/tty/ttyS0/device");
    fs::create_directories(sys.top / "bus/usb/devices");
    fs::create_directory_symlink(device, sys.top / "bus/usb/devices/1-1.2");
    write(sys.top / "by-id-node/ttyUSB0", "");
    fs::create_symlink(sys.top / "by-id-node/ttyUSB0", sys.top / "usb-Example-if00");

    CHECK(port::usb_device_of("/dev/ttyUSB0", sys.top) == "1-1.2");
    CHECK(port::usb_device_of((sys.top / "usb-Example-if00").string(), sys.top) == "1-1.2");
    CHECK(port::usb_device_of("/dev/ttyS0", sys.top) == "");
    CHECK(port::usb_device_of("/dev/ttyUSB7", sys.top) == "");
    CHECK(port::usb_device_of("pty:/tmp/x", sys.top) == "");
    CHECK(port::usb_device_of("tcp:127.0.0.1:7", sys.top) == "");
    CHECK(port::usb_node_of("1-1.2", sys.top, "/dev") == "/dev/bus/usb/001/017");
    CHECK(port::usb_node_of("1-1.3", sys.top, "/dev") == "");
    CHECK(port::usb_node_of("../1-1.2", sys.top, "/dev") == "");
    for (const char* bad : {"", "usb1", "1-", "-1", "1-1.", "1-1..2", "1-1:1.0", "1-0", "a-1", "1-1/2"}) {
        CAPTURE(bad);
        CHECK(!port::is_usb_device_name(bad));
    }
}

TEST_CASE("usb: a reset tells its error, and one that hangs in the kernel is left behind (row 15)") {
    SysFolder folder;
    boost::asio::io_context ctx;
    write(folder.top / "plain", "");
    auto refused = get(ctx, port::reset_usb_node((folder.top / "plain").string(), 5s));
    REQUIRE(!refused.has_value());  // no USB device
    CHECK(refused.error().is(port::PortErrc::io));
    auto gone = get(ctx, port::reset_usb_node((folder.top / "absent").string(), 5s));
    REQUIRE(!gone.has_value());
    CHECK(gone.error().is(port::PortErrc::not_found));

    ::mkfifo((folder.top / "wedged").c_str(), 0600);  // its open() waits for a reader for ever
    int ticks = 0;
    boost::asio::co_spawn(
        ctx,
        [](int& n) -> aio::awaitable<void> {
            for (; n < 10; ++n) co_await aio::sleep_for(20ms);
        }(ticks),
        boost::asio::detached);
    const Instant start = BootClock::now();
    auto hangs = get(ctx, port::reset_usb_node((folder.top / "wedged").string(), 300ms));
    REQUIRE(!hangs.has_value());
    CHECK(hangs.error().where.find("hangs") != std::string::npos);
    CHECK(BootClock::now() - start < 5s);
    CHECK(ticks == 10);  // everything else went on meanwhile
}

TEST_CASE("usb: a power cycle is asked for by a file, and it is known when nobody takes it") {
    SysFolder folder;
    boost::asio::io_context ctx;
    boost::asio::co_spawn(
        ctx,
        [](fs::path file) -> aio::awaitable<void> {
            while (!fs::exists(file)) co_await aio::sleep_for(5ms);
            std::ifstream in{file};
            std::string line;
            std::getline(in, line);
            CHECK(line == "1-1.2");
            fs::remove(file);
            co_await aio::sleep_for(300ms);
            write(file.string() + ".answer", "done\n");
        }(folder.top / "3"),
        boost::asio::detached);
    const Instant asked = BootClock::now();
    write(folder.top / "3.answer", "of an hour ago\n");
    CHECK(get(ctx, port::request_power_cycle(folder.top, 3, "1-1.2", 5s)).has_value());
    CHECK(BootClock::now() - asked >= 300ms);
    boost::asio::co_spawn(
        ctx,
        [](fs::path file) -> aio::awaitable<void> {
            while (!fs::exists(file)) co_await aio::sleep_for(5ms);
            fs::remove(file);
            write(file.string() + ".answer", "1-1.2 is a hub: refused\n");
        }(folder.top / "3"),
        boost::asio::detached);
    const auto refused = get(ctx, port::request_power_cycle(folder.top, 3, "1-1.2", 5s));
    REQUIRE(!refused.has_value());
    CHECK(refused.error().where.find("1-1.2 is a hub") != std::string::npos);
    auto nobody = get(ctx, port::request_power_cycle(folder.top, 4, "1-1.2", 250ms));
    REQUIRE(!nobody.has_value());
    CHECK(nobody.error().where.find("conductor-reset@4.path") != std::string::npos);
    CHECK(fs::is_empty(folder.top));
    CHECK(!get(ctx, port::request_power_cycle((folder.top / "absent").string(), 4, "", 250ms)).has_value());
}
