#pragma once
// What the daemon asks of the operating system: clock, files, systemd.
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "daemon/core/clock.hpp"
#include "daemon/core/log.hpp"
#include "daemon/core/result.hpp"
#include "daemon/core/wall_clock.hpp"

namespace conductor::app {

enum class AppErrc { no_file = 1, bad_secret, busy, system };
const char* errc_library(AppErrc);
std::string_view describe(AppErrc e);

/// The clocks of this machine, as core/wall_clock.hpp judges them. Used on one thread.
class SystemClock final : public Clock {
public:
    SystemClock();
    Instant now() const override;
    std::optional<WallTime> wall() const override;
    WallClock& judge() { return judge_; }
    ClockState state() const { return judge_.state(); }
    /// The system's clocks at this moment.
    SystemTime look() const;

private:
    mutable WallClock judge_;  // wall() notices jumps
    mutable Instant looked_{};
    mutable bool synchronized_ = false;
};

/// Runs blocking work on a thread of its own, at low priority; it ends with the process, wherever it is.
void run_in_background(std::function<void()> work);

Result<std::string> read_file(const std::string& path);
/// First line of a secret, without the line end. The error names the file, never its content.
Result<std::string> read_secret(const std::string& name);
/// Holds an exclusive lock on `path` until the process ends; busy when another process has it.
Result<void> lock_file(const std::string& path);

/// Lines to stderr as they are (journald reads the <N>); without the <N> on a terminal.
Log make_log(int level);

/// While it lives, systemd waits for READY=1: a large database that is migrated, or held, takes minutes on a slow card, and a start that is
/// killed begins it anew. A thread of its own, since the work blocks; for six hours at most, then TimeoutStartSec= counts again.
class LongStart {
public:
    explicit LongStart(const class Systemd& systemd);
    ~LongStart() { end(); }
    LongStart(const LongStart&) = delete;
    LongStart& operator=(const LongStart&) = delete;
    void end();

private:
    std::mutex mutex_;
    std::condition_variable ended_;
    bool over_ = false;
    std::thread thread_;
};

/// systemd's notification protocol; does nothing when not started by systemd.
class Systemd {
public:
    Systemd();
    /// Descriptors kept from the process before, by name ("modem-0").
    const std::map<std::string, int>& kept() const { return kept_; }
    void ready(const std::string& status) const;
    /// The start takes longer: systemd waits for this much more.
    void extend_start(std::chrono::microseconds by) const;
    void stopping() const;
    void reloading() const;
    void feed_watchdog() const;
    /// Half of WatchdogSec; empty when no watchdog was asked for.
    std::optional<std::chrono::microseconds> watchdog_period() const { return period_; }
    void keep(const std::string& name, int descriptor) const;
    void forget(const std::string& name) const;

private:
    std::map<std::string, int> kept_;
    std::optional<std::chrono::microseconds> period_;
};

}  // namespace conductor::app
