// The box itself: configuration, daemon, clock, database, disk, law, Supabase, what is installed.
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>

#include "tools/conductorctl/doctor.hpp"

namespace conductor::ctl {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t mib = 1024 * 1024;
constexpr std::uintmax_t disk_low = 200 * mib, disk_out = 20 * mib, wal_large = 64 * mib;
constexpr auto quick_check_limit = std::chrono::seconds{20};

struct CloseDb {
    void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};

/// First line of PRAGMA quick_check, "ok"; or why there is none.
std::string quick_check(const std::string& file) {
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
    const std::unique_ptr<sqlite3, CloseDb> db{raw};
    if (opened != SQLITE_OK) return sqlite3_errstr(opened);
    sqlite3_busy_timeout(raw, 2000);
    auto end = std::chrono::system_clock::now() + quick_check_limit;
    const auto late = [](void* until) { return std::chrono::system_clock::now() > *static_cast<decltype(end)*>(until) ? 1 : 0; };
    sqlite3_progress_handler(raw, 100'000, late, &end);
    std::string first;
    const auto keep = [](void* into, int, char** values, char**) {
        auto& line = *static_cast<std::string*>(into);
        if (line.empty() && values[0]) line = values[0];
        return 0;
    };
    const int rc = sqlite3_exec(raw, "PRAGMA quick_check(1)", keep, &first, nullptr);
    return rc == SQLITE_OK ? first : sqlite3_errstr(rc);
}

/// name=value lines of `systemctl show`; empty where systemd does not answer.
std::map<std::string, std::string> show_unit(const std::string& unit) {
    std::map<std::string, std::string> values;
    const std::string command = "systemctl show " + unit + " --no-pager -p LoadState,ActiveState,SubState,Result,NRestarts 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), &::pclose};
    char line[256];
    while (pipe && std::fgets(line, sizeof line, pipe.get())) {
        std::string one = line;
        while (!one.empty() && one.back() == '\n') one.pop_back();
        if (const auto at = one.find('='); at != std::string::npos) values[one.substr(0, at)] = one.substr(at + 1);
    }
    return values;
}

std::optional<fs::path> first_of(const fs::path& top, std::initializer_list<const char*> names) {
    std::error_code ec;
    for (const char* name : names)
        if (fs::exists(top / name, ec)) return top / name;
    return std::nullopt;
}

}  // namespace

void check_config(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.unreadable.empty()) {
        out.push_back({"config", Verdict::fail, "The configuration cannot be read.", facts.config_file + ": " + facts.unreadable,
                       "Run doctor as root, or name the file with --config."});
        return;
    }
    for (const auto& problem : facts.problems)
        out.push_back({"config", Verdict::fail, "The configuration has a problem; the daemon does not start with it.", problem.text(),
                       "Correct that line, then `conductorctl config check`."});
    if (facts.config && facts.config->modems.empty())
        out.push_back({"config", Verdict::warn, "No modem is configured.", facts.config_file,
                       "`conductorctl modem discover` prints blocks to copy."});
    else if (facts.config)
        out.push_back({"config", Verdict::pass, fmt::format("Valid, {} modems.", facts.config->modems.size()), facts.config_file, ""});
}

void check_daemon(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.daemon()) {
        out.push_back({"daemon", Verdict::fail, "The daemon does not answer; what follows is what can be seen without it.",
                       facts.unreachable,
                       "`systemctl status conductord` and `journalctl -u conductord` say why; `systemctl start conductord`."});
        return;
    }
    if (facts.status.is_object() && !text(facts.status.value("store", json::object()), "trouble").empty())
        out.push_back({"daemon", Verdict::fail, "The daemon cannot store: nothing is sent meanwhile.",
                       text(facts.status["store"], "trouble"), "See the checks of database and disk."});
    const bool ok = facts.health.is_object() && facts.health.value("ok", false);
    const std::string seen = facts.health.is_object() ? facts.health.dump() : "no answer from /healthz";
    if (!ok)
        out.push_back({"progress", Verdict::fail, "Messages wait and nothing can send them.", seen, "See the checks of the modems."});
    else
        out.push_back({"progress", Verdict::pass, fmt::format("Up {:.0f} s, working.", number(facts.status, "uptime_s")), seen, ""});
    if (facts.status.is_object() && facts.status.value("paused", false))
        out.push_back({"paused", Verdict::warn, "The whole queue is paused.", "/v1/status", "`conductorctl queue resume` ends it."});
}

void check_clock(const Facts& facts, std::vector<Checked>& out) {
    timex state{};
    const bool synchronised = ::adjtimex(&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
    const json clock = facts.status.is_object() ? facts.status.value("clock", json::object()) : json::object();
    if (facts.daemon() && !clock.value("sure", true)) {
        out.push_back({"clock", Verdict::fail, "The wall clock is not sure: nothing is sent, expired or reported by it.",
                       "/v1/status clock.sure", "Let NTP set the clock (timedatectl set-ntp true), or fit an RTC battery."});
    } else if (!synchronised) {
        out.push_back({"clock", Verdict::warn, "The kernel's clock is not synchronised by NTP.", "adjtimex: STA_UNSYNC",
                       "timedatectl set-ntp true; without a network the RTC alone keeps the hours of sending right."});
    } else {
        out.push_back({"clock", Verdict::pass, "Sure and synchronised.", "adjtimex", ""});
    }
}

void check_database(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.config) return;
    const std::string& file = facts.config->gateway.database;
    std::error_code ec;
    if (!fs::exists(file, ec)) {
        const bool denied = ec == std::errc::permission_denied;
        out.push_back({"database", denied || !facts.daemon() ? Verdict::warn : Verdict::fail,
                       denied ? "The database cannot be looked at." : "There is no database yet; the daemon makes it at its first start.",
                       file, denied ? "Run doctor as root." : ""});
        return;
    }
    const std::string result = quick_check(file);
    if (result == "ok")
        out.push_back({"database", Verdict::pass, "Whole.", file + ": quick_check ok", ""});
    else if (result == sqlite3_errstr(SQLITE_INTERRUPT))
        out.push_back({"database", Verdict::warn, "Too large to be checked whole in 20 s; no damage found so far.", file,
                       "`conductorctl db check` takes its time."});
    else if (result == sqlite3_errstr(SQLITE_CANTOPEN) || result == sqlite3_errstr(SQLITE_PERM) ||
             result == sqlite3_errstr(SQLITE_READONLY))
        out.push_back(
            {"database", Verdict::warn, "The database cannot be opened for reading.", file + ": " + result, "Run doctor as root."});
    else
        out.push_back({"database", Verdict::fail, "The database is damaged or cannot be read.", file + ": " + result,
                       "Stop the daemon, keep a copy of the file, and restore the last backup."});
    const auto wal = fs::file_size(file + "-wal", ec);
    if (!ec && wal > wal_large)
        out.push_back({"database-wal", Verdict::warn, "The write-ahead log is large: something keeps an old snapshot open.",
                       fmt::format("{}-wal: {} MiB", file, wal / mib),
                       "Close programs that read the database; a restart of the daemon shrinks it."});
}

void check_disk(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.config) return;
    const fs::path folder = fs::path{facts.config->gateway.database}.parent_path();
    struct statvfs state {};
    if (::statvfs(folder.c_str(), &state) != 0) return;
    const std::uintmax_t free = std::uintmax_t{state.f_bavail} * state.f_frsize;
    const std::string seen = fmt::format("{}: {} MiB free", folder.string(), free / mib);
    if ((state.f_flag & ST_RDONLY) != 0)
        out.push_back({"disk", Verdict::fail, "The file system of the database is read-only.", seen,
                       "A failing card does this: look into dmesg, replace it, restore the backup."});
    else if (free < disk_out)
        out.push_back({"disk", Verdict::fail, "The disk is full: nothing can be stored, so nothing is sent.", seen,
                       "Make room, or shorten [retention]."});
    else if (free < disk_low)
        out.push_back({"disk", Verdict::warn, "The disk is nearly full.", seen, "Make room, or shorten [retention]."});
    else
        out.push_back({"disk", Verdict::pass, "Room enough.", seen, ""});
}

void check_consent(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.config) return;
    if (facts.config->opt_out.require_consent)
        out.push_back({"consent", Verdict::pass, "Marketing needs a consent on record.", "[opt_out] require_consent = true", ""});
    else
        out.push_back({"consent", Verdict::warn,
                       "Marketing goes to numbers without a consent on record; the law of most places forbids that.",
                       "[opt_out] require_consent = false", "Set it to true once consents are recorded."});
}

void check_supabase(const Facts& facts, std::vector<Checked>& out) {
    if (!facts.config || !facts.config->supabase) return;
    const std::string& url = facts.config->supabase->url;
    if (!facts.daemon() || !facts.sync.is_object()) {
        if (facts.daemon())
            out.push_back({"supabase", Verdict::warn, "Configured, but the running daemon does not sync.", url, "Restart the daemon."});
        return;
    }
    const json& s = facts.sync;
    const std::string error = text(s, "last_error"), seen = url + (error.empty() ? "" : ": " + error);
    if (s.value("connected", false))
        out.push_back({"supabase", Verdict::pass, "Connected; last success " + text(s, "last_success") + ".", url, ""});
    else
        out.push_back(
            {"supabase", Verdict::fail, "Not connected; what happens here is told later, and no schedule comes.", seen,
             "Check the network, the project's URL and key, and that its migrations are applied (the schema answers gw_hello_v1)."});
    if (s.value("fenced", false))
        out.push_back({"supabase-fence", Verdict::fail, "Another box took this gateway's id over; this one claims nothing.", url,
                       "Give each box its own user of Supabase; where the other box is no more: `conductorctl db release`."});
    if (const json bell = s.value("realtime", json::object());
        s.value("connected", false) && bell.value("on", false) && !bell.value("joined", false))
        out.push_back(
            {"supabase-doorbell", Verdict::warn, "Realtime is not heard: what is new is found by the poll alone.", text(bell, "last_error"),
             "Where it says Unauthorized, `select private.open_doorbell()` in the project's SQL editor; `realtime = false` in [supabase] "
             "polls without trying."});
    if (const double skew = number(s, "clock_offset_ms"); skew > 60'000 || skew < -60'000)
        out.push_back({"supabase-clock", Verdict::warn, "This clock and Supabase's differ.", fmt::format("{:.0f} s", skew / 1000),
                       "Let NTP set the clock."});
    if (const double dead = number(s, "dead_letters"); dead > 0)
        out.push_back({"supabase-outbox", Verdict::warn, "Changes that Supabase refuses for good wait for a person.",
                       fmt::format("{:.0f} dead letters, {:.0f} waiting; {}", dead, number(s, "outbox"), error),
                       "`conductorctl sync status`"});
    const bool behind = !s.value("connected", false) && number(s, "outbox") > 0;
    if (behind)  // an opt-out given to another box may not be known here
        out.push_back({"opt-outs", Verdict::warn, "The list of opt-outs may be behind that of Supabase.",
                       fmt::format("{:.0f} changes wait", number(s, "outbox")), "It follows with the connection."});
}

void check_udev(const Facts& facts, std::vector<Checked>& out) {
    const auto rules = first_of(facts.top, {"etc/udev/rules.d/60-conductor.rules", "lib/udev/rules.d/60-conductor.rules",
                                            "usr/lib/udev/rules.d/60-conductor.rules"});
    if (!rules) {
        out.push_back({"udev", Verdict::warn,
                       "The rules for devices are not installed: the service may not open its modems, and ModemManager takes them.",
                       "no 60-conductor.rules in /etc/udev/rules.d, /lib/udev/rules.d",
                       "cmake --install, then udevadm control --reload; udevadm trigger"});
        return;
    }
    std::ifstream in{*rules};
    const std::string all{std::istreambuf_iterator<char>{in}, {}};
    if (all.find("ID_MM_DEVICE_IGNORE") == std::string::npos)
        out.push_back(
            {"udev", Verdict::warn, "The rules do not keep ModemManager away.", rules->string(), "Install the rules of this version."});
    else
        out.push_back({"udev", Verdict::pass, "The rules for devices are installed.", rules->string(), ""});
}

void check_units(const Facts& facts, std::vector<Checked>& out) {
    std::error_code ec;
    const bool systemd = fs::is_directory(facts.top / "run/systemd/system", ec);
    const auto unit = first_of(facts.top, {"etc/systemd/system/conductord.service", "lib/systemd/system/conductord.service",
                                           "usr/lib/systemd/system/conductord.service"});
    if (!unit) {
        if (systemd)
            out.push_back({"unit", Verdict::warn, "The unit conductord.service is not installed: nobody starts the daemon again.",
                           "no conductord.service in /etc or /lib", "cmake --install, then systemctl enable --now conductord"});
        return;
    }
    if (!systemd || facts.top != "/") return;
    auto state = show_unit("conductord.service");
    const std::string seen =
        fmt::format("{}, {}, result {}, {} restarts", state["ActiveState"], state["SubState"], state["Result"], state["NRestarts"]);
    if (state["ActiveState"] == "active")
        out.push_back({"unit", state["NRestarts"] == "0" ? Verdict::pass : Verdict::warn,
                       state["NRestarts"] == "0" ? "Running under systemd." : "Running, but it was restarted after failures.", seen,
                       state["NRestarts"] == "0" ? "" : "`journalctl -u conductord -p warning` says why."});
    else
        out.push_back({"unit", Verdict::fail, "The unit is not active.", seen,
                       "`systemctl status conductord`; `systemctl enable --now conductord`."});
    for (const char* timer : {"conductor-backup.timer", "conductor-crm.timer"}) {
        auto t = show_unit(timer);
        if (t["LoadState"] == "loaded" && t["ActiveState"] != "active")
            out.push_back({"timer", Verdict::warn, std::string{timer} + " is installed and not active.", t["ActiveState"],
                           "systemctl enable --now " + std::string{timer}});
    }
}

}  // namespace conductor::ctl
