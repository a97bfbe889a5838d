#include "daemon/app/system.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "daemon/config/config.hpp"

namespace conductor::app {

const char* errc_library(AppErrc) {
    return "conductord";
}

std::string_view describe(AppErrc e) {
    switch (e) {
        case AppErrc::no_file: return "the file cannot be read";
        case AppErrc::bad_secret: return "the secret is empty or cannot be read";
        case AppErrc::busy: return "another conductord uses this database";
        case AppErrc::system: return "the system refused";
    }
    return "unknown";
}

namespace {

bool is_there(const char* path) {
    return ::access(path, F_OK) == 0;
}

/// The kernel's word that a time service disciplines the clock; a step by anything else takes it back. Where the kernel may not be asked
/// (ProtectClock=): systemd-timesyncd touches its mark at each poll, at least every 34 minutes.
bool time_is_synchronized(std::time_t now) {
    timex state{};
    if (::adjtimex(&state) >= 0) return !(state.status & STA_UNSYNC);
    struct stat mark {};
    if (::stat("/run/systemd/timesync/synchronized", &mark) != 0) return false;
    return mark.st_mtime <= now + 2 && mark.st_mtime > now - 70 * 60;
}

}  // namespace

SystemClock::SystemClock()
    : judge_{{.built = program_made,
              .rtc = is_there("/sys/class/rtc/rtc0"),
              // systemd-timesyncd and fake-hwclock set the clock of a box without a chip to the time of the last power-off
              .from_file = is_there("/var/lib/systemd/timesync/clock") || is_there("/etc/fake-hwclock.data")}} {}

Instant SystemClock::now() const {
    return BootClock::now();
}

SystemTime SystemClock::look() const {
    const Instant boot = BootClock::now();
    if (looked_ == Instant{} || boot - looked_ > std::chrono::seconds{1}) {
        looked_ = boot;
        synchronized_ = time_is_synchronized(::time(nullptr));
    }
    timespec ts{};
    ::clock_gettime(CLOCK_REALTIME, &ts);
    return {.boot = boot,
            .real = WallTime{std::chrono::seconds{ts.tv_sec} + std::chrono::milliseconds{ts.tv_nsec / 1'000'000}},
            .synchronized = synchronized_};
}

std::optional<WallTime> SystemClock::wall() const {
    return judge_.wall(look());
}

void run_in_background(std::function<void()> work) {
    std::thread{[work = std::move(work)] {
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 15);
        work();
    }}.detach();
}

Result<std::string> read_file(const std::string& path) {
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) return fail(AppErrc::no_file, path + ": " + std::strerror(EISDIR));
    std::ifstream in{path, std::ios::binary};
    if (!in) return fail(AppErrc::no_file, path + ": " + std::strerror(errno));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

Result<std::string> read_secret(const std::string& name) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    auto text = read_file(config::secret_path(name, directory ? directory : ""));
    if (!text) return fail(AppErrc::bad_secret, name);
    const auto end = text->find_first_of("\r\n");
    if (end != std::string::npos) text->resize(end);
    if (text->empty()) return fail(AppErrc::bad_secret, name);
    return text;
}

Result<void> lock_file(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);  // a disk that takes no writes can still be locked on
    if (fd < 0) return fail(AppErrc::system, path + ": " + std::strerror(errno));
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return {};  // the descriptor is kept open on purpose: the lock lives as long as the process
    ::close(fd);
    return fail(AppErrc::busy, path);
}

Log make_log(int level) {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    auto sink = std::make_shared<const Log::Sink>([terminal](Level, std::string_view line) {
        if (terminal && line.starts_with('<')) line.remove_prefix(3);
        // a log that cannot be written must not stop the gateway
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    });
    return Log{std::move(sink), static_cast<Level>(level)};
}

Systemd::Systemd() {
    char** names = nullptr;
    const int count = ::sd_listen_fds_with_names(1, &names);
    for (int i = 0; i < count; ++i) {
        const auto [at, fresh] = kept_.emplace(names && names[i] ? names[i] : "", SD_LISTEN_FDS_START + i);
        if (!fresh) ::close(SD_LISTEN_FDS_START + i);
        std::free(names[i]);
    }
    std::free(names);
    std::uint64_t usec = 0;
    if (::sd_watchdog_enabled(0, &usec) > 0) period_ = std::chrono::microseconds{usec / 2};
}

void Systemd::ready(const std::string& status) const {
    ::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}
void Systemd::extend_start(std::chrono::microseconds by) const {
    ::sd_notify(0, ("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count())).c_str());
}
void Systemd::stopping() const {
    ::sd_notify(0, "STOPPING=1");
}
void Systemd::reloading() const {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(BootClock::now().time_since_epoch()).count();
    ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us)).c_str());
}
void Systemd::feed_watchdog() const {
    ::sd_notify(0, "WATCHDOG=1");
}
void Systemd::keep(const std::string& name, int descriptor) const {
    ::sd_pid_notify_with_fds(0, 0, ("FDSTORE=1\nFDNAME=" + name).c_str(), &descriptor, 1);
}
void Systemd::forget(const std::string& name) const {
    ::sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + name).c_str());
}

LongStart::LongStart(const Systemd& systemd) {
    using namespace std::chrono_literals;
    thread_ = std::thread{[this, &systemd] {
        std::unique_lock lock{mutex_};
        for (std::chrono::seconds waited{0}; !over_ && waited < 6h; waited += 15s) {
            systemd.extend_start(60s);
            ended_.wait_for(lock, 15s, [this] { return over_; });
        }
    }};
}

void LongStart::end() {
    {
        const std::lock_guard lock{mutex_};
        over_ = true;
    }
    ended_.notify_all();
    if (thread_.joinable()) thread_.join();
}

}  // namespace conductor::app
