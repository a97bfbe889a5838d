#include "modem/port/hotplug.hpp"

#include <sys/inotify.h>
#include <systemd/sd-device.h>
#include <systemd/sd-event.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <filesystem>
#include <set>

#include "modem/port/fd_stream.hpp"

namespace conductor::port {
namespace {

namespace fs = std::filesystem;
using Descriptor = boost::asio::posix::stream_descriptor;

template <auto Unref>
struct Unreferencer {
    void operator()(auto* p) const noexcept { Unref(p); }
};

}  // namespace

struct Hotplug::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(aio::Executor on) : ex{std::move(on)} {}
    aio::Executor ex;
    Log log;
    std::vector<std::string> folders;
    std::function<void()> changed;
    bool closed = false;

    std::unique_ptr<Descriptor> watch;                               ///< inotify
    std::unique_ptr<sd_event, Unreferencer<sd_event_unref>> events;  ///< declared before what is attached to it
    std::unique_ptr<sd_device_monitor, Unreferencer<sd_device_monitor_unref>> monitor;
    std::unique_ptr<Descriptor> udev;  ///< the event loop's descriptor, which it owns itself
    bool tty_event = false;
    std::set<std::string> unwatched;  ///< folders of which it was said
    aio::Timer again{ex};             ///< until the next try of a monitor that failed

    /// Adds a watch for each folder, or for what there is of its path. Watching a folder twice changes nothing.
    void arm() {
        for (const std::string& folder : folders) {
            fs::path path{folder};
            std::error_code ec;
            while (!fs::is_directory(path, ec) && path.has_relative_path()) path = path.parent_path();
            constexpr std::uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
            const bool watched = ::inotify_add_watch(watch->native_handle(), path.c_str(), mask) >= 0;
            if (watched) unwatched.erase(path.string());
            if (!watched && unwatched.insert(path.string()).second)
                log.warning("no-hotplug", {{"folder", path.string()}, {"why", std::generic_category().message(errno)}});
        }
    }

    void start_folders() {
        if (folders.empty()) return;
        Fd fd{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
        if (fd.get() < 0) return log.warning("no-hotplug", {{"why", std::generic_category().message(errno)}});
        watch = std::make_unique<Descriptor>(ex, fd.release());
        arm();
        next_folder_event();
    }

    void next_folder_event() {
        watch->async_wait(Descriptor::wait_read, [self = shared_from_this()](boost::system::error_code ec) {
            if (ec || self->closed) return;
            std::array<char, 4096> buffer{};
            bool any = false;
            while (::read(self->watch->native_handle(), buffer.data(), buffer.size()) > 0) any = true;
            self->arm();
            self->next_folder_event();
            if (any) self->changed();
        });
    }

    static int on_device(sd_device_monitor*, sd_device*, void* self) {
        static_cast<Impl*>(self)->tty_event = true;
        return 0;
    }

    /// The events that udev sends when its rules have run: group and mode of the node are set by then.
    int start_udev() {
        sd_event* loop = nullptr;
        if (const int rc = sd_event_new(&loop); rc < 0) return rc;
        events.reset(loop);
        sd_device_monitor* made = nullptr;
        if (const int rc = sd_device_monitor_new(&made); rc < 0) return rc;
        monitor.reset(made);
        if (const int rc = sd_device_monitor_filter_add_match_subsystem_devtype(made, "tty", nullptr); rc < 0) return rc;
        if (const int rc = sd_device_monitor_attach_event(made, loop); rc < 0) return rc;
        if (const int rc = sd_device_monitor_start(made, &on_device, this); rc < 0) return rc;
        udev = std::make_unique<Descriptor>(ex, sd_event_get_fd(loop));
        next_udev_event();
        return 0;
    }

    void next_udev_event() {
        udev->async_wait(Descriptor::wait_read, [self = shared_from_this()](boost::system::error_code ec) {
            if (ec || self->closed) return;
            int rc = 1;
            while (rc > 0) rc = sd_event_run(self->events.get(), 0);
            if (rc < 0) return self->udev_failed(rc);
            self->next_udev_event();
            if (std::exchange(self->tty_event, false)) self->changed();
        });
    }

    /// A storm of events may overrun it: a new one is made, and what was missed is looked for.
    void udev_failed(int rc) {
        log.warning("hotplug-again", {{"subsystem", "tty"}, {"why", std::generic_category().message(-rc)}});
        stop_udev();
        again.expires_after(std::chrono::seconds{5});
        again.async_wait([self = shared_from_this()](boost::system::error_code ec) {
            if (ec || self->closed) return;
            if (const int failed = self->start_udev(); failed < 0) return self->udev_failed(failed);
            self->changed();
        });
    }

    void stop_udev() {
        if (udev) udev->release();  // the loop closes it
        udev.reset();
        monitor.reset();
        events.reset();
    }

    void close() {
        closed = true;
        again.cancel();
        watch.reset();
        stop_udev();
    }
};

Hotplug::Hotplug(aio::Executor ex, Log log, std::vector<std::string> folders, std::function<void()> changed)
    : impl_{std::make_shared<Impl>(std::move(ex))} {
    impl_->log = std::move(log);
    impl_->folders = std::move(folders);
    impl_->changed = std::move(changed);
    impl_->start_folders();
    if (const int rc = impl_->start_udev(); rc < 0)
        impl_->log.warning("no-hotplug", {{"subsystem", "tty"}, {"why", std::generic_category().message(-rc)}});
}

Hotplug::~Hotplug() {
    impl_->close();
}

}  // namespace conductor::port
