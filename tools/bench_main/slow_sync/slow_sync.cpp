// Loaded before the C library into a program that is measured (LD_PRELOAD): each fsync and fdatasync takes CONDUCTOR_SYNC_MS longer, as on
// a worn card.
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

long delayed(long call, int fd) {
    static const int ms = [] {
        const char* found = std::getenv("CONDUCTOR_SYNC_MS");
        const std::string_view text = found ? found : "";
        int value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }();
    const timespec longer{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000L};
    ::nanosleep(&longer, nullptr);
    return ::syscall(call, fd);
}

}  // namespace

extern "C" int fsync(int fd) {
    return static_cast<int>(delayed(SYS_fsync, fd));
}
extern "C" int fdatasync(int fd) {
    return static_cast<int>(delayed(SYS_fdatasync, fd));
}
