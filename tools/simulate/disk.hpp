#pragma once
// A disk in memory for SQLite, as a VFS of its own. What was written and not synced may be lost, kept or torn when the power fails; writes
// and syncs fail on request; the machine can be stopped at any write.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace conductor::simulate {

class Disk {
public:
    /// Registers itself; one at a time in a process.
    explicit Disk(std::uint64_t seed);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;
    static constexpr const char* vfs = "simulated";

    /// What goes wrong now.
    struct Faults {
        bool full = false;       ///< no file can grow
        double write_error = 0;  ///< probability that a write fails
        double sync_error = 0;   ///< probability that a sync fails
    };
    Faults faults;

    /// From now on nothing reaches the disk; handles of the process that died stay useless.
    void process_dies();
    /// As process_dies(), and of what was not synced some is lost and some is torn.
    void power_fails();
    /// The power fails in the midst of the n-th write or sync from now; stopped() tells when it has happened.
    void fail_power_at(std::uint64_t n) { fails_in_ = n; }
    /// The process dies there instead: what was written stays.
    void kill_at(std::uint64_t n) { dies_in_ = n; }
    bool stopped() const { return stopped_; }
    /// A new process may use it.
    void restart() { stopped_ = false, fails_in_.reset(), dies_in_.reset(); }

    struct Counters {
        std::uint64_t writes = 0, syncs = 0, octets = 0, failed = 0, cuts = 0;
    };
    const Counters& counters() const { return counters_; }
    /// Content of a file; empty when there is none.
    std::string content(const std::string& name) const;

    // For the VFS alone.
    struct Change {
        std::size_t at = 0;
        std::vector<std::uint8_t> octets;  ///< empty: the file was cut to `at`
    };
    struct File {
        std::vector<std::uint8_t> now, durable;
        std::vector<Change> unsynced;
        std::vector<std::vector<std::uint8_t>> shared;  ///< the index of the WAL: memory of the process
        int readers = 0, reserved = 0, exclusive = 0;
        int shared_locks[8] = {}, exclusive_locks[8] = {};
    };
    std::shared_ptr<File> open(const std::string& name, bool make);
    int write(File& file, std::size_t at, const void* octets, std::size_t n);
    int truncate(File& file, std::size_t size);
    int sync(const std::string& name, const std::shared_ptr<File>& file);
    void remove(const std::string& name, bool durably);
    bool exists(const std::string& name) const { return names_.contains(name); }
    std::uint64_t life() const { return life_; }
    std::mt19937_64& random() { return random_; }

private:
    bool chance(double p) { return p > 0 && std::uniform_real_distribution<>{0, 1}(random_) < p; }
    bool count_down();
    void lose(File& file, int mode);
    std::map<std::string, std::shared_ptr<File>> names_, durable_names_;
    std::vector<std::string> removed_;  ///< their names may come back
    std::mt19937_64 random_;
    std::uint64_t life_ = 1;
    bool stopped_ = false;
    std::optional<std::uint64_t> fails_in_, dies_in_;
    Counters counters_;
};

}  // namespace conductor::simulate
