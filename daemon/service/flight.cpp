#include "daemon/service/flight.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "daemon/store/store.hpp"

namespace conductor::service {

namespace fs = std::filesystem;

namespace {

/// "20261122T060512Z" of the moment: names sort by time.
std::string stamp(WallTime now) {
    std::string out;
    for (const char c : to_rfc3339(now).substr(0, 19))
        if (c != '-' && c != ':') out += c;
    return out + "Z";
}

bool is_record(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.size() > 24 && name[8] == 'T' && name[15] == 'Z' && name.substr(16).starts_with("-modem") && name.ends_with(".at");
}

Error system_error(std::string_view what, const std::string& path) {
    return fail(store::StoreErrc::failed, fmt::format("{} {}: errno {}", what, path, errno));
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return ::fsync(fd) == 0;
}

}  // namespace

std::string flight_folder(store::Tx& tx) {
    store::Rows rows = tx.query("PRAGMA database_list");
    while (rows.next()) {
        if (rows.text(1) != "main" || !rows.text(2).starts_with('/')) continue;
        return (fs::path{rows.text(2)}.parent_path() / "flight").string();
    }
    return {};
}

Result<std::string> save_flight(const std::string& folder, WallTime now, ModemIndex modem, std::string_view kind, std::string_view text) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_error("mkdir", folder);
    const std::string path = fmt::format("{}/{}-modem{}-{}.at", folder, stamp(now), modem, kind);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) return path;
    if (fd < 0) return system_error("open", path);
    const bool good = write_all(fd, text);
    const Error error = system_error("write", path);
    ::close(fd);
    if (good) return path;
    ::unlink(path.c_str());
    return error;
}

std::size_t prune_flights(const std::string& folder, WallTime now, std::chrono::milliseconds keep) {
    std::error_code ec;
    std::vector<fs::path> records;
    for (fs::directory_iterator it{folder, ec}, end; !ec && it != end; it.increment(ec))
        if (is_record(it->path())) records.push_back(it->path());
    std::ranges::sort(records);
    const std::string oldest = stamp(now - keep);
    const std::size_t above = records.size() > FlightLimits::most ? records.size() - FlightLimits::most : 0;
    std::size_t gone = 0;
    for (std::size_t i = 0; i < records.size(); ++i)
        if (i < above || records[i].filename().string().substr(0, 16) < oldest) gone += fs::remove(records[i], ec) ? 1U : 0U;
    return gone;
}

}  // namespace conductor::service
