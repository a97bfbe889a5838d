#include "tools/modemsim/pty_port.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace conductor::modemsim {
namespace {

constexpr std::size_t pending_limit = 1U << 20;

void make_raw(int fd) {
    termios t{};
    if (tcgetattr(fd, &t) != 0) return;
    cfmakeraw(&t);
    tcsetattr(fd, TCSANOW, &t);
}

std::string failed(const char* what) {
    return std::string{what} + ": " + std::strerror(errno);
}

}  // namespace

std::string PtyPort::open() {
    close();
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master < 0) return failed("posix_openpt");
    master_ = std::make_unique<boost::asio::posix::stream_descriptor>(executor_, master);
    std::array<char, 64> name{};
    if (grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, name.data(), name.size()) != 0) return failed("unlockpt");
    slave_name_ = name.data();
    slave_ = ::open(slave_name_.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (slave_ < 0) return failed("open slave");
    make_raw(slave_);
    life_ = std::make_shared<int>(0);
    clients_ = 0;
    const int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    attached_ = watch < 0 || inotify_add_watch(watch, slave_name_.c_str(), IN_OPEN | IN_CLOSE) < 0;  // without it: always
    if (watch >= 0) {
        watch_ = std::make_unique<boost::asio::posix::stream_descriptor>(executor_, watch);
        watch_next();
    }
    read_next();
    const std::string fresh = link_ + ".new";
    ::unlink(fresh.c_str());
    if (::symlink(slave_name_.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), link_.c_str()) != 0) return failed("link");
    return {};
}

void PtyPort::close() {
    if (slave_ < 0) return;
    std::array<char, 128> target{};
    const auto length = ::readlink(link_.c_str(), target.data(), target.size() - 1);
    if (length > 0 && slave_name_ == std::string_view{target.data(), static_cast<std::size_t>(length)}) ::unlink(link_.c_str());
    life_.reset();
    watch_.reset();
    ::close(slave_);
    slave_ = -1;
    master_.reset();  // the client sees a hang-up
    pending_.clear();
    attached_ = flushing_ = false;
}

void PtyPort::set_link(std::string link) {
    if (link == link_) return;
    if (is_open() && ::rename(link_.c_str(), link.c_str()) != 0) ::unlink(link_.c_str());
    link_ = std::move(link);
}

void PtyPort::read_next() {
    master_->async_read_some(boost::asio::buffer(input_),
                             [this, life = std::weak_ptr{life_}](boost::system::error_code error, std::size_t n) {
                                 if (life.expired() || error == boost::asio::error::operation_aborted) return;
                                 if (error) return;  // cannot be: our own slave keeps the line up
                                 take_events();
                                 if (on_input) on_input({input_.data(), n});
                                 if (!life.expired()) read_next();
                             });
}

void PtyPort::watch_next() {
    watch_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this, life = std::weak_ptr{life_}](boost::system::error_code error) {
                           if (life.expired() || error) return;
                           take_events();
                           watch_next();
                       });
}

// Also called before input is obeyed: the client that wrote it may be gone already, and its answer then goes to nobody.
void PtyPort::take_events() {
    if (!watch_) return;
    alignas(inotify_event) std::array<char, 1024> events{};
    for (;;) {
        const ssize_t n = ::read(watch_->native_handle(), events.data(), events.size());
        if (n <= 0) return;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
            inotify_event event{};
            std::memcpy(&event, events.data() + at, sizeof event);
            at += sizeof event + event.len;
            if (event.mask & IN_OPEN) client_opened();
            if (event.mask & IN_CLOSE) client_closed();
        }
    }
}

void PtyPort::client_opened() {
    ++clients_;
    attached_ = true;
}

// What a tty driver does at the last close: settings and exclusive use are gone, and so is what nobody read.
void PtyPort::client_closed() {
    if (clients_ > 0 && --clients_ > 0) return;
    attached_ = false;
    ::ioctl(slave_, TIOCNXCL);
    make_raw(slave_);
    if (keep_output) return;
    lost_ += pending_.size();
    pending_.clear();
    tcflush(slave_, TCIFLUSH);
}

void PtyPort::write(std::string_view octets) {
    if (!is_open()) return;
    if ((!attached_ && !keep_output) || pending_.size() + octets.size() > pending_limit) {
        lost_ += octets.size();
        return;
    }
    pending_ += octets;
    if (!flushing_) flush();
}

void PtyPort::flush() {
    while (!pending_.empty()) {
        const ssize_t n = ::write(master_->native_handle(), pending_.data(), pending_.size());
        if (n > 0) {
            pending_.erase(0, static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            flushing_ = true;
            master_->async_wait(boost::asio::posix::stream_descriptor::wait_write,
                                [this, life = std::weak_ptr{life_}](boost::system::error_code error) {
                                    if (life.expired() || error) return;
                                    flushing_ = false;
                                    flush();
                                });
            return;
        } else if (errno != EINTR) {
            lost_ += pending_.size();
            pending_.clear();
        }
    }
}

}  // namespace conductor::modemsim
