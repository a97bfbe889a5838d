#include "tests/integration/supabase/bad_line.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace conductor::supabase_test {

using std::chrono::milliseconds;

namespace {

sockaddr_in local(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

[[noreturn]] void refuse(const char* what) {
    throw std::runtime_error(std::string{what} + ": " + std::strerror(errno));
}

/// Closed with a reset: what was not read is lost.
void close_hard(int fd) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
}

}  // namespace

BadLine::BadLine(const std::string& url, std::uint64_t seed)
    : to_{static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))}, random_{seed} {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    auto address = local(0);
    socklen_t length = sizeof address;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        refuse("bad line");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { run(); }};
}

BadLine::~BadLine() {
    stopping_ = true;
    thread_.join();
    for (Pair& pair : pairs_) reset(pair);
    ::close(listener_);
}

std::map<std::string, int> BadLine::counts() const {
    constexpr const char* names[] = {"none", "reset", "refuse", "stall", "delay", "reset-in-answer"};
    std::map<std::string, int> out;
    for (std::size_t i = 1; i < std::size(names); ++i) out[names[i]] = counts_[i];
    return out;
}

void BadLine::run() {
    while (!stopping_) {
        const auto now = Clock::now();
        if (now >= until_ || (!faults_ && fault_ != Fault::none)) next_fault(now);
        step(10);
        for (auto pair = pairs_.begin(); pair != pairs_.end();) pair = pair->dead ? pairs_.erase(pair) : std::next(pair);
    }
}

/// A while that works, then a while that does not.
void BadLine::next_fault(Clock::time_point now) {
    if (!faults_ || fault_ != Fault::none) {
        fault_ = Fault::none;
        until_ = now + milliseconds{faults_ ? between(300, 3'000) : 50};
        return;
    }
    fault_ = static_cast<Fault>(between(1, 5));
    ++counts_[static_cast<std::size_t>(fault_)];
    const int longest[] = {0, 1, 3'000, 7'000, 4'000, 3'000};
    until_ = now + milliseconds{between(1, longest[static_cast<std::size_t>(fault_)])};
    if (fault_ == Fault::reset)
        for (Pair& pair : pairs_) reset(pair);
}

void BadLine::step(int timeout_ms) {
    const auto now = Clock::now();
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    const bool stalled = fault_ == Fault::stall;
    for (Pair& pair : pairs_)
        for (Side* side : {&pair.client, &pair.server}) {
            const bool due = !side->out.empty() && side->out.front().due <= now;
            fds.push_back({side->fd, static_cast<short>(stalled ? 0 : POLLIN | (due ? POLLOUT : 0)), 0});
        }
    ::poll(fds.data(), fds.size(), timeout_ms);
    std::size_t at = 1;
    for (Pair& pair : pairs_) {
        if (down_) reset(pair);
        for (const bool answer : {false, true}) {
            const short events = fds[at++].revents;
            Side &from = answer ? pair.server : pair.client, &to = answer ? pair.client : pair.server;
            if (pair.dead || stalled) continue;
            if (events & POLLOUT) flush(pair, from);
            if (!pair.dead && (events & (POLLIN | POLLHUP | POLLERR))) receive(pair, from, to, answer);
        }
    }
    if (fds[0].revents & POLLIN) accept_one();
}

void BadLine::accept_one() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    if (fault_ == Fault::refuse || down_) return close_hard(client);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = local(to_);
    if (server < 0 || ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (server >= 0) ::close(server);
        return close_hard(client);
    }
    const int yes = 1;
    for (const int fd : {client, server}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    pairs_.push_back({.client = {.fd = client, .out = {}}, .server = {.fd = server, .out = {}}});
}

void BadLine::receive(Pair& pair, Side& from, Side& to, bool answer) {
    std::array<char, 16'384> buffer;
    const ssize_t n = ::recv(from.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        flush(pair, to);
        return reset(pair);
    }
    auto octets = static_cast<std::size_t>(n);
    const bool ends_here = answer && fault_ == Fault::reset_in_answer;
    if (ends_here) octets = static_cast<std::size_t>(between(0, static_cast<int>(n) - 1));
    auto due = Clock::now();
    if (fault_ == Fault::delay) due += milliseconds{between(20, 600)};
    if (!to.out.empty()) due = std::max(due, to.out.back().due);
    to.out.push_back({due, std::string{buffer.data(), octets}});
    if (!ends_here) return flush(pair, to);
    flush(pair, to);
    reset(pair);
}

void BadLine::flush(Pair& pair, Side& to) {
    while (!pair.dead && !to.out.empty() && to.out.front().due <= Clock::now()) {
        std::string& octets = to.out.front().octets;
        const ssize_t n = ::send(to.fd, octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) return reset(pair);
        octets.erase(0, static_cast<std::size_t>(n));
        if (octets.empty()) to.out.pop_front();
    }
}

void BadLine::reset(Pair& pair) {
    if (pair.dead) return;
    pair.dead = true;
    close_hard(pair.client.fd);
    close_hard(pair.server.fd);
}

}  // namespace conductor::supabase_test
