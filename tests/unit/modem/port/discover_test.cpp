// Which ports there are and who holds them: a /sys and a /proc of our own, links that move, a folder that comes late.
#include "modem/port/discover.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>

#include "modem/port/holders.hpp"
#include "modem/port/hotplug.hpp"
#include "tests/unit/modem/port/ports.hpp"

using namespace conductor;
using namespace conductor::port;
using namespace conductor::port::test;
using namespace std::chrono_literals;

namespace {

/// A stick with three serial ports and a QMI channel, and one that is a CD-ROM still, as /sys shows them.
void plug_sticks(const fs::path& sys) {
    const fs::path stick = sys / "devices/pci0000:00/usb1/1-1/1-1.2";
    const auto write = [](const fs::path& file, const char* text) {
        fs::create_directories(file.parent_path());
        std::ofstream{file} << text << '\n';
    };
    write(stick / "idVendor", "12d1");
    write(stick / "idProduct", "1001");
    write(stick / "product", "Example Mobile");
    fs::create_directories(sys / "bus/usb/drivers/option");
    fs::create_directories(sys / "class/tty");
    fs::create_directories(sys / "bus/usb/devices");
    for (int i = 0; i < 3; ++i) {
        const fs::path interface = stick / ("1-1.2:1." + std::to_string(i));
        const std::string name = "ttyUSB" + std::to_string(i);
        write(interface / "bInterfaceNumber", ("0" + std::to_string(i)).c_str());
        write(interface / "bInterfaceClass", "ff");
        fs::create_directories(interface / name / "tty" / name);
        fs::create_directory_symlink(sys / "bus/usb/drivers/option", interface / "driver");
        fs::create_directory_symlink(interface / name, interface / name / "tty" / name / "device");
        fs::create_directory_symlink(interface / name / "tty" / name, sys / "class/tty" / name);
        fs::create_directory_symlink(interface, sys / "bus/usb/devices" / interface.filename());
    }
    const fs::path qmi = stick / "1-1.2:1.4";
    write(qmi / "bInterfaceClass", "ff");
    fs::create_directories(qmi / "usbmisc/cdc-wdm0");
    fs::create_directory_symlink(qmi, sys / "bus/usb/devices/1-1.2:1.4");
    fs::create_directory_symlink(stick, sys / "bus/usb/devices/1-1.2");
    const fs::path other = sys / "devices/pci0000:00/usb1/1-3";
    write(other / "idVendor", "12d1");
    write(other / "idProduct", "1f01");
    write(other / "1-3:1.0/bInterfaceClass", "08");
    fs::create_directory_symlink(other, sys / "bus/usb/devices/1-3");
}

}  // namespace

TEST_CASE("facts of /sys: which stick, which interface, what else it has") {
    const Folder folder;
    plug_sticks(folder.path);
    const UsbFacts facts = usb_facts("/dev/ttyUSB2", folder.path);
    CHECK(facts.device == "1-1.2");
    CHECK(facts.interface == 2);
    CHECK(facts.vendor_id == "12d1");
    CHECK(facts.product_id == "1001");
    CHECK(facts.product == "Example Mobile");
    CHECK(facts.serial.empty());
    CHECK(facts.driver == "option");
    CHECK(usb_facts("/dev/ttyS0", folder.path) == UsbFacts{});
    CHECK(control_nodes(facts, folder.path) == std::vector<std::string>{"/dev/cdc-wdm0"});
    CHECK(control_nodes(UsbFacts{}, folder.path).empty());

    const auto portless = portless_devices(folder.path);
    REQUIRE(portless.size() == 1);  // the modem has ports
    CHECK(portless[0].device == "1-3");
    CHECK(portless[0].product_id == "1f01");
    CHECK(portless[0].classes == std::vector<std::string>{"08"});
}

TEST_CASE("candidates: by glob, each device once, and an incarnation that tells a replug under the same name") {
    const Folder folder;
    Master first, second;
    fs::create_symlink(first.slave, folder / "modem0");
    fs::create_symlink(first.slave, folder / "modem0-again");
    fs::create_symlink(second.slave, folder / "other");
    std::ofstream{folder / "modem9"} << "a file is no port";
    auto found = candidates({"pty:" + (folder / "modem*")});
    REQUIRE(found.size() == 1);
    CHECK(found[0].name == "pty:" + (folder / "modem0"));
    CHECK(found[0].path == first.slave);
    CHECK(candidates({"pty:" + folder.path.string()}).size() == 2);
    CHECK(candidates({"pty:" + (folder / "none/*"), "pty:/nonexistent"}).empty());
    CHECK(found[0].incarnation == candidates({"pty:" + (folder / "modem*")})[0].incarnation);

    fs::remove(folder / "modem0");
    fs::create_symlink(second.slave, folder / "modem0");
    const auto moved = candidate("pty:" + (folder / "modem0"));
    REQUIRE(moved.has_value());
    CHECK(moved->incarnation != found[0].incarnation);
    // another pty that got the same number, behind a link that never moved
    const std::string number = second.slave;
    const auto before = candidate("pty:" + (folder / "modem0"));
    second.hang_up();
    const Master again;
    if (again.slave == number) CHECK(candidate("pty:" + (folder / "modem0"))->incarnation != before->incarnation);
    CHECK(candidate("/dev/ttyUSB99").error().is(PortErrc::not_found));
    for (const char* none : {"/dev/null", "/dev/random", "/proc/self/status", "/tmp"}) {
        CAPTURE(none);
        CHECK(candidate(none).error().is(PortErrc::bad_name));
    }
}

TEST_CASE("hotplug: a folder that comes late, a link that comes and goes") {
    const Folder folder;
    boost::asio::io_context ctx;
    int changes = 0;
    const fs::path late = folder.path / "box/modems";
    const Hotplug hotplug{ctx.get_executor(), Log{}, folders_of({"pty:" + (late / "*").string()}), [&] { ++changes; }};
    const auto next = [&] {
        const int before = changes;
        ctx.restart();
        ctx.run_for(10ms);
        for (int i = 0; i < 200 && changes == before; ++i) ctx.run_for(10ms);
        return changes > before;
    };
    ctx.run_for(20ms);
    CHECK(changes == 0);  // nothing happens, nothing is told
    fs::create_directory(folder.path / "box");
    CHECK(next());
    fs::create_directory(late);
    CHECK(next());
    const Master master;
    fs::create_symlink(master.slave, late / "modem0");
    CHECK(next());
    fs::remove(late / "modem0");
    CHECK(next());
}

TEST_CASE("holders: another process is named, with its lock") {
    const Master master;
    CHECK(holders_of(master.slave).all.empty());
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const int fd = ::open(master.slave.c_str(), O_RDWR | O_NOCTTY);
        const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
        const char word = locked ? 'l' : 'x';
        if (::write(ready[1], &word, 1) == 1) ::pause();
        ::_exit(0);
    }
    char word = 0;
    REQUIRE(::read(ready[0], &word, 1) == 1);
    CHECK(word == 'l');
    const Holders holders = holders_of(master.slave);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    REQUIRE(holders.all.size() == 1);
    CHECK(holders.all[0].pid == child);
    CHECK(!holders.all[0].program.empty());
    CHECK(holders.all[0].locked);
    CHECK(holders_of(master.slave).all.empty());
}

TEST_CASE("lock files of the old manner name a process that lives, or nobody") {
    const Folder folder;
    std::ofstream{folder / "LCK..ttyUSB0"} << "      " << ::getpid() << "\n";
    std::ofstream{folder / "LCK..ttyUSB1"} << "garbage\n";
    CHECK(lock_file_owner("/dev/ttyUSB0", folder.path) == ::getpid());
    CHECK(lock_file_owner("/dev/ttyUSB1", folder.path) == 0);
    CHECK(lock_file_owner("/dev/ttyUSB2", folder.path) == 0);
}
