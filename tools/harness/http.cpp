#include "tools/harness/http.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <optional>

namespace conductor::harness {

namespace {

class Connection {
public:
    Connection(const std::string& where, std::chrono::milliseconds timeout) {
        constexpr std::string_view tcp = "http://127.0.0.1:";
        const bool local = !where.starts_with(tcp);
        fd_ = ::socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const timeval limit{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (local) {
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            where.copy(address.sun_path, sizeof address.sun_path - 1);
            open_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        } else {
            std::uint16_t port = 0;
            std::from_chars(where.data() + tcp.size(), where.data() + where.size(), port);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            address.sin_port = htons(port);
            open_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        }
    }
    ~Connection() { ::close(fd_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    bool write(std::string_view text) {
        while (open_ && !text.empty()) {
            const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(n));
        }
        return open_;
    }
    /// More octets behind `into`; false at the end of the stream.
    bool read(std::string& into) {
        char buffer[16384];
        const ssize_t n = open_ ? ::recv(fd_, buffer, sizeof buffer, 0) : 0;
        if (n > 0) into.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }

private:
    int fd_ = -1;
    bool open_ = false;
};

/// The value of a header, its name in lower case.
std::optional<std::string> header(std::string_view head, std::string_view name) {
    std::string lower{head};
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const auto at = lower.find("\r\n" + std::string{name} + ":");
    if (at == lower.npos) return std::nullopt;
    const auto begin = lower.find_first_not_of(' ', at + 3 + name.size());
    return lower.substr(begin, lower.find("\r\n", begin) - begin);
}

std::string unchunk(std::string_view text) {
    std::string out;
    while (true) {
        std::size_t size = 0;
        const auto end = text.find("\r\n");
        if (end == text.npos || std::from_chars(text.data(), text.data() + end, size, 16).ec != std::errc{} || size == 0) return out;
        out += text.substr(end + 2, size);
        if (text.size() < end + 4 + size) return out;
        text.remove_prefix(end + 4 + size);
    }
}

}  // namespace

HttpAnswer http(const std::string& where, std::string_view method, std::string_view target, std::string_view body,
                std::string_view content_type, std::chrono::milliseconds timeout) {
    Connection connection{where, timeout};
    std::string request = std::string{method} + " " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    if (!body.empty())
        request += "Content-Type: " + std::string{content_type} + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    request += "\r\n" + std::string{body};
    if (!connection.write(request)) return {};
    std::string answer;
    while (connection.read(answer)) {}
    const auto end = answer.find("\r\n\r\n");
    if (end == answer.npos || answer.size() < 12 || !answer.starts_with("HTTP/1.")) return {};
    HttpAnswer result;
    std::from_chars(answer.data() + 9, answer.data() + 12, result.status);
    const std::string_view head = std::string_view{answer}.substr(0, end + 2);
    result.body = answer.substr(end + 4);
    if (header(head, "transfer-encoding") == "chunked") result.body = unchunk(result.body);
    const auto length = header(head, "content-length");
    if (length && std::to_string(result.body.size()) != *length) return {};  // cut off
    return result;
}

std::string ask_line(const std::string& socket, std::string_view line, std::chrono::milliseconds timeout) {
    Connection connection{socket, timeout};
    if (!connection.write(std::string{line} + "\n")) return {};
    std::string answer;
    while (answer.find('\n') == answer.npos && connection.read(answer)) {}
    return answer.substr(0, answer.find('\n'));
}

}  // namespace conductor::harness
