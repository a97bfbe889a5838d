#pragma once
// The port of one modem: a pty behind a stable link. The slave is kept open here as well, so that the line never hangs up while
// nobody has it open; inotify tells when somebody opens and closes it.
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <string>

#include "daemon/aio/aio.hpp"

namespace conductor::modemsim {

class PtyPort {
public:
    PtyPort(aio::Executor executor, std::string link) : executor_{std::move(executor)}, link_{std::move(link)} {}
    ~PtyPort() { close(); }
    PtyPort(const PtyPort&) = delete;
    PtyPort& operator=(const PtyPort&) = delete;

    /// Makes a pty and lets `link` point to it; empty, or what failed.
    std::string open();
    /// Hangs up whoever has it open, and removes the link.
    void close();
    bool is_open() const { return slave_ >= 0; }
    void set_link(std::string link);
    const std::string& link() const { return link_; }
    const std::string& slave_name() const { return slave_name_; }

    /// Octets for the client; dropped while nobody has the port open, as a serial line without DTR would.
    void write(std::string_view octets);
    std::function<void(std::string_view)> on_input;
    std::uint64_t lost_octets() const { return lost_; }
    bool attached() const { return attached_; }
    bool keep_output = false;  ///< octets for nobody wait in the pty for the next one who opens it

private:
    void read_next();
    void flush();
    void watch_next();
    void take_events();
    void client_opened();
    void client_closed();

    aio::Executor executor_;
    std::string link_, slave_name_;
    std::unique_ptr<boost::asio::posix::stream_descriptor> master_, watch_;
    int slave_ = -1;
    int clients_ = 0;
    bool attached_ = false, flushing_ = false;
    std::string pending_;
    std::uint64_t lost_ = 0;
    std::shared_ptr<int> life_;  ///< handlers of a closed pty see that it is gone
    std::array<char, 4096> input_{};
};

}  // namespace conductor::modemsim
