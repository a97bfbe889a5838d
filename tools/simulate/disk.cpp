#include "tools/simulate/disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

namespace conductor::simulate {
namespace {

constexpr std::size_t sector = 512;

void apply(std::vector<std::uint8_t>& content, std::size_t at, const std::uint8_t* octets, std::size_t n) {
    if (content.size() < at + n) content.resize(at + n);
    std::memcpy(content.data() + at, octets, n);
}

}  // namespace

std::shared_ptr<Disk::File> Disk::open(const std::string& name, bool make) {
    if (const auto found = names_.find(name); found != names_.end()) return found->second;
    if (!make) return nullptr;
    auto file = std::make_shared<File>();
    if (!name.empty()) names_[name] = file;
    std::erase(removed_, name);
    return file;
}

/// True when the machine stops at this very operation.
bool Disk::count_down() {
    const auto reached = [](std::optional<std::uint64_t>& left) { return left && (*left == 0 || --*left == 0); };
    if (reached(fails_in_)) {
        power_fails();
    } else if (reached(dies_in_)) {
        process_dies();
    } else {
        return false;
    }
    fails_in_.reset();
    dies_in_.reset();
    stopped_ = true;
    return true;
}

int Disk::write(File& file, std::size_t at, const void* octets, std::size_t n) {
    const auto* from = static_cast<const std::uint8_t*>(octets);
    const bool grows = at + n > file.now.size();
    if ((faults.full && grows) || chance(faults.write_error)) {
        ++counters_.failed;
        return faults.full && grows ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    ++counters_.writes;
    counters_.octets += n;
    apply(file.now, at, from, n);
    file.unsynced.push_back({at, {from, from + n}});
    return count_down() ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

int Disk::truncate(File& file, std::size_t size) {
    file.now.resize(size);
    file.unsynced.push_back({size, {}});
    return count_down() ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

int Disk::sync(const std::string& name, const std::shared_ptr<File>& file) {
    if (count_down()) return SQLITE_IOERR_FSYNC;
    if (chance(faults.sync_error)) {
        ++counters_.failed;
        return SQLITE_IOERR_FSYNC;
    }
    ++counters_.syncs;
    for (const Change& change : file->unsynced) {
        if (change.octets.empty())
            file->durable.resize(change.at);
        else
            apply(file->durable, change.at, change.octets.data(), change.octets.size());
    }
    file->unsynced.clear();
    // a file system with a journal, as ext4: names change in order, and no later than the next sync of any file
    for (const auto& gone : removed_) durable_names_.erase(gone);
    removed_.clear();
    if (!name.empty()) durable_names_[name] = file;
    return SQLITE_OK;
}

void Disk::remove(const std::string& name, bool durably) {
    names_.erase(name);
    if (durably)
        durable_names_.erase(name);
    else
        removed_.push_back(name);
}

/// 0: everything not synced is lost; 1: nothing; 2: chance decides for each write, and for each sector of a torn one.
void Disk::lose(File& file, int mode) {
    for (const Change& change : file.unsynced) {
        const auto fate = mode == 2 ? random_() % 3 : mode == 0 ? 0U : 1U;
        if (fate == 0) continue;
        if (change.octets.empty()) {
            file.durable.resize(change.at);
            continue;
        }
        if (fate == 1) {
            apply(file.durable, change.at, change.octets.data(), change.octets.size());
            continue;
        }
        for (std::size_t at = 0; at < change.octets.size();) {
            const std::size_t n = std::min(sector - (change.at + at) % sector, change.octets.size() - at);
            if (random_() % 2) apply(file.durable, change.at + at, change.octets.data() + at, n);
            at += n;
        }
    }
    file.unsynced.clear();
    file.now = file.durable;
}

void Disk::process_dies() {
    ++life_;
    for (auto& [name, file] : names_) {  // the dead process's handles keep the old object, and with it their locks
        auto again = std::make_shared<File>();
        again->now = file->now;
        again->durable = file->durable;
        again->unsynced = file->unsynced;
        if (const auto known = durable_names_.find(name); known != durable_names_.end() && known->second == file) known->second = again;
        file = std::move(again);
    }
}

void Disk::power_fails() {
    ++counters_.cuts;
    process_dies();
    const int mode = static_cast<int>(random_() % 3);
    auto left = durable_names_;
    for (const auto& [name, file] : names_)  // the entry of a new file may have reached the disk too
        if (!left.contains(name) && random_() % 2) left[name] = file;
    for (const auto& [name, file] : left) lose(*file, mode);
    removed_.clear();
    names_ = durable_names_ = std::move(left);
}

std::string Disk::content(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? std::string{} : std::string{found->second->now.begin(), found->second->now.end()};
}

// --- SQLite's side ---------------------------------------------------------------------------------------------------------------------
namespace {

struct Handle {
    sqlite3_file base;
    Disk* disk;
    std::shared_ptr<Disk::File>* file;
    std::string* name;
    std::uint64_t life;
    int lock;
    unsigned shared_slots, exclusive_slots;
    bool temporary;
    bool dead() const { return disk->life() != life; }
    Disk::File& f() const { return **file; }
};
Handle& of(sqlite3_file* file) {
    return *reinterpret_cast<Handle*>(file);
}

int unlock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    auto& f = h.f();
    if (h.lock >= SQLITE_LOCK_PENDING && level < SQLITE_LOCK_PENDING) --f.exclusive;
    if (h.lock >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED) --f.reserved;
    if (h.lock >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED) --f.readers;
    h.lock = std::min(h.lock, level);
    return SQLITE_OK;
}

int close(sqlite3_file* file) {
    Handle& h = of(file);
    if (!h.dead()) {
        unlock(file, SQLITE_LOCK_NONE);
        if (h.temporary && !h.name->empty()) h.disk->remove(*h.name, true);
    }
    delete h.file;
    delete h.name;
    return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int n, sqlite3_int64 at) {
    const Handle& h = of(file);
    if (h.dead()) return SQLITE_IOERR_READ;
    const auto& content = h.f().now;
    const auto from = static_cast<std::size_t>(at), wanted = static_cast<std::size_t>(n);
    const std::size_t got = from >= content.size() ? 0 : std::min(wanted, content.size() - from);
    if (got > 0) std::memcpy(into, content.data() + from, got);
    if (got == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(into) + got, 0, wanted - got);
    return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* octets, int n, sqlite3_int64 at) {
    const Handle& h = of(file);
    if (h.dead()) return SQLITE_IOERR_WRITE;
    return h.disk->write(h.f(), static_cast<std::size_t>(at), octets, static_cast<std::size_t>(n));
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
    const Handle& h = of(file);
    return h.dead() ? SQLITE_IOERR_TRUNCATE : h.disk->truncate(h.f(), static_cast<std::size_t>(size));
}

int sync(sqlite3_file* file, int) {
    const Handle& h = of(file);
    return h.dead() ? SQLITE_IOERR_FSYNC : h.disk->sync(*h.name, *h.file);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    const Handle& h = of(file);
    if (h.dead()) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(h.f().now.size());
    return SQLITE_OK;
}

int lock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    if (h.dead()) return SQLITE_IOERR_LOCK;
    auto& f = h.f();
    if (h.lock >= level) return SQLITE_OK;
    const bool mine = h.lock >= SQLITE_LOCK_RESERVED, pending = h.lock >= SQLITE_LOCK_PENDING;
    if (level == SQLITE_LOCK_SHARED && f.exclusive > 0) return SQLITE_BUSY;
    if (level >= SQLITE_LOCK_RESERVED && !mine && f.reserved > 0) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && (f.readers > 1 || (f.exclusive > 0 && !pending))) return SQLITE_BUSY;
    if (h.lock < SQLITE_LOCK_SHARED) ++f.readers;
    if (level >= SQLITE_LOCK_RESERVED && !mine) ++f.reserved;
    if (level >= SQLITE_LOCK_PENDING && !pending) ++f.exclusive;
    h.lock = level;
    return SQLITE_OK;
}

int check_reserved(sqlite3_file* file, int* result) {
    *result = of(file).f().reserved > 0;
    return SQLITE_OK;
}

int control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
    return static_cast<int>(sector);
}
int characteristics(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // as on Linux: a torn write leaves the octets around it alone
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    const Handle& h = of(file);
    *out = nullptr;
    if (h.dead()) return SQLITE_IOERR_SHMMAP;
    auto& shared = h.f().shared;
    while (extend && shared.size() <= static_cast<std::size_t>(region)) shared.emplace_back(static_cast<std::size_t>(size));
    if (static_cast<std::size_t>(region) < shared.size()) *out = shared[static_cast<std::size_t>(region)].data();
    return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int first, int n, int flags) {
    Handle& h = of(file);
    if (h.dead()) return SQLITE_IOERR_SHMLOCK;
    auto& f = h.f();
    unsigned& mine = flags & SQLITE_SHM_SHARED ? h.shared_slots : h.exclusive_slots;
    int* counts = flags & SQLITE_SHM_SHARED ? f.shared_locks : f.exclusive_locks;
    if (flags & SQLITE_SHM_LOCK)
        for (int slot = first; slot < first + n; ++slot) {
            const unsigned bit = 1U << slot;
            const int others_exclusive = f.exclusive_locks[slot] - ((h.exclusive_slots & bit) ? 1 : 0);
            const int others_shared = f.shared_locks[slot] - ((h.shared_slots & bit) ? 1 : 0);
            if (others_exclusive > 0 || (!(flags & SQLITE_SHM_SHARED) && others_shared > 0)) return SQLITE_BUSY;
        }
    for (int slot = first; slot < first + n; ++slot) {
        const unsigned bit = 1U << slot;
        const bool wanted = flags & SQLITE_SHM_LOCK;
        if (wanted == static_cast<bool>(mine & bit)) continue;
        counts[slot] += wanted ? 1 : -1;
        mine ^= bit;
    }
    return SQLITE_OK;
}

void shm_barrier(sqlite3_file*) {}

int shm_unmap(sqlite3_file* file, int) {
    Handle& h = of(file);
    for (int slot = 0; slot < 8; ++slot) {
        h.f().shared_locks[slot] -= (h.shared_slots >> slot) & 1U ? 1 : 0;
        h.f().exclusive_locks[slot] -= (h.exclusive_slots >> slot) & 1U ? 1 : 0;
    }
    h.shared_slots = h.exclusive_slots = 0;
    return SQLITE_OK;
}

constexpr sqlite3_io_methods methods = {2,         close,          read,    write,       truncate,        sync,    file_size, lock,
                                        unlock,    check_reserved, control, sector_size, characteristics, shm_map, shm_lock,  shm_barrier,
                                        shm_unmap, nullptr,        nullptr};

Disk& disk_of(sqlite3_vfs* vfs) {
    return *static_cast<Disk*>(vfs->pAppData);
}

int vfs_open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* out, int flags, int* out_flags) {
    Disk& disk = disk_of(vfs);
    Handle& h = of(out);
    h.base.pMethods = nullptr;
    auto file = disk.open(name ? name : "", (flags & SQLITE_OPEN_CREATE) || !name);
    if (!file || disk.stopped()) return SQLITE_CANTOPEN;
    h = {{&methods},
         &disk,
         new std::shared_ptr<Disk::File>{std::move(file)},
         new std::string{name ? name : ""},
         disk.life(),
         SQLITE_LOCK_NONE,
         0,
         0,
         (flags & SQLITE_OPEN_DELETEONCLOSE) != 0};
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int durably) {
    Disk& disk = disk_of(vfs);
    if (disk.stopped()) return SQLITE_IOERR_DELETE;
    if (!disk.exists(name)) return SQLITE_IOERR_DELETE_NOENT;
    disk.remove(name, durably != 0);
    return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int, int* result) {
    *result = disk_of(vfs).exists(name);
    return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* vfs, int n, char* out) {
    for (int i = 0; i < n; ++i) out[i] = static_cast<char>(disk_of(vfs).random()());
    return n;
}

int vfs_sleep(sqlite3_vfs*, int microseconds) {
    return microseconds;
}

int vfs_time(sqlite3_vfs*, double* out) {
    *out = 2'461'000.5;  // nothing of ours asks SQLite for the time
    return SQLITE_OK;
}

int vfs_error(sqlite3_vfs*, int, char*) {
    return 0;
}

sqlite3_vfs& simulated() {
    static sqlite3_vfs vfs = {1,          sizeof(Handle), 512,     nullptr, Disk::vfs, nullptr, vfs_open,       vfs_delete,
                              vfs_access, vfs_full_path,  nullptr, nullptr, nullptr,   nullptr, vfs_randomness, vfs_sleep,
                              vfs_time,   vfs_error,      nullptr, nullptr, nullptr,   nullptr};
    return vfs;
}

}  // namespace

Disk::Disk(std::uint64_t seed) : random_{seed} {
    simulated().pAppData = this;
    sqlite3_vfs_register(&simulated(), 0);
}

Disk::~Disk() {
    sqlite3_vfs_unregister(&simulated());
}

}  // namespace conductor::simulate
