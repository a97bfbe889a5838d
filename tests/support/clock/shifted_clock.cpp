// Loaded before the C library into a program under test (LD_PRELOAD): its clocks are shifted by what the file CONDUCTOR_CLOCK holds, 64-bit
// numbers: nanoseconds for CLOCK_REALTIME and for CLOCK_BOOTTIME, and whether the clock is said to be synchronised (adjtimex). The file may
// change at any time. The kernel's timers and CLOCK_MONOTONIC are left alone.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t second = 1'000'000'000;

struct Shift {
    volatile std::int64_t real, boot, synchronized;
};

const Shift& shift() {
    static const Shift none{};
    static const Shift* const shared = [] {
        const char* path = std::getenv("CONDUCTOR_CLOCK");
        const int fd = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0) return &none;
        void* page = ::mmap(nullptr, sizeof(Shift), PROT_READ, MAP_SHARED, fd, 0);
        ::close(fd);
        return page == MAP_FAILED ? &none : static_cast<const Shift*>(page);
    }();
    return *shared;
}

void move(timespec& ts, std::int64_t by) {
    const std::int64_t all = ts.tv_sec * second + ts.tv_nsec + by;
    ts = {.tv_sec = all / second, .tv_nsec = all % second};
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* ts) noexcept {
    const long result = ::syscall(SYS_clock_gettime, clock, ts);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) move(*ts, shift().real);
    if (result == 0 && clock == CLOCK_BOOTTIME) move(*ts, shift().boot);
    return static_cast<int>(result);
}

extern "C" int gettimeofday(timeval* tv, void*) noexcept {
    timespec ts{};
    clock_gettime(CLOCK_REALTIME, &ts);
    *tv = {.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
    return 0;
}

extern "C" time_t time(time_t* out) noexcept {
    timespec ts{};
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out) *out = ts.tv_sec;
    return ts.tv_sec;
}

extern "C" int adjtimex(timex* state) noexcept {
    const long result = ::syscall(SYS_adjtimex, state);
    if (shift().synchronized)
        state->status &= ~STA_UNSYNC;
    else
        state->status |= STA_UNSYNC;
    return static_cast<int>(result);
}
