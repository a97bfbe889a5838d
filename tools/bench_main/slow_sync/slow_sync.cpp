// Loaded before the C library into a program that is measured (LD_PRELOAD): each fsync and fdatasync takes CONDUCTOR_SYNC_MS longer, as on
// a worn card.
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace {

long delayed(long call, int fd) {
    static const int ms = [] {
        const char* text = std::getenv("CONDUCTOR_SYNC_MS");
        return text ? std::atoi(text) : 0;
    }();
    std::this_thread::sleep_for(std::chrono::milliseconds{ms});
    return ::syscall(call, fd);
}

}  // namespace

extern "C" int fsync(int fd) {
    return static_cast<int>(delayed(SYS_fsync, fd));
}
extern "C" int fdatasync(int fd) {
    return static_cast<int>(delayed(SYS_fdatasync, fd));
}
