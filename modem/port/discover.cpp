#include "modem/port/discover.hpp"

#include <fnmatch.h>
#include <libserialport.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <set>

#include "modem/port/fd_stream.hpp"

namespace conductor::port {
namespace {

namespace fs = std::filesystem;

constexpr unsigned memory_devices = 1;  // major number of /dev/null, zero, random ...

/// First line of a file of /sys; empty when there is none.
std::string attribute(const fs::path& file) {
    std::ifstream in{file};
    std::string line;
    std::getline(in, line);
    return line;
}

bool has(const fs::path& file) {
    std::error_code ec;
    return fs::exists(file, ec);
}

/// The facts of the USB interface that `device` (canonical, in /sys/devices) lies in.
UsbFacts facts_of(fs::path device) {
    UsbFacts facts;
    for (; device.has_relative_path() && !has(device / "bInterfaceNumber"); device = device.parent_path()) {}
    const fs::path stick = device.parent_path();
    if (!device.has_relative_path() || !has(stick / "idVendor")) return {};
    facts.interface = static_cast<int>(std::strtol(attribute(device / "bInterfaceNumber").c_str(), nullptr, 16));
    std::error_code ec;
    facts.driver = fs::read_symlink(device / "driver", ec).filename().string();
    facts.device = stick.filename().string();
    facts.vendor_id = attribute(stick / "idVendor");
    facts.product_id = attribute(stick / "idProduct");
    facts.serial = attribute(stick / "serial");
    facts.manufacturer = attribute(stick / "manufacturer");
    facts.product = attribute(stick / "product");
    return facts;
}

std::string stamp(const struct stat& st) {
    return std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino) + ":" + std::to_string(st.st_ctim.tv_sec) + "." +
           std::to_string(st.st_ctim.tv_nsec);
}

/// Names of the serial ports on USB, as libserialport lists them.
std::vector<std::string> serial_names() {
    sp_port** list = nullptr;
    if (sp_list_ports(&list) != SP_OK) return {};
    const std::unique_ptr<sp_port*, decltype(&sp_free_port_list)> owner{list, &sp_free_port_list};
    std::vector<std::string> names;
    for (std::size_t i = 0; list[i]; ++i)
        if (sp_get_port_transport(list[i]) == SP_TRANSPORT_USB) names.emplace_back(sp_get_port_name(list[i]));
    return names;
}

/// The folder and the pattern of "DIR", "DIR/*" or "DIR/modem?".
std::pair<fs::path, std::string> folder_and_pattern(const std::string& where) {
    std::error_code ec;
    const fs::path path{where};
    if (fs::is_directory(path, ec)) return {path, "*"};
    return {path.parent_path(), path.filename().string()};
}

std::vector<std::string> pty_names(const std::string& where) {
    const auto [folder, pattern] = folder_and_pattern(where);
    std::error_code ec;
    std::vector<std::string> names;
    for (fs::directory_iterator it{folder, ec}, end; !ec && it != end; it.increment(ec)) {
        std::error_code not_there;
        if (::fnmatch(pattern.c_str(), it->path().filename().c_str(), FNM_PERIOD) == 0 && fs::is_character_file(it->path(), not_there))
            names.push_back("pty:" + it->path().string());
    }
    return names;
}

}  // namespace

UsbFacts usb_facts(const std::string& path, const fs::path& sysfs) {
    std::error_code ec;
    const fs::path device = fs::canonical(sysfs / "class/tty" / fs::path{path}.filename() / "device", ec);
    return ec ? UsbFacts{} : facts_of(device);
}

Result<Candidate> candidate(const std::string& name, const fs::path& sysfs) {
    Candidate found;
    found.name = name;
    if (name.starts_with("tcp:")) {
        found.path = name;
        return found;
    }
    const std::string path = name.starts_with("pty:") ? name.substr(4) : name;
    const std::unique_ptr<char, decltype(&::free)> real{::realpath(path.c_str(), nullptr), ::free};
    struct stat link {};
    struct stat node {};
    if (!real || ::lstat(path.c_str(), &link) != 0 || ::stat(real.get(), &node) != 0) return port_error(errno, name);
    // /dev/null and its like take every octet and belong to everybody
    if (!S_ISCHR(node.st_mode) || major(node.st_rdev) == memory_devices) return fail(PortErrc::bad_name, name);
    found.path = real.get();
    // The same name may lead to another device, or to one that got the old one's number: inode and time of both ends tell.
    found.incarnation = found.path + " " + stamp(link) + " " + stamp(node);
    found.usb = usb_facts(found.path, sysfs);
    return found;
}

std::vector<Candidate> candidates(const std::vector<std::string>& scan, const fs::path& sysfs) {
    std::vector<Candidate> all;
    std::set<std::string> seen;
    for (const std::string& where : scan) {
        std::vector<std::string> names;
        if (where == "serial") names = serial_names();
        if (where.starts_with("pty:")) names = pty_names(where.substr(4));
        std::ranges::sort(names);
        for (const std::string& name : names) {
            auto one = candidate(name, sysfs);
            if (one && seen.insert(one->path).second) all.push_back(std::move(*one));
        }
    }
    return all;
}

std::vector<std::string> folders_of(const std::vector<std::string>& scan, const std::vector<std::string>& ports) {
    std::set<std::string> folders;
    for (const std::string& port : ports) {
        const std::string path = port.starts_with("pty:") ? port.substr(4) : port;
        if (path.starts_with("/") && !path.starts_with("/dev/tty") && !path.starts_with("/dev/serial/"))
            folders.insert(fs::path{path}.parent_path().string());
    }
    for (const std::string& where : scan)
        if (where.starts_with("pty:")) folders.insert(folder_and_pattern(where.substr(4)).first.string());
    return {folders.begin(), folders.end()};
}

std::vector<std::string> control_nodes(const UsbFacts& usb, const fs::path& sysfs) {
    std::vector<std::string> nodes;
    if (usb.device.empty()) return nodes;
    std::error_code ec;
    for (fs::directory_iterator it{sysfs / "bus/usb/devices", ec}, end; !ec && it != end; it.increment(ec)) {
        if (!it->path().filename().string().starts_with(usb.device + ":")) continue;
        for (const char* subsystem : {"usbmisc", "usb"}) {
            std::error_code none;
            for (fs::directory_iterator node{it->path() / subsystem, none}, last; !none && node != last; node.increment(none))
                nodes.push_back("/dev/" + node->path().filename().string());
        }
    }
    std::ranges::sort(nodes);
    return nodes;
}

namespace {

/// Adds the interface's class; true when it is a serial port.
bool look_at_interface(const fs::path& interface, std::set<std::string>& classes) {
    const std::string kind = attribute(interface / "bInterfaceClass");
    if (kind.empty()) return false;
    classes.insert(kind);
    if (has(interface / "tty")) return true;
    std::error_code ec;
    for (fs::directory_iterator node{interface, ec}, end; !ec && node != end; node.increment(ec))
        if (node->path().filename().string().starts_with("ttyUSB")) return true;
    return false;
}

}  // namespace

std::vector<PortlessDevice> portless_devices(const fs::path& sysfs) {
    std::vector<PortlessDevice> all;
    std::error_code ec;
    for (fs::directory_iterator it{sysfs / "bus/usb/devices", ec}, end; !ec && it != end; it.increment(ec)) {
        PortlessDevice one;
        one.vendor_id = attribute(it->path() / "idVendor");
        if (one.vendor_id.empty()) continue;
        one.device = it->path().filename().string();
        one.product_id = attribute(it->path() / "idProduct");
        one.product = attribute(it->path() / "product");
        std::set<std::string> classes;
        bool tty = false;
        std::error_code none;
        for (fs::directory_iterator child{it->path(), none}, last; !none && child != last; child.increment(none))
            tty = look_at_interface(child->path(), classes) || tty;
        one.classes.assign(classes.begin(), classes.end());
        if (!tty) all.push_back(std::move(one));
    }
    std::ranges::sort(all, {}, &PortlessDevice::device);
    return all;
}

}  // namespace conductor::port
