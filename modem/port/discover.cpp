#include "modem/port/discover.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

namespace conductor::port {
namespace {

namespace fs = std::filesystem;

/// The path of the USB interface behind /sys/class/tty/NAME, ".../usb1/1-1/1-1.2/1-1.2:1.0/..."; empty for other ttys.
std::string usb_path(const fs::path& tty) {
    std::error_code ec;
    const fs::path device = fs::canonical(tty / "device", ec);
    if (ec) return {};
    const std::string path = device.string();
    return path.find("/usb") == std::string::npos ? std::string{} : path;
}

void add_serial(std::vector<std::string>& names, const std::string& usb) {
    std::error_code ec;
    std::vector<std::string> found;
    for (fs::directory_iterator it{"/sys/class/tty", ec}, end; !ec && it != end; it.increment(ec)) {
        const std::string path = usb_path(it->path());
        if (path.empty() ||
            (!usb.empty() && path.find("/" + usb + "/") == std::string::npos && path.find("/" + usb + ":") == std::string::npos))
            continue;
        found.push_back("/dev/" + it->path().filename().string());
    }
    std::ranges::sort(found);
    names.insert(names.end(), found.begin(), found.end());
}

void add_ptys(std::vector<std::string>& names, const std::string& where) {
    std::error_code ec;
    fs::path folder{where};
    std::string pattern = "*";
    if (!fs::is_directory(folder, ec)) {
        pattern = folder.filename().string();
        folder = folder.parent_path();
    }
    std::vector<std::string> found;
    for (fs::directory_iterator it{folder, ec}, end; !ec && it != end; it.increment(ec)) {
        std::error_code not_there;
        if (::fnmatch(pattern.c_str(), it->path().filename().c_str(), FNM_PERIOD) == 0 && fs::is_character_file(it->path(), not_there))
            found.push_back("pty:" + it->path().string());
    }
    std::ranges::sort(found);
    names.insert(names.end(), found.begin(), found.end());
}

}  // namespace

std::vector<std::string> candidates(const std::vector<std::string>& scan, const std::string& usb) {
    std::vector<std::string> names;
    for (const std::string& where : scan) {
        if (where == "serial") add_serial(names, usb);
        if (where.starts_with("pty:") && usb.empty()) add_ptys(names, where.substr(4));
    }
    return names;
}

}  // namespace conductor::port
