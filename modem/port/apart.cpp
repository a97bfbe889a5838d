#include "modem/port/apart.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <memory>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

namespace conductor::port {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// The devices that a thread is at work for. Never destroyed: a thread that hangs outlives main().
class Busy {
public:
    static Busy& all() {
        static Busy* const busy = new Busy;
        return *busy;
    }
    bool begin(const std::string& device) {
        const std::scoped_lock lock{mutex_};
        return devices_.insert(device).second;
    }
    void end(const std::string& device) {
        const std::scoped_lock lock{mutex_};
        devices_.erase(device);
    }

private:
    std::mutex mutex_;
    std::set<std::string> devices_;
};

/// What the thread knows of who waits: nothing of the loop, which may end before it.
struct End {
    Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::atomic<bool> come = false;
};

bool start(const std::string& device, std::function<void()> work) {
    try {
        std::thread{[device, work = std::move(work)]() mutable {
            work();
            work = nullptr;  // what it held is closed before the device is free
            Busy::all().end(device);
        }}.detach();
        return true;
    } catch (const std::system_error&) {  // no thread, no memory for one
        Busy::all().end(device);
        return false;
    }
}

}  // namespace

aio::awaitable<Result<void>> run_apart(std::string device, std::function<void()> work, BootClock::duration limit) {
    using namespace asio::experimental::awaitable_operators;
    const Instant until = BootClock::now() + limit;
    while (!Busy::all().begin(device)) {
        if (BootClock::now() >= until) co_return fail(PortErrc::hung, device);
        co_await aio::sleep_for(20ms);
    }
    const auto end = std::make_shared<End>();
    const int ear = end->event.get() < 0 ? -1 : ::fcntl(end->event.get(), F_DUPFD_CLOEXEC, 3);
    if (ear < 0) {
        const int error = errno;
        Busy::all().end(device);
        co_return port_error(error, device);
    }
    asio::posix::stream_descriptor heard{co_await asio::this_coro::executor, ear};
    auto told = [work = std::move(work), end]() mutable {
        work();
        work = nullptr;
        end->come.store(true, std::memory_order_release);
        ::eventfd_write(end->event.get(), 1);
    };
    if (!start(device, std::move(told))) co_return fail(PortErrc::io, device + ": no thread to open it");
    co_await (heard.async_wait(asio::posix::descriptor_base::wait_read, aio::as_value) || aio::sleep_until(until));
    if (end->come.load(std::memory_order_acquire)) co_return Result<void>{};
    co_return fail(BootClock::now() >= until ? PortErrc::hung : PortErrc::closed, device);  // closed: cancelled
}

void close_apart(std::string device, Fd fd) {
    if (!Busy::all().begin(device)) return;  // two streams of one device: the second is closed here
    const auto held = std::make_shared<Fd>(std::move(fd));
    start(device, [held] {
        ::tcflush(held->get(), TCOFLUSH);
        *held = Fd{};
    });
}

}  // namespace conductor::port
