// The privileged helper against a sysfs of folders and files: what it does, and above all what it refuses.
#include "tools/reset/reset.hpp"

#include <doctest/doctest.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace conductor;
using namespace conductor::reset;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream{file} << text;
}
std::string read(const fs::path& file) {
    std::stringstream out;
    out << std::ifstream{file}.rdbuf();
    return out.str();
}

/// A hub 1-1 with a modem 1-1.2 (two serial ports), a disk 1-1.3, and a modem 1-4 of another group on the root hub.
struct World {
    World() {
        char name[] = "/tmp/conductor-reset-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        top = name;
        places = {.sys = top / "sys",
                  .dev = top / "dev",
                  .requests = top / "run",
                  .state = top / "state",
                  .group = ::getgid(),
                  .owner = ::getuid()};
        fs::create_directories(top / "run");
        fs::create_directories(top / "state");
        device("1-1", "09");
        device("1-1.2", "00");
        device("1-1.3", "00");
        device("1-4", "00");
        port("ttyUSB0", "1-1.2");
        port("ttyUSB1", "1-1.2");
        port("ttyACM0", "1-4");
    }
    ~World() { fs::remove_all(top); }

    fs::path real(const std::string& usb) const {
        const fs::path bus = top / "sys/devices/pci0000:00/usb1";
        return usb == "1-1" || usb == "1-4" ? bus / usb : bus / "1-1" / usb;
    }
    void device(const std::string& usb, const std::string& device_class) {
        write(real(usb) / "bDeviceClass", device_class + "\n");
        write(real(usb) / "authorized", "1\n");
        fs::create_directories(top / "sys/bus/usb/devices");
        fs::create_directory_symlink(real(usb), top / "sys/bus/usb/devices" / usb);
    }
    void port(const std::string& tty, const std::string& usb) {
        const fs::path at = real(usb) / (usb + ":1.0") / tty;
        fs::create_directories(at);
        fs::create_directories(top / "sys/class/tty" / tty);
        fs::create_directory_symlink(at, top / "sys/class/tty" / tty / "device");
        write(top / "dev" / tty, "");
    }
    void port_switch(const fs::path& interface_port) { write(top / "sys/bus/usb/devices" / interface_port / "disable", "0\n"); }
    void request(const std::string& text, const std::string& index = "0") { write(top / "run" / index, text); }

    fs::path top;
    Places places;
};

config::Modem modem(std::string usb = {}) {
    config::Modem m;
    m.usb = std::move(usb);
    return m;
}

}  // namespace

TEST_CASE("reset: requests are taken away whatever they hold, and believed only as far as a name goes") {
    struct Row {
        const char* name;
        std::string text;
        std::optional<std::string> want;
    };
    const Row rows[] = {{"a device", "1-1.2\n", "1-1.2"},
                        {"a device on a root hub", "2-4", "2-4"},
                        {"a modem without USB", "\n", ""},
                        {"a path", "../../class/block/sda\n", {}},
                        {"an interface", "1-1.2:1.0\n", {}},
                        {"a root hub", "usb1\n", {}},
                        {"dots", "1-1..2\n", {}},
                        {"a dot at the end", "1-1.\n", {}},
                        {"words", "1-1 ; reboot\n", {}},
                        {"two lines", "1-1\n1-2\n", {}},
                        {"long", std::string(65, '1'), {}}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        World world;
        world.request(row.text);
        const auto got = take_request(world.places.requests, 0);
        CHECK(got.has_value() == row.want.has_value());
        if (got && row.want) CHECK(*got == *row.want);
        if (!got) CHECK(got.error().is(ResetErrc::no_request));
        CHECK(!fs::exists(world.top / "run/0"));
    }
    World world;
    CHECK(!take_request(world.places.requests, 0).has_value());
    write(world.top / "secret", "1-1.2");
    fs::create_symlink(world.top / "secret", world.top / "run/0");
    CHECK(!take_request(world.places.requests, 0).has_value());
    CHECK(!fs::is_symlink(world.top / "run/0"));
    CHECK(fs::exists(world.top / "secret"));
    ::mkfifo((world.top / "run/0").c_str(), 0600);
    CHECK(!take_request(world.places.requests, 0).has_value());  // and does not wait for a writer
    fs::create_directory_symlink(world.top / "run", world.top / "link");
    world.request("1-1.2");
    CHECK(!take_request((world.top / "link").string(), 0).has_value());
    CHECK(fs::exists(world.top / "run/0"));
}

TEST_CASE("reset: bound devices alone") {
    struct Row {
        const char* name;
        config::Modem modem;
        std::string usb;
        bool own_group;
        const char* refusal;  ///< a part of it; null: done
    };
    config::Modem off = modem();
    off.reset_usb = false;
    const Row rows[] = {{"a modem of the group", modem(), "1-1.2", true, nullptr},
                        {"named by the configuration", modem("1-1.2"), "1-1.2", false, nullptr},
                        {"another than named", modem("1-1.2"), "1-4", true, "bound to 1-1.2"},
                        {"ports of another group", modem(), "1-1.2", false, "no serial port of the service's group"},
                        {"no serial port at all", modem(), "1-1.3", true, "no serial port of the service's group"},
                        {"a hub, though modems hang behind it", modem(), "1-1", true, "is a hub"},
                        {"a hub that is named", modem("1-1"), "1-1", true, "is a hub"},
                        {"not there", modem(), "1-9", true, "is not there"},
                        {"named, not there, and no switch", modem("1-9"), "1-9", true, "no switch"},
                        {"none", modem(), "", true, "names no USB device"},
                        {"a path", modem(), "../1-1.2", true, "names no USB device"},
                        {"behind the hub that is named", modem("1-1"), "1-1.2", true, nullptr},
                        {"a disk behind the hub that is named", modem("1-1"), "1-1.3", true, "no serial port of the service's group"},
                        {"a name that begins alike", modem("1-1"), "1-12", true, "bound to 1-1"},
                        {"named by the configuration alone", modem("1-1.2"), "", false, nullptr},
                        {"switched off", off, "1-1.2", true, "reset.usb is off"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        World world;
        if (!row.own_group) world.places.group = ::getgid() + 1;
        const auto made = plan(row.modem, row.usb, world.places);
        REQUIRE(made.has_value() == !row.refusal);
        if (!made) {
            CHECK(made.error().is(ResetErrc::refused));
            CHECK(made.error().where.find(row.refusal) != std::string::npos);
            continue;
        }
        CHECK(made->way == Way::authorising);
        CHECK(made->file == world.places.sys + "/bus/usb/devices/1-1.2/authorized");
        REQUIRE(perform(*made, world.places.state, std::chrono::milliseconds{1}).has_value());
        CHECK(read(world.real("1-1.2") / "authorized") == "1\n");  // "1" over "0" over "1\n"
        CHECK(read(world.real("1-4") / "authorized") == "1\n");
    }
    World linked;  // a node that points elsewhere is none of the group's
    fs::remove(linked.top / "dev/ttyUSB0");
    fs::remove(linked.top / "dev/ttyUSB1");
    fs::create_symlink(linked.top / "dev/ttyACM0", linked.top / "dev/ttyUSB0");
    CHECK(!plan(modem(), "1-1.2", linked.places).has_value());
}

TEST_CASE("reset: the hub port's switch where there is one, for a device that is gone too when the configuration names it") {
    struct Row {
        const char* name;
        const char *usb, *file;
        bool named;
    };
    const Row rows[] = {{"behind a hub", "1-1.2", "1-1:1.0/1-1-port2", false},
                        {"on the root hub", "1-4", "1-0:1.0/usb1-port4", false},
                        {"gone, named", "1-1.7", "1-1:1.0/1-1-port7", true},
                        {"the kernel's link", "1-1.2", "1-1.2/port", false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        World world;
        world.port_switch(row.file);
        const auto made = plan(row.named ? modem(row.usb) : modem(), row.usb, world.places);
        REQUIRE(made.has_value());
        CHECK(made->way == Way::port_power);
        CHECK(made->off == "1");
        REQUIRE(perform(*made, world.places.state, std::chrono::milliseconds{1}).has_value());
        CHECK(read(world.top / "sys/bus/usb/devices" / row.file / "disable") == "0\n");
    }
    World world;
    const auto made = plan(modem(), "1-1.2", world.places);
    fs::remove_all(world.real("1-1.2"));  // it goes between plan and deed
    const auto done = perform(*made, world.places.state, std::chrono::milliseconds{1});
    REQUIRE(!done.has_value());
    CHECK(done.error().is(ResetErrc::failed));
}

TEST_CASE("reset: a configured command, word for word and without a shell") {
    World world;
    const fs::path script = world.top / "power-strip", seen = world.top / "seen";
    write(script, "#!/bin/sh\nfor word in \"$@\"; do echo \"[$word]\"; done >" + seen.string() +
                      "\necho \"$CONDUCTOR_MODEM $CONDUCTOR_USB $HOME\" >>" + seen.string() + "\n[ \"$1\" != fail ]\n");
    fs::permissions(script, fs::perms::owner_all);
    config::Modem m = modem();
    m.index = 3;
    m.reset_command = script.string() + "  outlet 4; touch /tmp/x `id` $HOME";
    auto made = plan(m, "1-1.3", world.places);  // the command is the configuration's own: no device needs to be bound
    REQUIRE(made.has_value());
    REQUIRE(perform(*made, world.places.state, std::chrono::milliseconds{1}).has_value());
    CHECK(read(seen) == "[outlet]\n[4;]\n[touch]\n[/tmp/x]\n[`id`]\n[$HOME]\n3 1-1.3 \n");

    m.reset_command = script.string() + " fail";
    made = plan(m, "", world.places);
    REQUIRE(made.has_value());
    const auto failed = perform(*made, world.places.state, std::chrono::milliseconds{1});
    REQUIRE(!failed.has_value());
    CHECK(failed.error().where.find("exit code 1") != std::string::npos);

    m.reset_command = "uhubctl -a cycle";
    CHECK(!plan(m, "", world.places).has_value());
    m.reset_command = (world.top / "absent").string();
    CHECK(!plan(m, "", world.places).has_value());
    m.reset_command = script.string();
    const auto refused = [&](const char* name, const fs::path& at) {
        CAPTURE(name);
        const auto got = plan(m, "", world.places);
        REQUIRE(!got.has_value());
        CHECK(got.error().where == at.string() + ": others than root may write to it");
    };
    fs::permissions(script, fs::perms::all);
    refused("anybody could have written it", script);
    fs::permissions(script, fs::perms::owner_all);
    fs::permissions(world.top, fs::perms::all);
    refused("anybody could have put it there", world.top);
    fs::permissions(world.top, fs::perms::owner_all);
    ++world.places.owner;
    if (::getuid() != 0) refused("it is not root's", script);
    if (::getuid() == 0) {
        REQUIRE(::chown(script.c_str(), 65534, 65534) == 0);
        refused("it is not root's", script);
    }
}

TEST_CASE("reset: what was switched off is switched on, whatever comes between") {
    World world;
    world.port_switch("1-1:1.0/1-1-port2");
    const fs::path file = world.top / "sys/bus/usb/devices/1-1:1.0/1-1-port2/disable", note = world.top / "state/0";
    auto made = plan(modem(), "1-1.2", world.places);
    REQUIRE(made.has_value());
    REQUIRE(made->file == file.string());
    // killed between off and on, as a timeout of the unit kills it
    const pid_t child = ::fork();
    if (child == 0) ::_exit(perform(*made, world.places.state, std::chrono::hours{1}).has_value() ? 0 : 1);
    for (int i = 0; i < 500 && read(file) != "1\n"; ++i) ::poll(nullptr, 0, 10);
    CHECK(read(file) == "1\n");
    ::kill(child, SIGTERM);  // that waits for the end
    ::poll(nullptr, 0, 50);
    CHECK(::waitpid(child, nullptr, WNOHANG) == 0);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(read(file) == "1\n");
    CHECK(fs::exists(note));
    REQUIRE(put_on(world.places.state, 0).has_value());
    CHECK(read(file) == "0\n");
    CHECK(!fs::exists(note));
    REQUIRE(put_on(world.places.state, 0).has_value());  // nothing to do

    // the switch does not take "on" for a while
    const pid_t blocker = ::fork();
    if (blocker == 0) {
        while (read(file) != "1\n") ::poll(nullptr, 0, 1);
        fs::rename(file, file.string() + ".away");
        ::poll(nullptr, 0, 300);
        fs::rename(file.string() + ".away", file);
        ::_exit(0);
    }
    CHECK(perform(*made, world.places.state, std::chrono::milliseconds{100}).has_value());
    ::waitpid(blocker, nullptr, 0);
    CHECK(read(file) == "0\n");
    CHECK(!fs::exists(note));

    // it never does: the next look does it
    const pid_t remover = ::fork();
    if (remover == 0) {
        while (read(file) != "1\n") ::poll(nullptr, 0, 1);
        fs::rename(file, file.string() + ".away");
        ::_exit(0);
    }
    CHECK(!perform(*made, world.places.state, std::chrono::milliseconds{100}, std::chrono::milliseconds{400}).has_value());
    ::waitpid(remover, nullptr, 0);
    CHECK(fs::exists(note));
    fs::rename(file.string() + ".away", file);
    REQUIRE(put_on(world.places.state, 0).has_value());
    CHECK(read(file) == "0\n");

    fs::remove_all(world.top / "state");
    CHECK(!perform(*made, world.places.state, std::chrono::milliseconds{1}).has_value());  // nothing is switched off that cannot be noted
    CHECK(read(file) == "0\n");
}

TEST_CASE("reset: the program as the unit starts it") {
    World world;
    const group* own = ::getgrgid(::getgid());
    if (!own) return;  // a user of a container without a group's name
    write(world.top / "conductor.toml",
          "[gateway]\nid = \"box-1\"\nregion = \"US\"\n[[modem]]\nindex = 0\nmatch = { imei = \"350000000000017\" }\n");
    const auto run = [&](const std::string& arguments) {
        const std::string line = std::string{BINARY_DIR} + "/conductor-reset " + arguments + " --config " +
                                 (world.top / "conductor.toml").string() + " --sys " + world.places.sys + " --dev " + world.places.dev +
                                 " --requests " + world.places.requests + " --state " + world.places.state + " --group " + own->gr_name +
                                 " 2>" + (world.top / "err").string();
        const int status = std::system(line.c_str());
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    world.request("1-1.3\n");
    CHECK(run("0") == 5);
    CHECK(!fs::exists(world.top / "run/0"));
    CHECK(run("0") == 5);  // no request
    world.request("1-1.2\n", "1");
    CHECK(run("1") == 5);
    CHECK(read(world.top / "err").find("modem 1 is not in the configuration") != std::string::npos);
    CHECK(run("0x1") == 2);
    CHECK(run("-1") == 2);
    CHECK(run("64") == 2);
    world.request("1-1.2\n");
    CHECK(run("0") == 0);
    CHECK(read(world.top / "err").find("modem=0 usb=1-1.2") != std::string::npos);
    CHECK(read(world.top / "run/0.answer") == "done\n");
    world.request("1-1.3\n");
    CHECK(run("0") == 5);
    CHECK(read(world.top / "run/0.answer").find("no serial port of the service's group") != std::string::npos);
    const fs::path file = world.real("1-1.2") / "authorized";
    write(file, "0\n");
    write(world.top / "state/0", file.string() + "\n1\n");
    CHECK(run("0 --on") == 0);
    CHECK(read(file) == "1\n");
    CHECK(run("0 --on") == 0);
    CHECK(run("--on") == 2);
}
